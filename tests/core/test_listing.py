"""What is in a folder: a folder that cannot be listed is not an empty one."""

import ast
import errno
import os
from pathlib import Path

import pytest

import wcgan_tf
from wcgan_tf.core import listing, unfinished
from wcgan_tf.core.paths import LabelPaths, RunPaths

PACKAGE = Path(wcgan_tf.__file__).parent
OWN_FILES = {"__main__.py", "cli.py", "slurm.py", "core/missing.py", "combined/manifest.py"}  # and names in messages


def fail(monkeypatch, number: int) -> None:
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, refuse)


def test_what_matches_is_listed_in_order_and_a_missing_folder_has_nothing(tmp_path):
    for name in ("b.index", "a.index", "c.data", ".d.index"):
        (tmp_path / name).touch()
    assert [path.name for path in listing.matching(tmp_path, "*.index")] == [".d.index", "a.index", "b.index"]
    assert listing.matching(tmp_path / "none", "*") == []
    assert listing.matching(tmp_path / "c.data", "*") == []


def test_all_files_are_found_at_any_depth(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    files = {tmp_path / "one", tmp_path / "a/two", tmp_path / "a/b/.three"}
    for file in files:
        file.touch()
    assert set(listing.all_files(tmp_path)) == files
    assert list(listing.all_files(tmp_path / "none")) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch, number):
    label = LabelPaths(tmp_path / "label")
    label.checkpoints.mkdir(parents=True)
    label.checkpoint(5).with_suffix(".index").touch()
    (tmp_path / "labels/00003").mkdir(parents=True)
    assert (label.saved_checkpoints(), RunPaths(tmp_path).labels()) == ([label.checkpoint(5)], [3])
    fail(monkeypatch, number)
    for look in (label.saved_checkpoints, RunPaths(tmp_path).labels, lambda: list(listing.all_files(tmp_path))):
        with pytest.raises(OSError, match=r".") as error:
            look()
        assert error.value.errno == number


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_was_being_replaced_is_not_deleted_if_it_cannot_be_listed(tmp_path, monkeypatch, number):
    own = tmp_path / f"{unfinished.NAME}/{unfinished._host()}-aa"
    (own / "replaced/model").mkdir(parents=True)
    (own / "replaced/model/weights").touch()
    own.with_name(f"{own.name}{unfinished.ENDING}").touch()
    iterdir = Path.iterdir

    def refuse(folder):
        if folder.name == "replaced":
            raise OSError(number, os.strerror(number))
        return iterdir(folder)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        unfinished.clear(tmp_path)
    assert (own / "replaced/model/weights").exists()
    unfinished.clear(tmp_path)
    assert (tmp_path / "model/weights").exists()
    assert not own.parent.exists()


def test_nothing_is_listed_by_glob_which_hides_errors():
    calls = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("glob", "rglob")
    }
    assert calls == OWN_FILES
