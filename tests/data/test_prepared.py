"""The prepared images of a label."""

import errno
import os

import numpy as np
import pytest
from conftest import run

from wcgan_tf.config import default_config
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import prepared


def test_prepared_images_are_those_of_the_source(tmp_path):
    config = default_config()
    config.dataset.data_dir = str(tmp_path / "data")
    in_place = prepared.label_images(config.dataset, "train", 7)
    run("prepare", folder=tmp_path)
    sorted_once = prepared.label_images(config.dataset, "train", 7)
    np.testing.assert_array_equal(sorted_once.images, in_place.images)
    assert sorted_once.digest == in_place.digest
    assert prepared.label_names(config.dataset) == [str(label) for label in range(10)]

    with pytest.raises(UserError, match=r"no images of label 10 .* its labels are 0 to 9"):
        prepared.label_images(config.dataset, "train", 10)
    file = tmp_path / "data/digits-8/train/00007.npy"
    content = bytearray(file.read_bytes())
    header = content[:8] + b"\x09" + content[9:]
    for damaged in (content[:-9], content[:-1] + bytes([content[-1] ^ 1]), b"", b"PK\x03\x04garbage", header):
        file.write_bytes(damaged)
        with pytest.raises(
            UserError, match=r"00007.npy is missing or damaged; delete .*00007.json and run: python -m wcgan_tf.prepare"
        ):
            prepared.label_images(config.dataset, "train", 7)
    (tmp_path / "data/digits-8/train/00007.json").unlink()
    run("prepare", folder=tmp_path)
    assert prepared.label_images(config.dataset, "train", 7).digest == in_place.digest
    assert file.read_bytes() == content


@pytest.mark.parametrize("content", ["{}", "[]", "null", '{"labels": []}', '{"labels": [1]}', '{"labels": 3}', "half"])
def test_a_damaged_dataset_json_is_named(config, tmp_path, content):
    (tmp_path / "data/digits-8").mkdir(parents=True)
    (tmp_path / "data/digits-8/dataset.json").write_text(content)
    with pytest.raises(UserError, match=r"dataset.json is damaged, .* delete .* and run: python -m wcgan_tf.prepare"):
        prepared.label_names(config.dataset)


@pytest.mark.parametrize("content", ["{}", "[]", "half"])
def test_a_damaged_record_is_named(config, tmp_path, content):
    (tmp_path / "data/digits-8/train").mkdir(parents=True)
    (tmp_path / "data/digits-8/dataset.json").write_text(
        '{"name": "digits", "resolution": 8, "channels": 1, "labels": ["a", "b"]}'
    )
    (tmp_path / "data/digits-8/train/00001.json").write_text(content)
    with pytest.raises(UserError, match=r"00001.json is damaged, .* delete it and run: python -m wcgan_tf.prepare"):
        prepared.label_images(config.dataset, "train", 1)


def test_missing_images_are_an_error_with_a_command(config):
    config.dataset.name = "cifar10"
    with pytest.raises(UserError, match=r"no images of label 3 in .*cifar10-8; run: python -m wcgan_tf.prepare"):
        prepared.label_images(config.dataset, "train", 3)


def test_images_that_cannot_be_read_now_are_not_damaged(tmp_path, config, monkeypatch):
    config.dataset.data_dir = str(tmp_path)
    run("prepare", f"--config.dataset.data_dir={tmp_path}", folder=tmp_path)

    def fail(*_, **__):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(OSError, match="Stale file handle") as error:
        prepared.label_images(config.dataset, "train", 3)
    assert error.value.filename.endswith("digits-8/train/00003.npy")


def test_unprepared_digits_are_not_enlarged(config):
    config.dataset.resolution = 16
    with pytest.raises(UserError, match=r"digits: 8x8 pixels are fewer than dataset\.resolution=16; type a smaller"):
        prepared.label_images(config.dataset, "test", 3)
