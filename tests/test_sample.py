"""Images of a combined model as files, by `sample`."""

import json
import os
import signal
import subprocess

import examples
import numpy as np
import PIL.Image
import pytest
from conftest import PATIENCE_SECONDS, run, start, wait_until

from wcgan_tf import models
from wcgan_tf.combined import pictures
from wcgan_tf.combined.model import ConditionalModel
from wcgan_tf.config import default_config
from wcgan_tf.core import errors
from wcgan_tf.core.paths import ModelPaths

pytestmark = pytest.mark.xdist_group("sample")  # they share a model

NAMES = ["cat", "dog", "../a/b <i>", "bird"]
PRESENT = [0, 1, 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with saved_models/digits of three of four labels."""
    where = tmp_path_factory.mktemp("sample")
    settings = default_config().model
    settings.width = 4
    model = ConditionalModel(settings, PRESENT, num_labels=4, resolution=8, channels=1)
    for label in PRESENT:
        model.set_weights(label, models.generator(settings, 8, 1).get_weights())
    manifest = examples.manifest([examples.label_entry(label, name=NAMES[label]) for label in PRESENT], names=NAMES)
    model.save(manifest, ModelPaths(where / "saved_models/digits").saved_model)
    return where


def pixels(path) -> np.ndarray:
    return np.asarray(PIL.Image.open(path))


def test_a_grid_has_a_row_for_each_label(folder):
    done = run("sample", "--labels=cat,dog", "--num=3", "--output=cats.png", folder=folder, fresh=True)
    assert done.stdout == "6 images of 2 labels in cats.png\n"
    two = pixels(folder / "cats.png")
    run("sample", "--num=40", "--output=all.png", folder=folder)
    everything = pixels(folder / "all.png")  # 3 labels in 3 rows each
    assert everything.shape[0] > 3 * two.shape[0]
    assert everything.shape[1] > 2 * two.shape[1]
    assert two.std() > 10


def test_an_array_and_a_folder_hold_the_same_first_images(folder):
    run("sample", "--labels=0,2", "--num=5", "--seed=3", "--output=x.npz", folder=folder)
    arrays = np.load(folder / "x.npz")  # unpickles nothing
    assert arrays["images"].shape == (10, 8, 8, 1)
    assert arrays["images"].dtype == np.uint8
    assert arrays["labels"].tolist() == [0] * 5 + [2] * 5
    assert arrays["names"].tolist() == ["cat", "../a/b <i>"]
    run("sample", "--labels=0,2", "--num=7", "--seed=3", "--output=x", "--format=folder", folder=folder)
    assert sorted(path.name for path in (folder / "x").iterdir()) == ["00000-cat", "00002-_a_b_i_"]
    for row, name in ((0, "00000-cat"), (5, "00002-_a_b_i_")):
        files = sorted((folder / "x" / name).iterdir())
        assert [file.name for file in files] == [f"{index:06d}.png" for index in range(7)]
        for index in range(5):
            np.testing.assert_array_equal(pixels(files[index]), arrays["images"][row + index, ..., 0])
    other = run("sample", "--labels=0,2", "--num=5", "--seed=4", "--output=y.npz", folder=folder)
    assert other.returncode == 0
    assert not np.array_equal(np.load(folder / "y.npz")["images"], arrays["images"])


def test_an_interpolation_is_a_strip_or_an_animation(folder):
    run("sample", "--labels=0", "--num=5", "--seed=1", "--interpolate=2", "--output=way.npz", folder=folder)
    way = np.load(folder / "way.npz")["images"]
    for end, seed in ((0, 1), (-1, 2)):
        run("sample", "--labels=0", "--num=1", f"--seed={seed}", f"--output=end{seed}.npz", folder=folder)
        difference = np.load(folder / f"end{seed}.npz")["images"][0].astype(int) - way[end]
        assert np.abs(difference).max() <= 1
    run("sample", "--labels=0", "--num=5", "--seed=1", "--interpolate=2", "--output=way.png", folder=folder)
    assert pixels(folder / "way.png").std() > 10
    run("sample", "--num=5", "--interpolate=2", "--output=way.gif", folder=folder)
    animation = PIL.Image.open(folder / "way.gif")
    assert animation.n_frames == 8  # there and back
    assert animation.size == (3 * 48 + 2 * 6, 16 + 48)  # the names above
    assert animation.info["loop"] == 0


def test_truncation_makes_images_more_alike(folder):
    deviations = []
    for bound in ("0.1", "1", "100"):
        run("sample", "--num=50", f"--truncation={bound}", f"--output=t{bound}.npz", folder=folder)
        deviations.append(np.load(folder / f"t{bound}.npz")["images"][:50].std(axis=0).mean())
    assert deviations[0] < 0.5 * deviations[1] < 0.5 * deviations[2]
    run("sample", "--num=50", "--output=plain.npz", folder=folder)
    plain = np.load(folder / "plain.npz")["images"].astype(int)
    assert np.abs(plain - np.load(folder / "t100.npz")["images"]).max() <= 1


WRONG = [
    (["--num=0"], "--num=0"),
    (["--labels=cta"], "there is no label 'cta'; did you mean cat?"),
    (["--labels=4"], "there is no label '4'; the labels are 0 to 3"),
    (["--labels=bird"], "the model has no generator of label 3 (bird); it has 0-2"),
    (["--model=nowhere"], "there is no model in nowhere, but in broken; type another --model, or run: python -m"),
    (["--model=data"], "there is no model in data, but in broken; type another --model, or run: python -m"),
    (["--model=broken"], "broken/1 is damaged, or no model of wcgan_tf.combine"),
    (["--output=cats.jpg"], "--output=cats.jpg ends in .jpg; type --format=png, npz, gif or folder"),
    (["--output=cats.png", "--format=npz"], "--output=cats.png does not end in .npz; that is what --format=npz writes"),
    (["--output=there.png"], "there.png is there already; type --overwrite to replace it, or another --output"),
    (["--output=way.gif"], "a GIF shows the way from one seed to another; add --interpolate=1"),
    (
        ["--num=100000"],
        "3 labels of 100000 images are too many for a picture, which has up to 400 rows of 16; type --fo",
    ),
    (["--output=there.png/x.png"], "there.png: File exists"),
    (["--output=full", "--overwrite"], "full has more in it than would be replaced, such as mine; name another folder"),
    (["--output=full", "--overwrite", "--format=npz"], "--output=full does not end in .npz"),
    (["--output=there.png", "--format=folder", "--overwrite"], "there.png is a file; name a folder"),
    (["--seed=9223372036854775808"], "--seed=9223372036854775808"),
    (["--output=dir.png", "--overwrite"], "dir.png is a folder; name another --output"),
    (["--truncation=0"], "--truncation=0"),
    (["--truncation=nan"], "--truncation is no number"),
    (["--interpolate=-1"], "--interpolate=-1"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_wrong_input_is_one_line_and_writes_nothing(folder, tmp_path, arguments, words):
    (tmp_path / "saved_models").symlink_to(folder / "saved_models")
    (tmp_path / "data").mkdir()
    (tmp_path / "broken/1").mkdir(parents=True)
    (tmp_path / "broken/1/saved_model.pb").write_bytes(b"no graph")
    (tmp_path / "there.png").write_bytes(b"mine")
    (tmp_path / "full/mine").mkdir(parents=True)
    (tmp_path / "full/00000-cat").mkdir()
    (tmp_path / "dir.png").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = run("sample", *arguments, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.png").read_bytes() == b"mine"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_folder_leaves_nothing_behind(folder, tmp_path, number, code, begin):
    arguments = [f"--model={folder}/saved_models/digits", "--num=1000000", "--output=many", "--format=folder"]
    process = begin(
        "sample",
        *arguments,
        folder=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: list(tmp_path.glob(".unfinished/*/many/*/*.png")), "the first image", process)
    process.send_signal(number)
    assert process.wait(PATIENCE_SECONDS) == code
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_number_of_images(folder, tmp_path):
    def peak(number):
        arguments = [f"--model={folder}/saved_models/digits", "--labels=0", f"--num={number}", f"--output={number}.npz"]
        process = start("sample", *arguments, folder=tmp_path)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        return usage.ru_maxrss / 1024

    assert peak(200_000) < peak(1000) + 10  # the images alone are 12 MiB


def test_a_folder_name_has_no_path():
    assert pictures.folder_name(3, "../../etc/passwd") == "00003-_etc_passwd"
    assert len(pictures.folder_name(3, "x" * 500)) < 100
    assert json.dumps(pictures.folder_name(3, "\x00\n")) == '"00003-_"'
