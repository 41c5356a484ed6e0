"""The names of files and folders that come from a label or its name."""

import os
from pathlib import Path

import pytest

from wcgan_tf.core.paths import DatasetPaths, LabelPaths, RunPaths


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("cat", "cat"),
        ("great grey owl, Strix nebulosa", "great_grey_owl_Strix_nebulosa"),
        ("../../etc", "etc"),
        ("generator", "generator_"),
        ("lock", "lock_"),
        ("config.json", "config_json"),
        ("...", "label"),
        ("猫", "猫"),
        ("x" * 300, "x" * 40),
    ],
)
def test_the_tensorboard_folder_is_named_after_the_label_and_stays_inside(tmp_path, name, folder):
    paths = LabelPaths(tmp_path)
    assert paths.tensorboard(name) == tmp_path / folder
    paths.tensorboard(name).mkdir()


def test_label_folders_sort_by_number(tmp_path):
    run = RunPaths(tmp_path)
    for label in (2, 10, 999):
        run.label(label).folder.mkdir(parents=True)
    assert run.labels() == [2, 10, 999]
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["00002", "00010", "00999"]


def test_a_read_only_data_set_is_scored_in_a_folder_of_its_own(tmp_path, monkeypatch):
    paths = DatasetPaths(tmp_path / "shared/photos-64")
    assert paths.scoring == paths.folder  # not there yet
    paths.folder.mkdir(parents=True)
    assert paths.classifier("d").is_relative_to(paths.folder)
    monkeypatch.setattr(os, "access", lambda path, mode: path != paths.folder)
    assert paths.scoring == Path("scoring/photos-64")
    assert paths.features("d", "test", 3) == Path("scoring/photos-64/features/d/test/00003.npz")
    paths.images("train", 3).parent.mkdir()
    (paths.folder / "classifiers").mkdir()
    (paths.folder / "classifiers/domain.json").touch()
    assert paths.domain == paths.folder / "classifiers/domain.json"  # whoever prepared it has scored something
