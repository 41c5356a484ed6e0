"""The pretraining whose critic also learns the labels."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import train_label

from wcgan_tf.core.images import to_unit
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.data import mixture, prepared
from wcgan_tf.training.checkpoint import start_from
from wcgan_tf.training.classifying_gan import ClassifyingGAN
from wcgan_tf.training.trainer import build


@pytest.fixture(autouse=True)
def weight(config):
    config.train.classification_weight = 1.0


@pytest.fixture
def mixed(config):
    return mixture.of_all_labels(config.dataset)


def accuracy(gan, mixed) -> float:
    images = to_unit(tf.constant(mixed.images))
    guessed = np.argmax(gan.critic.logits(gan.critic.features(images)), axis=1)
    return float(np.mean(guessed == mixed.labels))


def test_the_critic_learns_to_tell_the_labels(config, device, mixed):
    config.model.width, config.train.batch_size, config.train.max_steps = 8, 32, 80
    gan = build(config, mixed, device)
    assert accuracy(gan, mixed) < 0.3
    gan.execution_steps = 40
    losses = gan.fit(tf.data.Dataset.range(2), verbose=0, shuffle=False).history["classification_loss"]
    assert losses[0] < np.log(10) * 1.5
    assert accuracy(gan, mixed) > 0.5


def test_its_loss_has_the_weighted_cross_entropy_of_real_images_and_the_generator_does_not_see_it(
    config, device, mixed
):
    critics = {}
    for config.train.classification_weight in (1.0, 3.0):
        gan = build(config, mixed, device)
        gan.execution_steps = 1
        history = gan.fit(tf.data.Dataset.range(1), verbose=0, shuffle=False).history
        critics[config.train.classification_weight] = {name: values[0] for name, values in history.items()}
    one, three = critics[1.0], critics[3.0]
    assert one["classification_loss"] == three["classification_loss"] > 0.0
    assert three["critic_loss"] - one["critic_loss"] == pytest.approx(2.0 * one["classification_loss"], rel=1e-4)
    assert one["wasserstein_estimate"] == three["wasserstein_estimate"]


def test_it_resumes_bit_for_bit(config, mixed, tmp_path):
    config.train.learning_rate_decay = "none"
    halves, whole = LabelPaths(tmp_path / "halves"), LabelPaths(tmp_path / "whole")
    for config.train.max_steps in (3, 6):
        train_label(config, mixed, halves)
    train_label(config, mixed, whole)
    one, other = (tf.train.load_checkpoint(str(paths.saved_checkpoints()[0])) for paths in (halves, whole))
    names = [name for name in one.get_variable_to_shape_map() if name.startswith(("critic", "generator"))]
    assert len(names) > 10
    for name in names:
        np.testing.assert_array_equal(one.get_tensor(name), other.get_tensor(name), err_msg=name)


def test_a_label_takes_the_critic_without_its_classifier(config, device, mixed, tmp_path):
    paths = LabelPaths(tmp_path / "pretraining")
    train_label(config, mixed, paths)
    trained, new = (
        build(config, mixed, device),
        build(config, prepared.label_images(config.dataset, "train", 3), device),
    )
    assert isinstance(trained, ClassifyingGAN)
    assert not isinstance(new, ClassifyingGAN)
    assert len(trained.critic.variables) == len(new.critic.variables) + 2
    start_from(trained, paths, pytest.fail)
    start_from(new, paths, pytest.fail)
    for own, other in zip(new.critic.variables, trained.critic.variables, strict=False):
        np.testing.assert_array_equal(own, other)


def test_without_a_weight_or_without_labels_there_is_no_classifier(config, device, mixed):
    assert not isinstance(build(config, mixed._replace(labels=None), device), ClassifyingGAN)
    config.train.classification_weight = 0.0
    assert not isinstance(build(config, mixed, device), ClassifyingGAN)


@pytest.mark.parametrize(("objective", "architecture"), [("dcgan", "dcgan"), ("wasserstein", "resnet")])
def test_other_objectives_and_architectures_learn_the_labels_too(config, mixed, tmp_path, objective, architecture):
    config.train.objective, config.model.architecture = objective, architecture
    paths = LabelPaths(tmp_path / "pretraining")
    assert train_label(config, mixed, paths) == "done"
    assert "classification_loss" in paths.metrics.read_text()


def test_no_variable_is_one_that_tensorflow_keeps_on_the_host_of_a_gpu(config, device, mixed):
    gan = build(config, mixed, device)
    parts = [gan.generator, gan.critic, gan.average, gan.generator_optimizer, gan.critic_optimizer, *gan.means.values()]
    own = [value for value in vars(gan).values() if isinstance(value, tf.Variable)]
    assert {variable.name.split(":")[0] for variable in own} >= {
        "images",
        "labels",
        "count",
        "label",
        "step",
        "seconds",
    }
    own += [variable for part in parts for variable in part.variables]
    assert tf.int32 not in {tf.as_dtype(variable.dtype) for variable in own}
