"""Installed from a wheel, in an empty folder: the configs and Slurm's scripts are there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import STEPS

from wcgan_tf.core import errors

PROJECT = Path(__file__).parent.parent
BUILT_FROM = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "wcgan_tf", "configs", "slurm")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as `pip install` of its wheel leaves it; the other packages are those of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for name in BUILT_FROM:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, folder / "source"], check=True)
    wheel = next(folder.glob("*.whl"))
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", folder / "site", wheel], check=True)
    return folder / "site"


@pytest.fixture
def run(installed, tmp_path):
    def run(program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", f"wcgan_tf.{program}", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done

    return run


def test_the_chain_runs_in_an_empty_folder(run, tmp_path):
    assert "stale" in run("status", "--help").stdout
    some = ["--config=digits", *STEPS]
    run("prepare", *some)
    done = run("launch", "--labels=3", *some)
    assert str(PROJECT) not in done.stdout
    run("combine", "--partial", "--config=digits")
    run("report", "--config=digits")
    run("sample", "--config=digits", "--num=2")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"data", "runs", "saved_models", "samples.png"}
    assert (tmp_path / "runs/digits/report.html").exists()


def test_every_config_is_known_by_its_name(run):
    done = run("status", "--config=nothing", check=False)
    assert done.returncode == errors.WRONG_INPUT
    names = sorted(path.stem for path in (PROJECT / "configs").glob("*.py"))
    assert done.stderr.endswith(f"the ones at hand are {', '.join(names)}\n")
    done = run("status", "--config=configs/cifar10.py", check=False)
    assert (
        "there is no config file 'configs/cifar10.py'; did you mean --config=cifar10?; the ones at hand" in done.stderr
    )
    done = run("train", "--config=photos", "--label=3", check=False)
    assert "no images of label 3 in data/photos-64; run: python -m wcgan_tf.prepare --config=photos" in done.stderr


def test_slurms_scripts_are_submitted_and_written(run, tmp_path):
    shown = run("slurm", "--help").stdout
    assert "  python -m wcgan_tf.slurm --config cifar10 -- --gpus-per-task=1 --time=4:00:00\n" in shown
    assert "shellcheck" not in shown
    assert re.search(r"--at-once N +at most N elements run at a time", shown)
    written = run("slurm", "--write", "mine").stdout
    assert "type: mine/submit.sh --help" in written
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        path.name for path in (PROJECT / "slurm").iterdir() if path.is_file()
    }
    assert os.access(tmp_path / "mine/submit.sh", os.X_OK)
    again = run("slurm", "--write=mine", check=False)
    assert again.returncode == errors.WRONG_INPUT
    assert again.stderr == "error: mine/evaluate.sbatch is there already; name another folder, as in --write my_slurm\n"
    refused = run("slurm", "--write", "--config", check=False)
    assert refused.stderr == "error: --write wants a folder, not --config; type --write slurm\n"
    refused = run("slurm", "--lable=3", check=False)
    assert refused.returncode == errors.WRONG_INPUT
    assert refused.stderr.startswith("error: --lable=3 is not understood; type python -m wcgan_tf.slurm --help")
