"""Disks that fill, fail or are read-only, and folders that are deleted under a label."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import cases
import killing
import numpy as np
import pytest
from conftest import ENDLESS, PATIENCE_SECONDS, SMALL, STEPS, file_system, make_read_only, run, trained, wait_until

from wcgan_tf.core import errors
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.runs import label_status

# Programs that write to a disk: what they read is elsewhere, or was there before.
WRITERS = {
    "train": ["--label=3", "--workdir={}/run", *STEPS],
    "prepare": ["--config.dataset.data_dir={}/data"],
    "combine": ["--partial", "--output={}/models/digits"],
    "report": ["--workdir={}/digits"],
}
ROOM = 50_000  # bytes: less than `prepare`, `combine` and `report` write
READ_ONLY_CALLS = "mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat"
SOON = ["--config.train.checkpoint_seconds=1"]


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 4 MB."""
    with file_system(tmp_path / "disk", "4m") as folder:
        yield folder


def fill(disk: Path, but: int = 0) -> Path:
    """Write a file that takes all that is left, but so many bytes."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        file.truncate(file.tell() - but)
    return filler


@pytest.mark.parametrize("room", [0, 40_000], ids=["before", "in the middle of"])
def test_a_disk_that_is_full_at_a_checkpoint_costs_the_steps_since_the_last(
    whole_chain, tmp_path, small_disk, begin, room
):
    """A checkpoint has 75 kB."""
    trained(whole_chain[0], tmp_path)
    label = RunPaths(small_disk / "run").label(3)
    workdir = f"--workdir={small_disk}/run"
    process = begin("train", "--label=3", workdir, *ENDLESS, *SOON, folder=tmp_path, stdout=-1, stderr=-1)
    wait_until(label.saved_checkpoints, "a checkpoint", process)
    filler = fill(small_disk, but=room)
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
    shutil.rmtree(label.folder, ignore_errors=True)  # it may write there meanwhile
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode in (errors.FAILED, errors.WRONG_INPUT)
    assert said.count("\n") == 1, said
    assert said.startswith("error: ")
    run("train", "--label=3", *SMALL, "--config.train.max_steps=20", folder=tmp_path)
    assert label_status.read(label.status).state == "done"


@pytest.fixture
def begun(whole_chain, tmp_path, small_disk):
    """A folder with two labels and their model; a copy of the run is on the small disk."""
    folder = tmp_path / "begun"
    folder.mkdir()
    cases.combined(whole_chain[0], folder)
    shutil.copytree(folder / "runs/digits", small_disk / "digits")
    return folder


def words(program: str, disk: Path) -> list[str]:
    return [program, *(word.format(disk) for word in WRITERS[program])]


@pytest.mark.parametrize("program", ["prepare", "combine", "report"])
def test_a_disk_that_fills_while_a_program_writes_is_one_line(begun, small_disk, program):
    before = {path for path in small_disk.rglob("*") if path.is_file()}
    filler = fill(small_disk, but=ROOM)
    done = run(*words(program, small_disk), folder=begun, check=False)
    assert done.returncode == errors.FAILED
    assert done.stderr.count("\n") == 1, done.stderr
    assert "no space is left on the device; free some, and the same command resumes" in done.stderr
    assert all(path.exists() for path in before)
    filler.unlink()
    run(*words(program, small_disk), folder=begun)
    assert cases.not_whole(small_disk) == []
    assert cases.leftovers(small_disk) == []


@pytest.mark.parametrize("program", WRITERS)
def test_a_disk_that_is_read_only_is_one_line(begun, small_disk, program):
    make_read_only(small_disk)
    done = run(*words(program, small_disk), folder=begun, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.count("\n") == 1, done.stderr
    assert str(small_disk) in done.stderr
    assert "the file system is read-only; name another folder" in done.stderr


@pytest.mark.skipif(not killing.is_possible(), reason="needs strace")
@pytest.mark.parametrize("program", WRITERS)
def test_a_quota_that_is_used_up_is_one_line(begun, tmp_path, program):
    """As a file server tells it: when what was written has to reach it."""
    place = tmp_path / "disk"
    (place / "digits").parent.mkdir(exist_ok=True)
    if not (place / "digits").exists():
        shutil.copytree(begun / "runs/digits", place / "digits")
    own = words(program, place)
    failed, code, said = killing.fail("fsync", "EDQUOT", 2, [f"wcgan_tf.{own[0]}", *own[1:]], begun)
    assert failed
    assert code == errors.FAILED
    assert "the disk quota is used up; delete what is not needed, and the same command resumes" in said
    assert "Traceback" not in said
    assert "has no memory" not in said
    run(*own, folder=begun)
    assert cases.not_whole(place) == []
    assert cases.leftovers(place) == []


@pytest.mark.skipif(not killing.is_possible(), reason="needs strace")
def test_an_image_that_cannot_be_read_because_of_its_disk_is_not_left_out(tmp_path):
    cases.photographs(tmp_path, tmp_path)
    words = ["wcgan_tf.prepare", *cases.PHOTOS]
    failed, code, said = killing.fail("read", "EIO", 1, words, tmp_path, tmp_path / "photos/train/kind 1/3.png")
    assert failed
    assert code == errors.FAILED
    assert "error: photos/train/kind 1/3.png: the disk or the file server fails (input/output error)" in said
    run("prepare", *cases.PHOTOS, folder=tmp_path)
    assert [len(np.load(path)) for path in sorted(tmp_path.glob("data/photos-8/train/*.npy"))] == [6, 6, 6]


@pytest.mark.skipif(not killing.is_possible(), reason="needs strace")
def test_a_disk_that_becomes_read_only_while_a_label_trains_keeps_the_last_checkpoint(whole_chain, tmp_path, begin):
    """As the system mounts it after an error of the disk: whatever is open stays so, and no name changes."""
    trained(whole_chain[0], tmp_path)
    label = RunPaths(tmp_path / "runs/digits").label(3)
    process = begin("train", "--label=3", *ENDLESS, *SOON, folder=tmp_path, stdout=-1, stderr=-1)
    wait_until(label.saved_checkpoints, "a checkpoint", process)
    inject = ["-e", f"trace={READ_ONLY_CALLS}", "-e", f"inject={READ_ONLY_CALLS}:error=EROFS"]
    with subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", *inject, "-p", str(process.pid)]) as strace:
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
        strace.wait()
    assert process.returncode == errors.WRONG_INPUT
    assert said.count("\n") == 1, said
    assert "the file system is read-only; name another folder" in said
    before = max(int(path.name.removeprefix("ckpt-")) for path in label.saved_checkpoints())
    resumed = run("train", "--label=3", *SMALL, f"--config.train.max_steps={before + 20}", folder=tmp_path).stdout
    assert f"resumes from step {before}" in resumed
    assert cases.leftovers(label.folder) == []
