import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf import models
from wcgan_tf.config import default_config


@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (28, 1), (32, 3), (48, 3), (64, 3)])
def test_shapes_types_and_ranges(resolution, channels):
    settings = default_config().model
    settings.width = 4
    generator, critic = models.build(settings, resolution, channels)
    images = generator(100 * tf.random.stateless_normal([5, settings.latent_size], [0, 1]))
    assert images.shape == (5, resolution, resolution, channels)
    assert images.dtype == tf.float32
    assert np.abs(images).max() <= 1.0
    scores = critic(images)
    assert scores.shape == (5,)
    assert scores.dtype == tf.float32


def test_the_width_doubles_with_every_halving():
    settings = default_config().model
    settings.width = 8
    generator, critic = models.build(settings, 32, 3)
    assert [kernel.shape[-1] for kernel in critic.trainable_variables if len(kernel.shape) == 4] == [8, 16, 32]
    assert [kernel.shape[-2] for kernel in generator.trainable_variables if len(kernel.shape) == 4] == [16, 8, 3]


def test_the_critic_scores_each_image_alone():
    settings = default_config().model
    _, critic = models.build(settings, 8, 1)
    images = tf.random.stateless_normal([6, 8, 8, 1], [0, 1])
    together = critic(images, training=True)
    alone = [float(critic(images[i : i + 1], training=True)[0]) for i in range(6)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
