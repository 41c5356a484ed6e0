"""The names of files, where they come from what a user calls a label."""

import pytest

from wcgan_tf.core.paths import LabelPaths, RunPaths


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
def test_tensorboard_calls_a_label_by_its_name_and_never_leaves_its_folder(tmp_path, name, folder):
    paths = LabelPaths(tmp_path)
    assert paths.tensorboard(name) == tmp_path / folder
    paths.tensorboard(name).mkdir()


def test_labels_sort_as_text(tmp_path):
    run = RunPaths(tmp_path)
    for label in (2, 10, 999):
        run.label(label).folder.mkdir(parents=True)
    assert run.labels() == [2, 10, 999]
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["00002", "00010", "00999"]
