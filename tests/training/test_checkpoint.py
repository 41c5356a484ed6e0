"""The weights that a training hands to others; restoring is tested with whole trainings (test_trainer.py)."""

import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import train_label

from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.data import prepared
from wcgan_tf.training.checkpoint import start_from
from wcgan_tf.training.trainer import Trainer, build

OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"  # how the variables hang together


def values(network) -> list[np.ndarray]:
    return [variable.numpy() for variable in network.variables]


def equal(some, others) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.fixture
def start(config, tmp_path):
    """The folder of a training of label 0 that is done."""
    paths = LabelPaths(tmp_path / "start")
    train_label(config, prepared.label_images(config.dataset, "train", 0), paths)
    return paths


def test_a_gan_starts_from_the_average_and_the_critic_alone(config, device, start):
    data = prepared.label_images(config.dataset, "train", 3)
    new, before = build(config, data, device), build(config, data, device)
    start_from(new, start, pytest.fail)
    assert equal(values(new.generator), values(new.average))
    assert not any(
        equal(values(getattr(new, name)), values(getattr(before, name))) for name in ("average", "critic", "generator")
    )
    reread = build(config, data, device)
    start_from(reread, start, pytest.fail)
    assert equal(values(reread.critic), values(new.critic))
    assert equal(values(new.generator_optimizer), values(before.generator_optimizer))
    assert (int(new.step), float(new.seconds), int(new.label)) == (0, 0.0, 3)
    np.testing.assert_array_equal(new.images, before.images)


def test_only_a_label_without_a_checkpoint_starts_from_it(config, start, tmp_path, monkeypatch):
    data, paths = prepared.label_images(config.dataset, "train", 3), LabelPaths(tmp_path / "3")
    asked = []
    monkeypatch.setattr("wcgan_tf.training.trainer.start_from", lambda gan, paths, say: asked.append(paths.folder))
    for steps, times in ((6, 1), (8, 1)):
        config.train.max_steps = steps
        assert train_label(config, data, paths, trainer=Trainer(config, start)) == "done"
        assert asked == times * [start.folder]
    assert f"starts from the weights in {start.folder}" in paths.log.read_text()


def test_a_label_that_starts_from_it_is_the_same_after_others_as_alone(config, start, tmp_path):
    in_turn = Trainer(config, start)
    for label in (5, 3):
        data, paths = prepared.label_images(config.dataset, "train", label), LabelPaths(tmp_path / f"in_turn/{label}")
        assert train_label(config, data, paths, trainer=in_turn) == "done"
        alone = LabelPaths(tmp_path / f"alone/{label}")
        assert train_label(config, data, alone, trainer=Trainer(config, start)) == "done"
        one, other = (tf.train.load_checkpoint(str(own.saved_checkpoints()[0])) for own in (paths, alone))
        compared = [name for name in one.get_variable_to_shape_map() if "seconds" not in name and name != OBJECTS]
        assert len(compared) > 20
        for name in compared:
            np.testing.assert_array_equal(one.get_tensor(name), other.get_tensor(name), err_msg=name)


def test_damaged_weights_are_an_error(config, device, start):
    data = start.saved_checkpoints()[0].with_suffix(".data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    gan, said = build(config, prepared.label_images(config.dataset, "train", 3), device), []
    with pytest.raises(UserError, match=r"all checkpoints in .*/start/checkpoints are damaged; delete .*/start to"):
        start_from(gan, start, said.append)
    assert re.search(r"the checkpoint .*start/checkpoints/ckpt-6 is damaged: ", said[0])
    shutil.rmtree(start.checkpoints)
    with pytest.raises(UserError, match=r"there is no checkpoint in .*start/checkpoints; delete .*start to train it"):
        start_from(gan, start, pytest.fail)


def test_an_intact_older_checkpoint_stands_in_for_a_damaged_one(config, device, start):
    (newest,) = start.saved_checkpoints()
    for file in start.checkpoints.glob("ckpt-6.*"):
        shutil.copy(file, start.checkpoints / file.name.replace("ckpt-6", "ckpt-5"))
    gans = [build(config, prepared.label_images(config.dataset, "train", 3), device) for _ in range(2)]
    start_from(gans[0], start, pytest.fail)
    data = newest.with_suffix(".data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    said = []
    start_from(gans[1], start, said.append)
    assert len(said) == 1
    assert equal(values(gans[0].critic), values(gans[1].critic))
