"""Wrong input: one line, an exit code that is not 0, no traceback, nothing written."""

import pytest
from conftest import run

WRONG = [
    (
        ["--label=3", "--config.train.batchsize=4"],
        "there is no setting train.batchsize; did you mean train.batch_size?",
    ),
    (["--label=3", "--config.trian.seed=4"], "there is no setting trian.seed; did you mean train.seed?"),
    (["--label=3", "--config.train.batch_size=many"], "--config.train.batch_size=many"),
    (["--label=3", "--config.train.batch_size=1.5"], "--config.train.batch_size=1.5"),
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
    (["--label=3", "--workdir=broken.py"], "broken.py/labels/00003: Not a directory"),
    (["--label=3", "--config.train.device=gpu"], "train.device is gpu, but TensorFlow sees none"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), WRONG, ids=[" ".join(arguments) or "nothing" for arguments, _ in WRONG]
)
def test_wrong_input_is_one_line(tmp_path, arguments, words):
    (tmp_path / "broken.py").write_text("def get_config():\n    return 1 / 0\n")
    done = run("train", *arguments, folder=tmp_path, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["broken.py"]


@pytest.mark.parametrize("program", ["prepare", "train", "launch", "combine", "evaluate", "report"])
def test_help_shows_how_to_use_it(tmp_path, program):
    done = run(program, "--help", folder=tmp_path, check=False)
    assert f"python -m wcgan_tf.{program}" in done.stdout
    assert "--config:" in done.stdout
