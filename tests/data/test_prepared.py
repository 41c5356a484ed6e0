"""One label's prepared images, and what a user may type for a label."""

import numpy as np
import pytest
from conftest import run

from wcgan_tf.config import default_config
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import prepared as datasets

NAMES = ["3", "tench, Tinca tinca", "cat", "ant", "t-shirt", "9-12"]  # a label called 3 is not label 3


def test_prepared_images_are_those_of_the_source(tmp_path):
    config = default_config()
    config.dataset.data_dir = str(tmp_path / "data")
    in_place = datasets.label_images(config.dataset, "train", 7, "")
    run("prepare", folder=tmp_path)
    prepared = datasets.label_images(config.dataset, "train", 7, "")
    np.testing.assert_array_equal(prepared.images, in_place.images)
    assert prepared.digest == in_place.digest
    assert datasets.label_names(config.dataset, "") == [str(label) for label in range(10)]

    with pytest.raises(UserError, match=r"no images of label 10 .* its labels are 0 to 9"):
        datasets.label_images(config.dataset, "train", 10, "prepare")
    file = tmp_path / "data/digits-8/train/00007.npy"
    content = bytearray(file.read_bytes())
    header = content[:8] + b"\x09" + content[9:]
    for damaged in (content[:-9], content[:-1] + bytes([content[-1] ^ 1]), b"", b"PK\x03\x04garbage", header):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match=r"00007.npy is missing or damaged; delete .*00007.json and run: prepare"):
            datasets.label_images(config.dataset, "train", 7, "prepare")
    (tmp_path / "data/digits-8/train/00007.json").unlink()
    run("prepare", folder=tmp_path)
    assert datasets.label_images(config.dataset, "train", 7, "").digest == in_place.digest
    assert file.read_bytes() == content


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"labels": []}', '{"labels": [1]}', '{"labels": 3}', "half"])
def test_a_damaged_dataset_json_is_named(config, tmp_path, content):
    (tmp_path / "data/digits-8").mkdir(parents=True)
    (tmp_path / "data/digits-8/dataset.json").write_text(content)
    with pytest.raises(UserError, match=r"dataset.json is damaged; delete .* and run: prepare"):
        datasets.label_names(config.dataset, "prepare")


@pytest.mark.parametrize("content", ["{}", "[]", "half"])
def test_a_damaged_record_is_named(config, tmp_path, content):
    (tmp_path / "data/digits-8/train").mkdir(parents=True)
    (tmp_path / "data/digits-8/dataset.json").write_text('{"labels": ["a", "b"]}')
    (tmp_path / "data/digits-8/train/00001.json").write_text(content)
    with pytest.raises(UserError, match=r"00001.json is damaged; delete it and run: prepare"):
        datasets.label_images(config.dataset, "train", 1, "prepare")


def test_trainers_say_how_to_prepare(config):
    config.dataset.name = "cifar10"
    with pytest.raises(UserError, match=r"no images of label 3 in .*cifar10-8; run: python -m wcgan_tf.prepare"):
        datasets.label_images(config.dataset, "train", 3, "python -m wcgan_tf.prepare")


def test_digits_that_are_not_prepared_come_in_the_size_that_is_asked_for(config):
    config.dataset.resolution = 32
    assert datasets.label_images(config.dataset, "test", 3, "").images.shape[1:] == (32, 32, 1)


def test_a_label_by_index_and_by_name(config):
    assert datasets.parse_label("3", config.dataset, "") == [3]
    assert datasets.parse_label("03", config.dataset, "") == [3]
    with pytest.raises(UserError, match="no label 'three'; type 0 to 9, or a name"):
        datasets.parse_label("three", config.dataset, "")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("1-3", [1, 2, 3]),
        ("5,0,0", [0, 5]),
        ("tench, Tinca tinca", [1]),
        ("cat,tench, Tinca tinca,0-1", [0, 1, 2]),
        ("t-shirt", [4]),
        ("9-12", [5]),
        ("3", [3]),
        ("2-3", [2, 3]),
        (" ant , 2", [2, 3]),
    ],
)
def test_labels_in_a_list(text, labels):
    assert datasets.parse_labels(text, NAMES) == labels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("6", "no label '6'; the labels are 0 to 5"),
        ("3-6", "no label '3-6'"),
        ("2-1", "no label '2-1'"),
        ("cat,dgo", "no label 'dgo'; type 0 to 5, or a name"),
        ("cat,,ant", "no label ''"),
        ("t-shrt", "did you mean t-shirt"),
        ("-1", "no label '-1'; type 0 to 5"),
        ("9" * 5000, "no label '9999"),
    ],
)
def test_a_wrong_label_in_a_list_is_named(text, words):
    with pytest.raises(UserError, match=words):
        datasets.parse_labels(text, NAMES)
