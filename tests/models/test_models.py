"""The networks: inputs and outputs, widths, and which have BatchNorm."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from wcgan_tf import models
from wcgan_tf.config import default_config
from wcgan_tf.core.errors import UserError
from wcgan_tf.evaluation import domain_classifier

BOTH = pytest.mark.parametrize("architecture", sorted(models.ARCHITECTURES))


def settings(architecture="dcgan", width=4, batch_deviation=False):
    model = default_config().model
    model.architecture, model.width, model.batch_deviation = architecture, width, batch_deviation
    return model


def layers_of(network, kind) -> list:
    return [layer for layer in network._flatten_layers() if isinstance(layer, kind)]


def kernels(network) -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in network.trainable_variables if len(variable.shape) == 4]


@BOTH
@pytest.mark.parametrize(
    ("resolution", "channels", "precision"),
    [
        (8, 1, "float32"),
        (28, 1, "mixed_bfloat16"),
        (32, 3, "float32"),
        (32, 3, "mixed_bfloat16"),
        (48, 3, "float32"),
        (64, 3, "mixed_bfloat16"),
        (256, 3, "float32"),
    ],
)
def test_networks_have_their_shapes_types_and_ranges(architecture, resolution, channels, precision):
    model = settings(architecture, batch_deviation=resolution == 32)
    generator = models.generator(model, resolution, channels, precision)
    critic = models.critic(model, resolution, channels, precision)
    images = generator(100 * tf.random.stateless_normal([3, model.latent_size], [0, 1]))
    assert images.shape == (3, resolution, resolution, channels)
    assert images.dtype == tf.float32
    assert np.abs(images).max() <= 1.0
    scores = critic(images)
    assert scores.shape == (3,)
    assert scores.dtype == tf.float32
    assert {variable.dtype for variable in generator.variables + critic.variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@BOTH
def test_a_critic_has_no_batch_norm_and_a_discriminator_has(architecture):
    norms = keras.layers.BatchNormalization
    assert not layers_of(models.critic(settings(architecture), 32, 3), norms)
    assert layers_of(models.critic(settings(architecture), 32, 3, batch_norm=True), norms)
    assert layers_of(models.generator(settings(architecture), 32, 3), norms)


@BOTH
@pytest.mark.parametrize("batch_deviation", [False, True])
def test_only_the_batch_deviation_makes_scores_depend_on_the_batch(architecture, batch_deviation):
    critic = models.critic(settings(architecture, batch_deviation=batch_deviation), 8, 1)
    images = tf.random.stateless_normal([6, 8, 8, 1], [0, 1])
    together = critic(images, training=True).numpy()
    alone = np.array([float(critic(images[i : i + 1], training=True)[0]) for i in range(6)])
    if batch_deviation:
        difference = together - alone
        assert np.abs(difference).min() > 1e-4
        np.testing.assert_allclose(difference, difference[0], rtol=1e-2)  # one channel, equal for each
    else:
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


@BOTH
def test_a_critic_with_classes_has_logits_beside_its_scores(architecture):
    plain = models.critic(settings(architecture), 16, 3)
    network = models.critic(settings(architecture), 16, 3, classes=7)
    assert [own.shape for own in network.variables[:-2]] == [own.shape for own in plain.variables]
    assert network.variables[-1].shape == (7,)
    images = tf.random.stateless_uniform([5, 16, 16, 3], [1, 2], -1.0, 1.0)
    features = network.features(images)
    np.testing.assert_array_equal(network.scores(features), network(images))
    assert (network.logits(features).shape, network.logits(features).dtype) == ((5, 7), tf.float32)


def test_an_architecture_whose_critics_do_not_classify_is_refused_in_one_line(monkeypatch):
    class Plain(keras.Model):
        def __init__(self, resolution, width, *, batch_norm, batch_deviation):
            super().__init__()
            self.last = keras.layers.Dense(1, dtype="float32")

        def call(self, images, training=False):
            return self.last(tf.reshape(images, [len(images), -1]))[:, 0]

    monkeypatch.setitem(models.ARCHITECTURES, "plain", (None, Plain))
    assert len(models.critic(settings("plain"), 16, 3).variables) == 2
    with pytest.raises(UserError, match=r"architecture plain do not classify; type --config\.train\.classification_w"):
        models.critic(settings("plain"), 16, 3, classes=7)


def test_dcgans_width_doubles_with_every_halving_up_to_eight_times():
    generator, critic = models.generator(settings(width=8), 32, 3), models.critic(settings(width=8), 32, 3)
    assert [shape[-1] for shape in kernels(critic)] == [8, 16, 32]
    assert [shape[-2] for shape in kernels(generator)] == [16, 8, 3]
    assert [shape[-1] for shape in kernels(models.critic(settings(width=2), 256, 3))] == [2, 4, 8, 16, 16, 16]


@BOTH
def test_a_critic_may_have_a_width_of_its_own(architecture):
    own, narrow = settings(architecture, width=8), settings(architecture, width=4)
    own.critic_width = 4
    assert kernels(models.critic(own, 32, 3)) == kernels(models.critic(narrow, 32, 3))
    assert kernels(models.generator(own, 32, 3)) != kernels(models.generator(narrow, 32, 3))


def test_resnet_at_32_is_the_papers_table():
    """Gulrajani 2017, appendix F: 4x4x128, three blocks up; two blocks down, two plain; 3x3 convolutions of 128."""
    generator = models.generator(settings("resnet", width=128), 32, 3)
    critic = models.critic(settings("resnet", width=128), 32, 3)
    assert generator.start.kernel.shape == (64, 4 * 4 * 128)
    big = [shape for shape in kernels(generator) if shape[:2] == (3, 3)]
    assert big == [(3, 3, 128, 128)] * 6 + [(3, 3, 128, 3)]
    big = [shape for shape in kernels(critic) if shape[:2] == (3, 3)]
    assert big == [(3, 3, 3, 128)] + [(3, 3, 128, 128)] * 7
    x = tf.zeros([1, 32, 32, 3])
    sides = [(x := block(x)).shape[1] for block in critic.blocks]
    assert sides == [16, 8, 8, 8]


def test_resnet_at_64_is_wider_at_lower_resolutions():
    generator = models.generator(settings("resnet", width=2), 64, 3)
    x = generator.reshape(generator.start(tf.zeros([1, 64])))
    assert [x.shape[-1], *((x := block(x)).shape[-1] for block in generator.blocks)] == [16, 16, 8, 4, 2]


@BOTH
def test_networks_made_again_leave_nothing_in_tensorflow(architecture):
    """It keeps memory for each name that a variable had, and for each custom gradient that it traced."""

    def made() -> list[list[str]]:
        networks = [models.generator(settings(architecture), 8, 3), models.critic(settings(architecture), 8, 3)]
        networks.append(domain_classifier.build_network((8, 8, 3), 10))
        return [[variable.path for variable in network.variables] for network in networks]

    keras.layers.Dense(3)  # the names of others do not change theirs
    before = len(ops.gradient_registry.list())
    first = made()
    keras.layers.Dense(3)
    assert made() == first
    assert len(ops.gradient_registry.list()) == before
