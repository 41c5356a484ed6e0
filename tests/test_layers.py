"""The rooms: imports go up only, programs do not know each other, and importing does nothing."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wcgan_tf

PACKAGE = Path(wcgan_tf.__file__).parent
PROGRAMS = ["prepare", "train", "launch", "status", "combine", "sample", "evaluate", "report", "pipeline", "serve_demo"]
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def rooms() -> dict[str, int]:
    """Each module's floor, read from the map in the package's docstring."""
    lines = wcgan_tf.__doc__.split("(tests/test_layers.py):")[1].split("Importing")[0].split("\n")
    floors = [re.split(r" {3,}", line.strip())[0].split() for line in lines if line.strip()]
    return {module: floor for floor, modules in enumerate(floors) for module in modules}


def imported(path: Path) -> set[str]:
    """The rooms of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wcgan_tf":
            parts = node.module.split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("wcgan_tf.")}
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_the_map_names_every_module():
    assert rooms().keys() == {room(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_up_only(path):
    floors = rooms()
    for other in imported(path) - {room(path)}:
        assert floors[other] < floors[room(path)], f"{path.name} imports {other}"


def test_a_program_imports_no_program():
    for program in PROGRAMS:
        assert not imported(PACKAGE / f"{program}.py") & set(PROGRAMS)


def test_a_trainer_knows_nothing_of_tf_gan():
    known, waiting = set(), {"train"}
    while waiting:
        known |= waiting
        waiting = set().union(*(imported(path) for path in FILES if room(path) in waiting)) - known
    assert {"training", "best", "domain"} <= known
    assert not known & {"tfgan", "scoring", "classifiers"}


def test_settings_flags_labels_and_folders_of_images_need_no_tensorflow():
    code = "import sys, wcgan_tf.prepare, wcgan_tf.train, wcgan_tf.launch; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_does_nothing(tmp_path):
    modules = [".".join(["wcgan_tf", *path.relative_to(PACKAGE).with_suffix("").parts]) for path in FILES]
    code = f"""
import importlib, sys
from absl import flags
import keras
from tensorflow.python.eager import context
before = set(flags.FLAGS)
for module in {modules}:
    importlib.import_module(module)
assert set(flags.FLAGS) == before, "a flag was defined"
assert not context.context()._initialized, "the runtime was started"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())
