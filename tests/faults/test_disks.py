"""Disks that fill while a label trains, and folders that are deleted under it."""

import shutil
from pathlib import Path

import cases
import pytest
from conftest import ENDLESS, PATIENCE_SECONDS, SMALL, file_system, run, trained, wait_until

from wcgan_tf.core import errors
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.runs import label_status

SOON = ["--config.train.checkpoint_seconds=1"]


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 4 MB."""
    with file_system(tmp_path / "disk", "4m") as folder:
        yield folder


def fill(disk: Path) -> Path:
    """Write a file that takes all that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return filler


def test_a_disk_that_fills_between_two_checkpoints_costs_the_steps_since_the_first(
    whole_chain, tmp_path, small_disk, begin
):
    trained(whole_chain[0], tmp_path)
    label = RunPaths(small_disk / "run").label(3)
    workdir = f"--workdir={small_disk}/run"
    process = begin("train", "--label=3", workdir, *ENDLESS, *SOON, folder=tmp_path, stdout=-1, stderr=-1)
    wait_until(label.saved_checkpoints, "a checkpoint", process)
    filler = fill(small_disk)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == errors.FAILED
    assert said.count("\n") == 1, said
    assert "no space is left on the device" in said
    before = max(int(path.name.removeprefix("ckpt-")) for path in label.saved_checkpoints())
    filler.unlink()
    steps = [*SMALL, f"--config.train.max_steps={before + 20}"]
    resumed = run("train", "--label=3", workdir, *steps, folder=tmp_path).stdout
    assert f"resumes from step {before}" in resumed
    run("train", "--label=3", "--workdir=undisturbed", *steps, folder=tmp_path)
    undisturbed = RunPaths(tmp_path / "undisturbed").label(3).generator
    assert cases.weights(label.generator) == cases.weights(undisturbed)
    assert not cases.leftovers(label.folder)


def test_a_folder_that_is_deleted_while_its_label_trains_ends_it_with_one_line(whole_chain, tmp_path, begin):
    trained(whole_chain[0], tmp_path)
    label = RunPaths(tmp_path / "runs/digits").label(3)
    process = begin("train", "--label=3", *ENDLESS, *SOON, folder=tmp_path, stdout=-1, stderr=-1)
    wait_until(lambda: label_status.read(label.status).step > 0, "a step", process)
    shutil.rmtree(label.folder)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in (errors.FAILED, errors.WRONG_INPUT)
    assert said.count("\n") == 1, said
    assert said.startswith("error: ")
    run("train", "--label=3", *SMALL, "--config.train.max_steps=20", folder=tmp_path)
    assert label_status.read(label.status).state == "done"
