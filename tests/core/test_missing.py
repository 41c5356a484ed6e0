"""A package that is missing, or another environment's, is one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wcgan_tf.core import missing

PROJECT = Path(__file__).parent.parent.parent


def run(*words, **environment) -> subprocess.CompletedProcess:
    """Run Python in this project's folder, where it finds the package without an installation."""
    command, variables = [sys.executable, *words], {**os.environ, **environment}
    return subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, check=False)


def test_a_python_without_the_packages_is_named_and_the_way_out():
    done = run("-S", "-m", "wcgan_tf.train", "--label=3")
    assert done.returncode != 0
    assert done.stderr.startswith(
        f"error: No module named 'absl': wcgan_tf is not installed for {sys.executable}; type: "
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["numpy", "tensorflow"])
def test_a_package_that_pythonpath_puts_first_is_named(tmp_path, name):
    """Before the program's own errors are handled, and while it runs."""
    (tmp_path / f"{name}.py").write_text("raise ImportError('built for another Python')")
    folder = f"--workdir={tmp_path / 'run'}"
    done = run("-m", "wcgan_tf.train", "--label=3", folder, PYTHONPATH=f"{tmp_path}:{PROJECT}")
    assert done.returncode != 0
    assert f"ImportError: built for another Python; PYTHONPATH has {tmp_path}, whose packages come" in done.stderr
    assert done.stderr.endswith("type: unset PYTHONPATH\n")
    assert done.stderr.count("\n") == 1


def test_a_folder_of_pythonpath_may_be_relative(tmp_path):
    (tmp_path / "numpy.py").write_text("import nope")
    relative = os.path.relpath(tmp_path, PROJECT)
    done = run("-m", "wcgan_tf.train", "--label=3", PYTHONPATH=relative)
    assert f"No module named 'nope'; PYTHONPATH has {PROJECT / relative}, whose packages" in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [("absl/__init__", ""), ("numpy", "x = 1"), ("keras", "def ("), ("tensorflow", ""), ("rich/__init__", "")],
)
def test_a_package_that_is_not_what_it_should_be_is_named(tmp_path, name, text):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / f"{name}.py").write_text(text)
    folder = f"--workdir={tmp_path / 'run'}"
    done = run("-m", "wcgan_tf.train", "--label=3", folder, PYTHONPATH=f"{tmp_path}:{PROJECT}")
    assert done.returncode != 0
    assert f"; PYTHONPATH has {tmp_path}, whose packages come before this environment's; type: unset" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_hides_pythons_own_module_is_named(tmp_path):
    (tmp_path / "numbers.py").write_text("def get_config(): ...")
    command = [sys.executable, "-m", "wcgan_tf.status"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "; numbers.py in this folder hides Python's own module of that name: rename it\n" in done.stderr
    assert done.stderr.count("\n") == 1


def test_other_errors_are_shown_as_ever():
    assert missing.hint(ValueError("x")) == ""
    done = run("-m", "wcgan_tf.nothing")
    assert "No module named wcgan_tf.nothing" in done.stderr
