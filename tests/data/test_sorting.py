"""Sorting by label: undisturbed, stopped anywhere, twice at once; and the output of `prepare`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE_SECONDS, STEPS, run
from PIL import Image

from wcgan_tf.config import default_config
from wcgan_tf.core import errors, machine, records, unfinished
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data import prepared, sorting, sources

LABELS = 3


@pytest.fixture
def photos(tmp_path):
    """Settings of a folder of 3 labels, 20 training and 5 test images of noise each, and one broken file."""
    random = np.random.default_rng(0)
    for split, number in (("train", 20), ("val", 5)):
        for label in range(LABELS):
            folder = tmp_path / "photos" / split / f"kind {label}"
            folder.mkdir(parents=True)
            for index in range(number):
                Image.fromarray(random.integers(0, 255, [8, 8, 3], np.uint8)).save(folder / f"{index:02}.png")
    (tmp_path / "photos/train/kind 1/broken.jpg").write_bytes(b"no picture")
    dataset = default_config().dataset
    dataset.name, dataset.root, dataset.data_dir = "photos", str(tmp_path / "photos"), str(tmp_path / "data")
    return dataset


def arguments(dataset) -> list[str]:
    return [f"--config.dataset.{key}={getattr(dataset, key)}" for key in ("name", "root", "data_dir", "resolution")]


def sort(
    dataset,
    split="train",
    labels=frozenset(range(LABELS)),
    interrupt_after=None,
    skipped=lambda *_: None,
    noted=pytest.fail,
    paths=None,
):
    """Sort a split in this process; after `interrupt_after` chunks raise KeyboardInterrupt, as Ctrl-C does."""
    paths = paths or DatasetPaths.of(dataset)
    sorter = sorting.SplitSorter(
        sources.source(dataset), split, set(labels), dataset.resolution, 16, paths, skipped, noted
    )
    chunks = []

    def advanced(number):
        chunks.append(number)
        if len(chunks) == interrupt_after:
            raise KeyboardInterrupt

    sorter.sort(advanced)
    sorter.finish()
    return chunks


def content_of(dataset, split="train") -> dict[str, bytes]:
    folder = DatasetPaths.of(dataset).folder / split
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def expected(photos, tmp_path):
    """The files of an undisturbed run."""
    photos.data_dir = str(tmp_path / "undisturbed")
    sort(photos)
    files = content_of(photos)
    photos.data_dir = str(tmp_path / "data")
    return files


@pytest.fixture
def small(monkeypatch):
    """Chunks of 7 images, each written at once, so that few images take many writes."""
    monkeypatch.setattr(sorting, "MOST_IN_CHUNK", 7)
    monkeypatch.setattr(sorting, "BUFFER_BYTES", 1)


def test_every_image_is_sorted_once(photos):
    names = []
    sort(photos, skipped=lambda name, reason: names.append((name, reason)))
    assert len(names) == 1
    assert names[0][0].endswith("train/kind 1/broken.jpg")
    paths = DatasetPaths.of(photos)
    for label in range(LABELS):
        images = np.load(paths.images("train", label))
        for index in range(20):
            file = f"{photos.root}/train/kind {label}/{index:02}.png"
            np.testing.assert_array_equal(images[index], np.asarray(Image.open(file)))
        record = json.loads(paths.record("train", label).read_text())
        assert (record["count"], record["resized"], record["unreadable"]) == (20, 0, int(label == 1))
    assert not (paths.folder / "unfinished").exists()


@pytest.mark.parametrize("stop", [1, 3, 8])
def test_stopping_and_resuming_gives_the_same_files(photos, expected, small, stop):
    with pytest.raises(KeyboardInterrupt):
        sort(photos, interrupt_after=stop)
    assert not (DatasetPaths.of(photos).folder / "train").exists()
    first = sort(photos)[0]
    assert first > 7 * (stop - 1)
    assert content_of(photos) == expected


def test_a_kill_between_writing_and_recording_gives_the_same_files(photos, expected, small):
    with pytest.raises(KeyboardInterrupt):
        sort(photos, interrupt_after=4)
    begun = list(DatasetPaths.of(photos).unfinished("train").glob("*.raw"))
    assert len(begun) > 1  # the last is in progress
    for raw in begun:
        raw.write_bytes(raw.read_bytes() + b"half an image")
    sort(photos)
    assert content_of(photos) == expected


def test_lost_bytes_restart_the_split(photos, expected, small):
    with pytest.raises(KeyboardInterrupt):
        sort(photos, interrupt_after=4)
    raw = DatasetPaths.of(photos).unfinished("train") / "0.raw"
    raw.write_bytes(raw.read_bytes()[:-1])
    sort(photos)
    assert content_of(photos) == expected


def test_a_stop_while_finishing_gives_the_same_files(photos, expected, small, monkeypatch):
    write = sorting.records.write

    def stop_at_label_1(path, value):
        if path.name == "00001.json":
            raise KeyboardInterrupt
        write(path, value)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sorting.records, "write", stop_at_label_1)
        sort(photos)
    assert set(content_of(photos)) == {"00000.npy", "00000.json", "00001.npy"}
    sort(photos, labels={1, 2})
    assert content_of(photos) == expected


def test_labels_without_images_are_named_and_the_others_are_prepared(photos, tmp_path):
    """Down to the page: a bad label must not keep the others from their scores."""
    for split, label in (("train", 2), ("val", 1)):
        for path in (tmp_path / f"photos/{split}/kind {label}").iterdir():
            path.write_bytes(b"no picture")
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert "photos: 3 of 3 labels, 40 train, 10 test images in " in done.stdout
    assert done.stdout.splitlines()[-2:] == [
        f"no readable {split} images of label {label} (kind {label}): add some, and run this again; the other labels "
        "are ready"
        for split, label in (("train", 2), ("test", 1))
    ]
    failed = run("launch", *arguments(photos), *STEPS, folder=tmp_path, check=False)
    assert failed.returncode == errors.FAILED
    assert "error: no training images of label 2 (kind 2) in " in failed.stdout
    assert "1 of 3 labels did not finish" in failed.stderr
    run("combine", "--partial", *arguments(photos), folder=tmp_path)
    run("report", *arguments(photos), folder=tmp_path)
    for split, label in (("train", 2), ("val", 1)):
        shutil.copy(tmp_path / "photos/train/kind 0/00.png", tmp_path / f"photos/{split}/kind {label}")
    again = run("prepare", *arguments(photos), folder=tmp_path).stdout
    assert "the train images of label 2 (kind 2) have changed\n" in again
    assert "the test images of label 1 (kind 1) have changed\n" in again
    assert "add some" not in again
    assert prepared.count(photos, "train", 2) == prepared.count(photos, "test", 1) == 1


def test_a_share_whose_only_label_has_no_images_is_prepared(photos, expected, tmp_path):
    """Else the data set would never be whole."""
    for path in (tmp_path / "photos/train/kind 2").iterdir():
        path.write_bytes(b"no picture")
    sort(photos, labels={2}, paths=DatasetPaths.of(photos, share="2-of-3"))
    assert (prepared.exists(photos, "train", 2), prepared.count(photos, "train", 2)) == (True, 0)


def test_a_split_without_any_image_is_refused(photos, tmp_path):
    for path in (tmp_path / "photos/train").glob("*/*"):
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match="no readable train images of any label; add some, and run this again"):
        sort(photos)
    assert not (DatasetPaths.of(photos).folder / "train").exists()


def test_prepare_prints_totals_and_skips_prepared_labels(photos, tmp_path):
    done = run("prepare", *arguments(photos), "--labels=0,kind 2", folder=tmp_path)
    assert "photos: 2 of 3 labels, 40 train, 10 test images in " in done.stdout
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert "photos: 3 of 3 labels, 60 train, 15 test images in " in done.stdout
    assert "1 could not be read and were left out" in done.stdout
    assert "skipped" in done.stderr
    assert "kind 1/broken.jpg: cannot identify image file" in done.stderr
    before = content_of(photos)
    assert "is prepared already" in run("prepare", *arguments(photos), folder=tmp_path).stdout
    assert content_of(photos) == before
    info = json.loads(DatasetPaths.of(photos).info.read_text())
    assert info["labels"] == ["kind 0", "kind 1", "kind 2"]
    assert (info["resolution"], info["channels"]) == (8, 3)
    assert prepared.label_images(photos, "test", 2).images.shape == (5, 8, 8, 3)


def test_images_of_another_size_are_counted(photos, tmp_path):
    for index in range(3):
        Image.new("RGB", (8, 9 + index)).save(f"{photos.root}/train/kind 0/{index:02}.png")
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert "3 had another size and were cropped and resized to 8x8" in done.stdout


def test_smaller_images_are_left_out_counted_and_named(photos, tmp_path):
    small = [f"{photos.root}/train/kind 0/00.png", f"{photos.root}/val/kind 2/01.png"]
    for path, size in zip(small, ((7, 40), (40, 7)), strict=True):
        Image.new("RGB", size).save(path)
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert f"skipped {small[0]}: 7x40 pixels are fewer than dataset.resolution=8" in done.stderr
    assert f"skipped {small[1]}: 40x7 pixels are fewer than dataset.resolution=8" in done.stderr
    assert "2 smaller than 8x8 were left out: a smaller --config.dataset.resolution takes them, too" in done.stdout
    assert "1 could not be read and were left out" in done.stdout
    assert "had another size" not in done.stdout
    assert [prepared.count(photos, split, label) for split, label in (("train", 0), ("test", 2))] == [19, 4]
    assert prepared.read_record(photos, "train", 0).too_small == 1


def test_of_many_smaller_images_the_first_are_named(photos, monkeypatch):
    monkeypatch.setattr(sorting, "MOST_NAMED", 2)
    for index in range(1, 20):
        Image.new("RGB", (4, 4)).save(f"{photos.root}/train/kind 0/{index:02}.png")
    named = []
    sort(photos, skipped=lambda name, reason: named.append(reason))
    assert sum("pixels are fewer" in reason for reason in named) == 2
    assert prepared.read_record(photos, "train", 0).too_small == 19


def test_a_label_of_smaller_images_alone_says_so(photos):
    photos.resolution = 16
    with pytest.raises(UserError) as error:
        sort(photos)
    assert str(error.value) == (
        "there are no large enough train images of any label; "
        "60 are smaller than 16x16; type a smaller --config.dataset.resolution or add others"
    )


def test_a_wrong_label_is_named_before_anything_is_written(photos, tmp_path):
    done = run("prepare", *arguments(photos), "--labels=kind 0,knd 1", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr == "error: there is no label 'knd 1'; did you mean kind 1?\n"
    assert not (tmp_path / "data").exists()


def test_other_labels_under_the_same_name_are_refused(photos, tmp_path):
    run("prepare", *arguments(photos), "--labels=0", folder=tmp_path)
    for split in ("train", "val"):
        (tmp_path / f"photos/{split}/kind 1").rename(tmp_path / f"photos/{split}/a new one")
    done = run("prepare", *arguments(photos), folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "holds a data set of other labels ('kind 0' there, 'a new one' here); delete it, or type" in done.stderr


def test_other_labels_are_refused_after_a_stop_too(photos, tmp_path):
    """Once a label is removed, another has its number."""
    for path in (tmp_path / "photos/val/kind 1").iterdir():
        path.write_bytes(b"no picture")
    assert "no readable test images of label 1 (kind 1)" in run("prepare", *arguments(photos), folder=tmp_path).stdout
    for split in ("train", "val"):
        shutil.rmtree(tmp_path / f"photos/{split}/kind 1")
    done = run("prepare", *arguments(photos), folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "holds a data set of other labels ('kind 1' there, 'kind 2' here)" in done.stderr


def test_sorting_another_folder_starts_anew(photos, small, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sort(photos, interrupt_after=4)
    shutil.copytree(tmp_path / "photos", tmp_path / "other")
    photos.root = str(tmp_path / "other")
    assert sort(photos)[0] == 7


def test_prepared_images_of_another_folder_are_refused(photos, tmp_path):
    run("prepare", *arguments(photos), folder=tmp_path)
    photos.root = str(shutil.copytree(tmp_path / "photos", tmp_path / "other"))
    for program in ("prepare", "pipeline"):
        done = run(program, *arguments(photos), folder=tmp_path, check=False)
        assert done.returncode == errors.WRONG_INPUT
        assert f"holds the images of {tmp_path}/photos, not of {photos.root}" in done.stderr
    (tmp_path / "photos").rename(tmp_path / "before")  # the folder was moved
    assert "is prepared already" in run("prepare", *arguments(photos), folder=tmp_path).stdout


def test_prepared_images_that_are_from_no_folder_are_refused(photos, tmp_path):
    run("prepare", *arguments(photos), folder=tmp_path)
    info = DatasetPaths.of(photos).info
    records.write(info, json.loads(info.read_text()) | {"root": ""})  # as of TensorFlow Datasets
    done = run("prepare", *arguments(photos), folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert f"holds images of photos from elsewhere, not of {photos.root}; delete it, or type" in done.stderr


def test_images_added_after_a_failed_start_are_taken(photos, tmp_path):
    """One image alone, and no test split: `prepare` asks for more, and takes them all."""
    shutil.rmtree(tmp_path / "photos/val")
    rare = tmp_path / "photos/train/rare"
    rare.mkdir()
    kept = sorted((tmp_path / "photos/train/kind 0").glob("*.png"))
    shutil.copy(kept[0], rare)
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert "no readable test images of label 3 (rare): add some" in done.stdout
    for path in kept[1:]:
        shutil.copy(path, rare)
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert "the train images of label 3 (rare) have changed\n" in done.stdout
    assert prepared.count(photos, "train", 3) == 16
    assert prepared.count(photos, "test", 3) == 4


def test_a_folder_that_has_changed_since_is_told(photos, tmp_path):
    run("prepare", *arguments(photos), folder=tmp_path)
    before = content_of(photos)
    os.utime(tmp_path / "photos/val/kind 1/00.png", (1, 1))
    (tmp_path / "photos/train/kind 2/00.png").unlink()
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert "is prepared already, but the files of labels 1-2 in " in done.stdout
    assert "have changed since: delete it and run this again to take them" in done.stdout
    assert content_of(photos) == before


@pytest.mark.parametrize("change", ["added", "removed"])
def test_other_labels_are_refused_after_a_finished_start_too(photos, tmp_path, change):
    run("prepare", *arguments(photos), folder=tmp_path)
    for split in ("train", "val"):
        if change == "added":
            shutil.copytree(tmp_path / f"photos/{split}/kind 2", tmp_path / f"photos/{split}/kind 3")
        else:
            shutil.rmtree(tmp_path / f"photos/{split}/kind 2")
    done = run("prepare", *arguments(photos), folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert f"holds a data set of other labels (3 there, {4 if change == 'added' else 2} here)" in done.stderr


def test_a_test_split_that_goes_changes_the_training_images_too(photos, tmp_path):
    """Without it, every fifth training image is a test image, and must not be trained on."""
    run("prepare", *arguments(photos), "--labels=0", folder=tmp_path)
    shutil.rmtree(tmp_path / "photos/val")
    done = run("prepare", *arguments(photos), folder=tmp_path)
    assert "has no validation, val, valid, test: every fifth image is a test image" in done.stdout
    assert [prepared.count(photos, split, 0) for split in ("train", "test")] == [16, 4]


def test_a_folder_that_changes_during_a_stop_is_sorted_anew(photos, small):
    with pytest.raises(KeyboardInterrupt):
        sort(photos, interrupt_after=4)
    (Path(photos.root) / "train/kind 0/00.png").unlink()
    sort(photos)
    assert prepared.count(photos, "train", 0) == 19


def test_prepare_ends_with_what_it_did_not_take(photos, tmp_path):
    (tmp_path / "photos/train/kind 0/notes.txt").write_text("")
    (tmp_path / "photos/val/Thumbs.db").write_text("")
    done = run("prepare", *arguments(photos), folder=tmp_path)
    last = done.stdout.splitlines()[-1]
    assert last == f"not taken: files of other kinds (2, such as {photos.root}/train/kind 0/notes.txt)"


def test_what_pillow_warns_of_has_the_name_of_the_image(photos):
    said = []
    names = [f"{photos.root}/train/kind 0/{number}.jpg" for number in range(2)]
    for name in names:
        Image.new("RGB", (8, 8)).save(name, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")  # it ends too early
    sort(photos, noted=lambda *note: said.append(note))
    assert len(said) == 1
    assert said[0][0] in names
    assert said[0][1].startswith("Corrupt EXIF data")


@pytest.mark.parametrize(
    ("depth", "words"), [(16, "they become dark"), (10, "they become white where they are bright")]
)
def test_images_whose_16_bits_are_others_are_named_with_what_to_type(photos, tmp_path, depth, words):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65  # to 4,095
    Image.fromarray(values).save(f"{photos.root}/train/kind 0/00.png")
    folder = DatasetPaths.of(photos).folder
    done = run("prepare", *arguments(photos), f"--config.dataset.bit_depth={depth}", folder=tmp_path)
    assert (
        f"the images with 16 bits (1) have no value above 4095: with dataset.bit_depth={depth} {words}; "
        f"to mend that, delete {folder}, and add --config.dataset.bit_depth=12 or set it in the config file"
    ) in done.stdout
    done = run("prepare", *arguments(photos), "--config.dataset.bit_depth=12", folder=tmp_path, check=False)
    assert f"{folder} was prepared with dataset.bit_depth={depth}, not 12; delete it to do it again" in done.stderr
    shutil.rmtree(folder)
    done = run("prepare", *arguments(photos), "--config.dataset.bit_depth=12", folder=tmp_path)
    assert "16 bits" not in done.stdout
    assert prepared.label_images(photos, "train", 0).images[0].max() == 255


@pytest.mark.parametrize("content", ["{}", "[]", "half"])
def test_a_damaged_state_restarts_the_split(photos, expected, small, content):
    with pytest.raises(KeyboardInterrupt):
        sort(photos, interrupt_after=4)
    DatasetPaths.of(photos).sorting_state("train").write_text(content)
    assert sort(photos)[0] == 7
    assert content_of(photos) == expected


def test_leftovers_of_a_kill_are_deleted(photos, tmp_path):
    folder = DatasetPaths.of(photos).folder
    for _ in range(2):  # before the first label, and after the last
        for place in (folder, folder / "train"):
            left = place / unfinished.NAME / f"{machine.host()}-0a"
            left.mkdir(parents=True)
            left.with_name(left.name + unfinished.ENDING).touch()
            (left / "00001.npy").write_text("half")
        run("prepare", *arguments(photos), folder=tmp_path)
        assert set(content_of(photos)) == {f"0000{label}.{kind}" for label in range(LABELS) for kind in ("npy", "json")}
        assert not (folder / unfinished.NAME).exists()


def test_large_images_are_sorted_in_small_chunks(photos, monkeypatch):
    monkeypatch.setattr(sorting, "CHUNK_BYTES", 2 * 8 * 8 * 3 + 1)
    assert sort(photos)[:2] == [2, 4]


def test_two_processes_at_once_prepare_once(photos, expected, tmp_path):
    command = [sys.executable, "-m", "wcgan_tf.prepare", *arguments(photos)]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert content_of(photos) == expected


def test_shares_of_the_labels_are_prepared_at_once(photos, expected, tmp_path):
    commands = [[sys.executable, "-m", "wcgan_tf.prepare", *arguments(photos), f"--label={k}/2"] for k in range(2)]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert content_of(photos) == expected
    assert not DatasetPaths.of(photos).all_unfinished.exists()
    assert "is prepared already" in run("prepare", *arguments(photos), folder=tmp_path).stdout


def test_each_rank_prepares_its_share(photos, expected, tmp_path, monkeypatch):
    paths = DatasetPaths.of(photos)
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    monkeypatch.setenv("SLURM_PROCID", "0")
    done = run("prepare", *arguments(photos), "--label=auto", folder=tmp_path)
    assert "--label=auto: SLURM_PROCID makes this rank 0 of 2, which takes labels 0,2\n" in done.stdout
    assert "photos: 2 of 3 labels, 40 train, 10 test images in " in done.stdout
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert "photos: 3 of 3 labels" in run("prepare", *arguments(photos), "--label=auto", folder=tmp_path).stdout
    assert content_of(photos) == expected
    assert not paths.all_unfinished.exists()


def test_a_rank_that_was_killed_resumes_its_share(photos, expected, small):
    share = DatasetPaths.of(photos, "1-of-2")
    with pytest.raises(KeyboardInterrupt):
        sort(photos, labels={1}, interrupt_after=2, paths=share)
    assert share.sorting_state("train").exists()
    assert not DatasetPaths.of(photos).sorting_state("train").exists()
    assert sort(photos, labels={1}, paths=share)[0] > 7
    assert content_of(photos) == {name: content for name, content in expected.items() if name.startswith("00001")}


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--label=cat"], "--label is 'cat'; type auto, or a share such as 3/10, or --labels=0-9,cat"),
        (["--label=2/2"], "--label is 2 of 2; the first rank is 0"),
        (["--label=auto"], "--label=auto finds no rank"),
        (["--label=0/2", "--classifier=domain"], "--classifier takes all labels; type it in one process"),
    ],
)
def test_a_share_that_is_none_is_refused(photos, tmp_path, typed, words):
    done = run("prepare", *arguments(photos), *typed, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith(f"error: {words}")
    assert not (tmp_path / "data").exists()
