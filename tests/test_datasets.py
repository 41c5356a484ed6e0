"""Real digits, and TensorFlow Datasets as it hands them out."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from conftest import run
from sklearn.datasets import load_digits

from wcgan_tf import datasets
from wcgan_tf.config import default_config
from wcgan_tf.errors import UserError


def test_digits_are_scikit_learns(config):
    bunch = load_digits()
    total = 0
    for label in range(10):
        for split in datasets.SPLITS:
            found = datasets.label_images(config.dataset, split, label, "")
            assert found.images.dtype == np.uint8
            assert found.images.shape[1:] == (8, 8, 1)
            assert found.name == str(label)
            total += len(found.images)
    assert total == len(bunch.images) == 1797
    first_zero = datasets.label_images(config.dataset, "train", 0, "").images[0, ..., 0]
    np.testing.assert_allclose(first_zero, bunch.images[0] * 255 / 16, atol=0.5)


def test_prepared_images_are_those_of_the_source(tmp_path):
    config = default_config()
    config.dataset.data_dir = str(tmp_path / "data")
    in_place = datasets.label_images(config.dataset, "train", 7, "")
    run("prepare", folder=tmp_path)
    prepared = datasets.label_images(config.dataset, "train", 7, "")
    np.testing.assert_array_equal(prepared.images, in_place.images)
    assert prepared.digest == in_place.digest
    assert datasets.label_names(config.dataset, "") == [str(label) for label in range(10)]
    info = json.loads((tmp_path / "data/digits-8/dataset.json").read_text())
    assert sum(label["train"] + label["test"] for label in info["labels"]) == 1797
    assert "already" in run("prepare", folder=tmp_path).stdout

    with pytest.raises(UserError, match=r"no images of label 10 .* its labels are 0 to 9"):
        datasets.label_images(config.dataset, "train", 10, "prepare")
    file = tmp_path / "data/digits-8/train/00007.npy"
    content = bytearray(file.read_bytes())
    for damaged in (content[:-9], content[:-1] + bytes([content[-1] ^ 1]), b""):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match=r"00007.npy is missing or damaged; run again: prepare"):
            datasets.label_images(config.dataset, "train", 7, "prepare")


@pytest.fixture
def shapes(tmp_path):
    """A data set in TensorFlow Datasets' files: image i is 16x16, all of grey level i, and has label i % 3."""
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(16, 16, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["disc", "a/b <i>", "square"]),
        }
    )
    images = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones([1, 16, 16, 3], np.uint8)
    examples = tf.data.Dataset.from_tensor_slices({"image": images, "label": np.arange(12) % 3})
    tfds.dataset_builders.store_as_tfds_dataset(
        name="shapes",
        version="1.0.0",
        features=features,
        split_datasets={"train": examples.take(9), "test": examples.skip(9).take(3)},
        data_dir=str(tmp_path / "tfds"),
    )
    return tmp_path


def test_tensorflow_datasets_are_sorted_by_label(shapes):
    arguments = ["--config.dataset.name=shapes", "--config.dataset.resolution=16"]
    run("prepare", *arguments, "--config.dataset.tfds_dir=tfds", folder=shapes)
    config = default_config()
    config.dataset.name, config.dataset.resolution = "shapes", 16
    config.dataset.data_dir = str(shapes / "data")
    assert datasets.label_names(config.dataset, "") == ["disc", "a/b <i>", "square"]
    assert datasets.parse_label("a/b <i>", config.dataset, "") == 1
    found = datasets.label_images(config.dataset, "train", 1, "")
    assert found.images.shape == (3, 16, 16, 3)
    assert sorted(found.images[:, 0, 0, 0]) == [1, 4, 7]
    wrong = run("prepare", arguments[0], "--config.dataset.tfds_dir=tfds", folder=shapes, check=False)
    assert "type --config.dataset.resolution=16" in wrong.stderr
    assert wrong.returncode == 1


def test_a_misspelt_data_set_suggests_the_nearest():
    config = default_config()
    config.dataset.name = "cifar01"
    with pytest.raises(UserError, match=r"'cifar01' is no data set .* did you mean cifar10\?"):
        datasets.source(config.dataset)


def test_a_set_that_is_not_there_says_which_folder_to_give(tmp_path, monkeypatch):
    config = default_config()
    config.dataset.name = "cifar10"
    config.dataset.tfds_dir = str(tmp_path)

    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
    with pytest.raises(UserError, match=r"type --config.dataset.tfds_dir=.* could not be downloaded: no network"):
        datasets.source(config.dataset)


def test_trainers_say_how_to_prepare(config):
    config.dataset.name = "cifar10"
    with pytest.raises(UserError, match=r"no images of label 3 in .*cifar10-8; run: python -m wcgan_tf.prepare"):
        datasets.label_images(config.dataset, "train", 3, "python -m wcgan_tf.prepare")


def test_images_of_another_size_are_refused(config):
    with pytest.raises(UserError, match=r"images of 28x28 pixels, .* type --config.dataset.resolution=28"):
        datasets.checked(np.zeros([28, 28, 1], np.uint8), config.dataset)


def test_labels_by_index_and_by_name(config):
    assert datasets.parse_label("3", config.dataset, "") == 3
    assert datasets.parse_label("03", config.dataset, "") == 3
    with pytest.raises(UserError, match="no label 'three'"):
        datasets.parse_label("three", config.dataset, "")
