"""The folders: imports go up only, programs import no programs, and importing does nothing."""

import ast
import configparser
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wcgan_tf

PACKAGE = Path(wcgan_tf.__file__).parent
FOLDERS = (
    *("core", "config", "data", "models", "runs", "combined"),
    *("evaluation", "launching", "training", "reporting", "cli"),
)
PROGRAMS = (
    "prepare",
    "pretrain",
    "train",
    "launch",
    "status",
    "combine",
    "sample",
    "evaluate",
    "report",
    "pipeline",
    "serve_demo",
    "slurm",
)


def module(path: Path) -> str:
    """`core.files` of `core/files.py`, `core` of `core/__init__.py`."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


FILES = {module(path): path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}


def imported(name: str) -> set[str]:
    """The modules of the package that a module imports, anywhere in its file."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        assert not getattr(node, "level", 0), f"{name} has a relative import, which is not seen here"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wcgan_tf":
            start = node.module.removeprefix("wcgan_tf").removeprefix(".")
            paths = [f"{start}.{alias.name}".removeprefix(".") for alias in node.names]
            found |= {path if path in FILES else start for path in paths}
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("wcgan_tf.") for alias in node.names if "wcgan_tf." in alias.name}
    return found - {""}


def floor(name: str) -> int:
    """The index of a module's folder in FOLDERS; programs come last."""
    folder = name.split(".")[0]
    return FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS)


def test_every_file_is_in_a_known_folder():
    top = {name.split(".")[0] for name in FILES}
    assert top == {*FOLDERS, *PROGRAMS, "__main__"}


def test_every_folder_is_installed():
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg")
    installed = setup["options"]["packages"].split()
    folders = {f"wcgan_tf.{folder}" for folder in FOLDERS if (PACKAGE / folder).is_dir()}
    assert set(installed) == {"wcgan_tf", *folders, "wcgan_tf.configs", "wcgan_tf.slurm_scripts"}


def test_the_map_names_every_folder_in_order():
    folders = [folder for folder in FOLDERS if (PACKAGE / folder).is_dir()]
    assert re.findall(r"^    (\w+)/ ", wcgan_tf.__doc__, re.MULTILINE) == folders


@pytest.mark.parametrize("name", FILES)
def test_imports_go_up_only(name):
    for other in imported(name):
        same = other.split(".")[0] == name.split(".")[0]
        assert same or floor(other) < floor(name) or floor(name) == len(FOLDERS), f"{name} imports {other}"


def test_imports_have_no_cycle():
    graphlib.TopologicalSorter({name: imported(name) for name in FILES}).prepare()


def test_a_program_imports_no_program():
    for program in PROGRAMS:
        assert not imported(program) & set(PROGRAMS)


def test_the_tests_mirror_the_folders():
    tests = Path(__file__).parent
    for path in set(tests.glob("*/test_*.py")) - set(tests.glob("faults/*")):
        name = f"{path.parent.name}.{path.stem.removeprefix('test_')}"
        assert name in FILES or name == "models.models"


def test_training_does_not_import_tf_gan():
    known, waiting = set(), {"train"}
    while waiting:
        known |= waiting
        waiting = set().union(*(imported(name) for name in waiting)) - known
    assert {"training.trainer", "training.best_weights", "evaluation.domain_classifier"} <= known
    assert not known & {"evaluation.tfgan", "evaluation.scores", "evaluation.classifiers"}


def test_importing_a_program_does_not_import_tensorflow():
    code = "import sys, wcgan_tf.prepare, wcgan_tf.train, wcgan_tf.launch; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_does_nothing(tmp_path):
    code = f"""
import importlib, sys
from absl import flags
import keras
from tensorflow.python.eager import context
before = set(flags.FLAGS)
for module in {list(FILES)}:
    importlib.import_module("wcgan_tf." + module)
assert set(flags.FLAGS) == before, "a flag was defined"
assert not context.context()._initialized, "the runtime was started"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())
