"""Wrong input: one line, an exit code that is not 0, no traceback, nothing written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import STEPS, file_system, run, run_python
from PIL import Image

from wcgan_tf.core import errors
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.runs import label_status

WRONG = [
    (
        ["--label=3", "--config.train.batchsize=4"],
        "there is no setting train.batchsize; did you mean train.batch_size?",
    ),
    (["--label=3", "--config.trian.seed=4"], "there is no setting trian.seed; did you mean train.seed?"),
    (
        ["--label=3", "--config.train.batch_size=many"],
        "--config.train.batch_size=many: the value has to be a whole number",
    ),
    (
        ["--label=3", "--config.train.batch_size=1.5"],
        "--config.train.batch_size=1.5: the value has to be a whole number",
    ),
    (["--label=3", "--config.train.gp_weight=ten"], "--config.train.gp_weight=ten: the value has to be a number"),
    (["--label=5-3"], "'5-3' goes backwards; type 3-5"),
    (["--label=3", "--config.train.batch_size=0"], "train.batch_size is 0"),
    (["--label=3", "--config=nowhere.py"], "there is no config file 'nowhere.py'"),
    (["--label=3", "--config=broken.py"], "broken.py: ZeroDivisionError"),
    (["--lable=3"], "Did you mean: label"),
    ([], "the label is empty; type --label=3"),
    (["--label=3", "4"], "'4' is not understood"),
    (["--label="], "the label is empty"),
    (["--label=ten"], "there is no label 'ten'"),
    (["--label=10"], "digits has no label 10; type 0 to 9"),
    (["--label=-1"], "there is no label '-1'; type 0 to 9"),
    (["--label=auto"], "--label=auto finds no rank: none of SLURM_ARRAY_TASK_ID"),
    (["--label=10/10"], "--label is 10 of 10; the first rank is 0"),
    (["--label=3", "--labels=3,4"], "--labels goes with --label=auto; without, type --label=0-9,cat"),
    (["--label=0/2", "--labels=3,14"], "there is no label '14'"),
    (["--label=3,4,10"], "there is no label '10'"),
    (["--label=0/2", "--labels="], "--labels is given, but names no label; leave it out, or name some"),
    (["--label=3\x1b]0;x\x07"], "there is no label '3\\x1b]0;x\\x07'"),
    (
        ["--label=3", "--config.dataset.name=cifar10", "--config.dataset.data_dir=\x1b[31m"],
        "no images of label 3 in ?[31m/cifar10-8; run: ",
    ),
    (["--label=3", "--config.dataset.resolution=30"], "dataset.resolution is 30, which halving does not bring to 4"),
    (["--label=3", "--config.dataset.resolution=0"], "dataset.resolution is 0"),
    (["--label=3", "--config.model.width=-1"], "model.width is -1"),
    (["--label=3", "--config.train.max_seconds=1e-60"], "train.max_seconds is 1e-60; it may be 0, or 0.01 and more"),
    (["--label=3", "--workdir=r[1]"], "the folder 'r[1]' has a '[' in its name, which TensorFlow cannot read"),
    (["--label=3", "--config=leaving.py"], "in leaving.py: SystemExit"),
    (["--label=3", "--config=other_key.py"], "in other_key.py: KeyError: 'width'"),
    (["--label=3", "--config=wrong_value.py"], "in wrong_value.py: train.batch_size is 1; it may be 2 to 65,536"),
    (["--label=3", "--config=empty.py"], "in empty.py: there is no function get_config"),
    (["--label=3", "--workdir=r\udcff"], "an argument is no UTF-8 text"),
    (["--label=3", "--config.train.precision=float16"], "whose range is too small"),
    (["--label=3", "--config.dataset.name=cifar10"], "no images of label 3 in data/cifar10-8; run: python -m wcgan_tf"),
    (["--label=cat", "--config.dataset.name=cifar10"], "there is no data/cifar10-8/dataset.json; run: python -m wcgan"),
]


CONFIG_FILES = {
    "broken.py": "def get_config():\n    return 1 / 0\n",
    "leaving.py": "raise SystemExit(0)\n",
    "other_key.py": "def get_config():\n    return {}['width']\n",
    "wrong_value.py": "from wcgan_tf.config import Config, Train\n\n"
    "def get_config():\n    return Config(train=Train(batch_size=1))\n",
    "empty.py": "",
}


@pytest.mark.parametrize(
    ("arguments", "words"), WRONG, ids=[" ".join(arguments) or "nothing" for arguments, _ in WRONG]
)
def test_wrong_input_is_one_line(tmp_path, arguments, words):
    for name, text in CONFIG_FILES.items():
        (tmp_path / name).write_text(text)
    done = run("train", *arguments, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert words in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr.strip().isprintable()
    assert done.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} == CONFIG_FILES.keys()


def test_the_config_file_may_come_last(tmp_path):
    config = "from wcgan_tf.config import default_config as get_config\n"
    (tmp_path / "mine.py").write_text(config)
    arguments = ["--label=99", "--config.train.seed=4", "--config", "mine.py"]
    done = run("train", *arguments, folder=tmp_path, check=False)
    assert done.stderr == "error: digits has no label 99; type 0 to 9\n"


def test_a_missing_device_is_also_recorded_in_the_labels_folder(tmp_path):
    """Only TensorFlow can tell; by then the process holds the label's folder, and records the error there."""
    done = run("train", "--label=3", "--config.train.device=gpu", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith("error: train.device is gpu, but TensorFlow sees none")
    assert done.stderr.count("\n") == 1
    paths = LabelPaths(tmp_path / "runs/digits/labels/00003")
    assert label_status.read(paths.status).state == "failed"
    assert label_status.read(paths.status).error.startswith("train.device is gpu, but TensorFlow sees none")
    assert paths.log.read_text() == done.stderr


LAUNCH = [
    (["--jobs=0"], "--jobs=0"),
    (["--labels=3,12"], "there is no label '12'; the labels are 0 to 9"),
    (["--labels=cat"], "there is no label 'cat'"),
    (["--labels=  "], "--labels is given, but names no label"),
    (["--config.dataset.name=cifar10"], "there is no data/cifar10-8/dataset.json; run: python -m wcgan_tf.prepare"),
]


@pytest.mark.parametrize(("arguments", "words"), LAUNCH, ids=[" ".join(arguments) for arguments, _ in LAUNCH])
def test_wrong_input_of_the_launcher_is_one_line(tmp_path, arguments, words):
    done = run("launch", *arguments, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert words in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    done = run("train", "--label=3", "--workdir=run", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith("error: run/labels/00003: Not a directory")
    assert done.stderr.count("\n") == 1


def test_an_unwritable_folder_is_named(tmp_path):
    """Root may write anywhere but in /proc."""
    done = run("train", "--label=3", "--workdir=/proc/run", folder=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: /proc/run")
    assert done.stderr.count("\n") == 1


@pytest.fixture(params=["8k", "1m"])
def full_disk(request, tmp_path):
    """A folder on a file system of this size."""
    with file_system(tmp_path / "disk", request.param) as folder:
        yield folder


def test_a_full_disk_is_one_line(tmp_path, full_disk):
    """The smaller one is full before the first step, the larger one at the first checkpoint."""
    budget = ["--config.train.max_seconds=0", "--config.train.max_steps=20"]
    done = run("train", "--label=3", f"--workdir={full_disk}/run", *budget, folder=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "no space is left on the device" in done.stderr


def test_a_full_disk_is_said_of_each_label(tmp_path, full_disk):
    """On the smaller one the second label cannot write its log."""
    budget = ["--config.train.max_seconds=0", "--config.train.max_steps=20"]
    labels = ["--labels=3,5", "--jobs=1", f"--workdir={full_disk}/run"]
    done = run("launch", *labels, *budget, folder=tmp_path, check=False)
    assert done.returncode == 1
    ends = done.stdout.split("the last lines of ")[1:]
    assert len(ends) == 2
    for end in ends:
        assert "no space is left on the device" in end


@pytest.mark.parametrize("program", ["prepare", "train", "launch", "status", "combine", "sample", "evaluate", "report"])
def test_help_shows_the_command_and_its_flags(tmp_path, program):
    done = run(program, "--help", folder=tmp_path)
    assert f"python -m wcgan_tf.{program}" in done.stdout
    own, _, settings = done.stdout.partition("settings, with the defaults")
    assert "--config:" in own
    assert "Config(" not in own
    assert settings.count("--config.") > 30


def test_without_slurm_submit_says_what_to_type_instead(tmp_path):
    (tmp_path / "bin").mkdir()
    for program in ("bash", "dirname"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program))
    submit = Path(__file__).parent.parent / "slurm/submit.sh"
    environment = {**os.environ, "PATH": str(tmp_path / "bin"), "PYTHON": sys.executable}
    done = subprocess.run(["bash", submit], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    expected = r"error: there is no Slurm here \(no sbatch\); on one machine type: \S*/python -m wcgan_tf.launch\n"
    assert re.fullmatch(expected, done.stderr)


def test_a_config_file_may_be_typed_without_its_ending(tmp_path):
    (tmp_path / "mine.py").write_text("from wcgan_tf.config import default_config as get_config\n")
    done = run("status", "--config=mine", folder=tmp_path)
    assert "runs/mine: 10 labels: 10 pending" in done.stdout
    (tmp_path / "mine.py").rename(tmp_path / "mine.v2.py")
    assert "runs/mine.v2: 10 labels" in run("status", "--config=mine.v2", folder=tmp_path).stdout
    done = run("status", "--config=Cifar-10", folder=tmp_path, check=False)
    assert "there is no config file 'Cifar-10'; did you mean --config=cifar10?" in done.stderr


def test_colours_go_to_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in run("status", folder=tmp_path, fresh=True).stdout


def test_slurms_script_needs_no_activation(tmp_path):
    """It takes the environment that `make` has made beside it, and says what to type if there is none."""
    scripts = Path(__file__).parent.parent / "slurm"
    shutil.copytree(scripts, tmp_path / "slurm")
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    environment["PATH"] = "/usr/bin:/bin"
    command = ["bash", tmp_path / "slurm/submit.sh"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert re.match(
        r"error: .* this is what python says; activate the environment of wcgan_tf, or type: PYTHON=", done.stderr
    )
    (tmp_path / ".venv/bin").mkdir(parents=True)
    own = tmp_path / ".venv/bin/python"
    own.write_text(f"#!/bin/sh\necho own >> {tmp_path}/asked\nexit 0\n")
    own.chmod(0o755)
    subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False)
    assert (tmp_path / "asked").read_text().startswith("own\n")


def test_hints_name_the_interpreter_that_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = run(
        "train",
        "--label=3",
        "--config.dataset.data_dir=nowhere",
        "--config.dataset.name=mnist",
        folder=tmp_path,
        check=False,
        fresh=True,
    )
    assert f"run: {sys.executable} -m wcgan_tf.prepare" in done.stderr
    (tmp_path / ".venv").symlink_to(sys.prefix)
    own = subprocess.run(
        [".venv/bin/python", "-m", "wcgan_tf.combine"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "run: .venv/bin/python -m wcgan_tf." in own.stderr


def test_tensorflow_is_imported_without_pandas_and_matplotlib():
    """They can be imported afterwards."""
    code = """
import sys
from wcgan_tf import cli
from wcgan_tf.core.process import quiet_imports
with quiet_imports():
    import tensorflow
assert not {"matplotlib", "pandas", "sklearn"} & set(sys.modules)
import matplotlib.figure, sklearn.neighbors
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_tilde_is_the_home_folder_in_every_path(monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / "mine.py").write_text(
        "from wcgan_tf.config import default_config\n\n\n"
        "def get_config():\n    config = default_config()\n    config.dataset.data_dir = '~/data'\n    return config\n"
    )
    done = run("prepare", "--config=~/mine.py", "--labels=3", folder=tmp_path, fresh=True)
    assert f"images in {home}/data/digits-8" in done.stdout
    done = run("status", "--workdir=~/runs/none", folder=tmp_path, fresh=True, check=False)
    assert f"{home}/runs/none" in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_the_home_folder_of_nobody_is_an_error(tmp_path):
    done = run("train", "--label=3", "--workdir=~nobody-of-this-name/run", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "the path '~nobody-of-this-name/run' names the home folder of a user that there is not" in done.stderr


def test_a_notebooks_matplotlib_and_a_home_that_cannot_be_written_change_nothing(monkeypatch, whole, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("HOME", "/proc")
    for variable in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    done = run("report", folder=whole, fresh=True)
    assert done.stdout.startswith("look at runs/digits/report.html")
    assert done.stderr == ""


def test_another_backend_of_keras_changes_nothing(monkeypatch, tmp_path):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras/keras.json").write_text('{"backend": "torch", "floatx": "float64"}')
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    done = run("train", "--label=3", *STEPS, folder=tmp_path, fresh=True)
    assert "label 3: done after 20 steps" in done.stdout
    assert ", float32, " in done.stdout


def test_a_program_run_in_a_notebook_leaves_the_kernel_alive(tmp_path):
    kernel = """
import builtins, runpy, sys
builtins.__IPYTHON__ = True
sys.argv = ["status", "--workdir=nowhere"]
try:
    runpy.run_module("wcgan_tf.status", run_name="__main__")
except SystemExit as error:
    print("exit code", error.code)
print("alive")
"""
    done = subprocess.run([sys.executable, "-c", kernel], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-2:] == [f"exit code {errors.DONE}", "alive"]
    done = subprocess.run(
        [sys.executable, "-c", kernel.replace('"--workdir=nowhere"', '"--help"')],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "alive"


def test_letters_that_the_terminal_has_not_are_escaped(monkeypatch, tmp_path):
    """In messages and in the table of `status`; the log has them as they are."""
    for index in range(10):
        path = tmp_path / f"photos/train/schön/{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (index, 0, 0)).save(path)
    photos = ["--config.dataset.name=photos", "--config.dataset.root=photos"]
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    run("prepare", *photos, folder=tmp_path, fresh=True)
    done = run("train", "--label=schön", *photos, *STEPS, folder=tmp_path, fresh=True)
    assert "done after 20 steps" in done.stdout
    done = run("status", *photos, folder=tmp_path, fresh=True)
    assert "sch\\xf6n" in done.stdout


def test_the_package_itself_lists_its_programs(tmp_path):
    shown = run_python("-m", "wcgan_tf", folder=tmp_path).stdout
    programs = re.findall(r"^    (\w+) +\S.*\.$", shown, re.MULTILINE)
    assert len(programs) == 12
    assert all(run(program, "--help", folder=tmp_path).returncode == errors.DONE for program in programs[:2])
    done = run_python("-m", "wcgan_tf", "train", "--label=3", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr == "error: wcgan_tf is no program; type: python -m wcgan_tf.train\n"
