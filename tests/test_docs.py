"""README and docs are true: every command runs, every link has a target, every setting exists."""

import contextlib
import itertools
import json
import re
import shlex
import shutil
import subprocess
import urllib.request
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from conftest import CHAIN, SMALL, STEPS, run, run_python, wait_until

from wcgan_tf import config
from wcgan_tf.core import errors
from wcgan_tf.evaluation import classifiers, domain_classifier

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
ELSEWHERE = {  # commands run elsewhere, and where
    r"make (demo|test)$": ".ci/run; tests below",
    r"(sudo apt-get|pip|python3 -m venv|\.venv/bin/)": "Makefile",
    r"((sudo |eval .*)?slurm/|python -m wcgan_tf\.slurm)": "tests/test_slurm.py",
    r"python benchmarks/": "tests/test_benchmarks.py",
    r"(docker|curl|saved_model_cli) ": "tests/test_serving.py",
    r".*--classifier[ =]inception": "tests/evaluation/test_classifiers.py",
    r"python -m wcgan_tf\.serve_demo": "tests/test_browser.py",
    r"python -m wcgan_tf\.train --label auto": "tests/test_launch.py",
    r"python -m wcgan_tf\.launch .*--per_gpu": "tests/test_launch.py",
    r"tensorboard ": "below",
}
RESOLUTION = "--config.dataset.resolution=8"
QUICK = [*SMALL, RESOLUTION, "--config.train.max_steps=4"]
QUICK += ["--config.evaluate.num_per_label=10", "--config.evaluate.accuracy=false"]
SETTINGS = {
    "prepare",
    "pretrain",
    "train",
    "launch",
    "combine",
    "evaluate",
    "report",
    "pipeline",
}  # programs that get QUICK
MANY = r"--num \d{4,}"  # images: fewer are enough here


def commands(page: Path) -> list[str]:
    """The command lines in a page's blocks, without comments, and in its sentences."""
    text = page.read_text()
    fenced = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in fenced for line in block.splitlines()]
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines += [line for line in text.splitlines() if line.startswith("    ")]
    lines += re.findall(r"`(python -m [^`]*)`", text)
    found = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    begins = r"(python3? |make |slurm/|sudo |eval |cp |tensorboard |pip |docker |curl |saved_model_cli |\.venv/)"
    return [line for line in found if re.match(begins, line)]


def elsewhere(command: str) -> bool:
    return any(re.match(pattern, command) for pattern in ELSEWHERE)


def photos(folder: Path, names: list[str], side: int) -> None:
    """Write images of each name in a colour of its own."""
    random = np.random.default_rng(0)
    for place, (split, number) in itertools.product(range(len(names)), (("train", 55), ("val", 10))):
        inside = folder / split / names[place]
        inside.mkdir(parents=True)
        for index in range(number):
            noise = random.integers(0, 120, [side, side, 3]) + [120 * (place == channel) for channel in range(3)]
            PIL.Image.fromarray(noise.astype(np.uint8)).save(inside / f"{index}.png")


@pytest.fixture(scope="module")
def world(whole_chain, tmp_path_factory):
    """A folder after `make demo`, with two labels each of `cifar10`, `cifar100` and `photos`, and no configs."""
    folder = tmp_path_factory.mktemp("docs") / "empty"
    shutil.copytree(whole_chain[0], folder)
    photos(folder / "cifar10", ["automobile", "cat"], 32)
    photos(folder / "cifar100", ["apple", "worm"], 32)
    photos(folder / "photos", ["frog", "koala"], 64)
    for name in ("cifar10", "cifar100", "photos"):
        run("prepare", f"--config={name}", f"--config.dataset.root={name}", RESOLUTION, folder=folder)
        train_classifier(folder, name)
    return folder


def train_classifier(folder: Path, name: str) -> None:
    """Train the domain classifier of a data set on one batch."""
    settings = config.photo_config()
    settings.dataset.name, settings.dataset.data_dir = name, str(folder / "data")
    settings.dataset.resolution = 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain_classifier, "training_images_seen", lambda number: domain_classifier.BATCH_SIZE)
        classifiers.load("domain", settings.dataset, lambda _: None)


def test_every_command_runs(world):
    """In order, page by page in one clone, as a reader types them; on little data, for few steps."""
    for command in dict.fromkeys(command for page in PAGES for command in commands(page)):
        if elsewhere(command):
            continue
        words = shlex.split(re.sub(MANY, "--num 40", command))
        if words[0] != "python":
            subprocess.run(words, cwd=world, check=True)
            continue
        program = words[2].removeprefix("wcgan_tf.")
        words += QUICK if program in SETTINGS and "--config " in command else CHAIN if program in SETTINGS else []
        if program in ("launch", "pipeline") and "--config " in command:
            place = words.index("--config")
            settings = [*words[place : place + 2], *(word for word in words if word.startswith("--config."))]
            run("prepare", *settings, folder=world)
            run("train", "--label=0,1", *settings, folder=world)  # in one process, which traces the step once
        replaces = program == "sample" or command == "python -m wcgan_tf.combine"
        run(program, *words[3:], *(["--overwrite"] if replaces else []), folder=world)


def test_most_commands_are_run_here():
    """ELSEWHERE does not match commands that should run here."""
    here = [command for page in PAGES for command in commands(page) if not elsewhere(command)]
    programs = {command.split()[2] for command in here if command.startswith("python")}
    wanted = {"prepare", "launch", "status", "combine", "report", "sample", "pipeline"}
    assert programs >= {f"wcgan_tf.{program}" for program in wanted}
    assert len(here) > 20
    files = {file for places in ELSEWHERE.values() for file in re.findall(r"tests/[\w/]+\.py", places)}
    assert len(files) >= 5
    assert all((PROJECT / file).is_file() for file in files)


def test_every_benchmark_that_is_named_is_run():
    named = {name for page in PAGES for name in re.findall(r"benchmarks/([\w/]+\.py)", page.read_text())}
    assert len(named) >= 6
    tests = "".join((PROJECT / f"tests/{name}.py").read_text() for name in ("test_benchmarks", "test_slurm"))
    assert not [name for name in named if f"benchmarks/{name}" not in tests]


def test_make_demo_runs_the_pipeline():
    recipe = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "demo"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert recipe.splitlines()[-1] == ".venv/bin/python -m wcgan_tf.pipeline"


@pytest.mark.parametrize("earlier", [False, True])
def test_an_unsupported_python_is_refused_in_one_line_and_leaves_nothing(tmp_path, earlier):
    """Also the one of an environment that an earlier `make` left."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path)
    old = tmp_path / (".venv/bin/python" if earlier else "python3.9")
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(["make", "demo", "PYTHON=./python3.9"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    name = ".venv/bin/python" if earlier else "./python3.9"
    assert done.stderr.splitlines()[0] == (
        f"error: {name} is no Python 3.10 to 3.13; type: rm -rf .venv; make demo PYTHON=python3.12"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_tensorboard_shows_the_labels_by_their_names(whole_chain, tensorboard):
    address, process = tensorboard(whole_chain[0] / "runs/digits")

    def runs() -> set[str]:
        with contextlib.suppress(OSError):  # it does not listen yet
            return set(json.load(urllib.request.urlopen(f"{address}/data/runs")))
        return set()

    wanted = {"labels/00000/0", "labels/00009/9", "overview", "scores"}
    wait_until(lambda: runs() >= wanted, "the runs of all labels", process)
    body = {"experimentName": ""}
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{address}/data/plugin/hparams/experiment", json.dumps(body).encode(), headers)
    settings = json.load(urllib.request.urlopen(asked))["hparamInfos"]
    assert {"label", "train.batch_size"} <= {setting["name"] for setting in settings}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_has_a_target(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_exists(page):
    text = page.read_text()
    sections = "|".join(config.SECTIONS)
    named = set(re.findall(rf"--(?:no)?config\.((?:{sections})\.\w+)", text))
    named |= set(re.findall(rf"`((?:{sections})\.[a-z_]+)[`=]", text))
    for name in named - {"train.sbatch", "evaluate.sbatch", "dataset.json"}:
        config.check_name(name)


def test_every_flag_in_the_text_belongs_to_its_program():
    named = {
        (program, flag)
        for page in PAGES
        for program, arguments in re.findall(
            r"`(?:python -m wcgan_tf\.)?(prepare|launch|status|combine|sample|evaluate|report|pipeline) (--[^`]*)`",
            page.read_text(),
        )
        for flag in re.findall(r"--(?!config)([a-z_]+)", arguments)
    }
    assert len(named) >= 6
    for program in {program for program, _ in named}:
        source = (PROJECT / f"wcgan_tf/{program}.py").read_text()
        for flag in (flag for other, flag in named if other == program):
            plain = flag.removeprefix("no")
            assert re.search(rf'"({flag}|{plain})"', source) or flag in ("workdir", "model"), (program, flag)


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PROJECT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", ["docs/extending.md", "README.md"])
def test_the_config_of_the_page_loads(tmp_path, page):
    (tmp_path / "mine.py").write_text(python_blocks(page)[0])
    done = run("status", "--config=mine.py", "--config.dataset.tfds_dir=nowhere", folder=tmp_path, check=False)
    assert done.returncode in (errors.DONE, errors.WRONG_INPUT)
    assert "mine.py" not in done.stderr


def test_the_network_of_the_page_trains(tmp_path):
    """By `train` itself, with the page's networks in the table."""
    code = f"""
import sys
{python_blocks("docs/extending.md")[1]}
from wcgan_tf import cli, config, models, train
models.ARCHITECTURES["mine"] = (Generator, Critic)
declared = config.DECLARATIONS["model.architecture"]
config.DECLARATIONS["model.architecture"] = declared._replace(choices=(*declared.choices, "mine"))
sys.argv = ["train", "--label=3", "--config.model.architecture=mine", *{STEPS!r}]
cli.run(train.main, train.define_flags)
"""
    run_python("-c", code, folder=tmp_path)
    assert (tmp_path / "runs/digits/labels/00003/generator").is_dir()


def test_the_score_of_the_page_is_computed(tmp_path):
    space: dict = {}
    exec(python_blocks("docs/extending.md")[2], space)
    from wcgan_tf.evaluation.features import ImageFeatures
    from wcgan_tf.evaluation.scores import Sets

    features = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    labels, indices = np.zeros(500, np.int64), np.arange(500, dtype=np.uint64)
    own = ImageFeatures(features, features, labels, np.arange(500), indices)
    assert space["ROW"].together(Sets(own, own))["spread"] == pytest.approx(1.0, abs=0.1)
    assert space["ROW"].meanings.keys() == {"spread"}


def test_pictures_in_docs_are_used_and_under_3_mb():
    for picture in (PROJECT / "docs").glob("*.png"):
        assert picture.stat().st_size < 3e6, picture.name
        assert picture.name in "".join(page.read_text() for page in PAGES), f"{picture.name} is not used"
