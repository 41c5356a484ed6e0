"""Losses of the Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, arXiv 1704.00028), and of DCGAN.

Scores are the outputs of a critic, or the logits of a discriminator: float32 [N].  Random numbers are arguments.
"""

from collections.abc import Callable

import tensorflow as tf

LEAST_SQUARED_NORM = 1e-20  # below it the norm is constant with gradient 0: no 0/0 where the critic is flat


def wasserstein_estimate(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """E[D(real)] - E[D(fake)], the critic's estimate of the distance, scalar.  Equation 2 of Gulrajani et al. 2017."""
    return tf.reduce_mean(real_scores) - tf.reduce_mean(fake_scores)


def critic_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """Loss of the critic without the penalty: minus the Wasserstein estimate, scalar."""
    return -wasserstein_estimate(real_scores, fake_scores)


def generator_loss(fake_scores: tf.Tensor) -> tf.Tensor:
    """Loss of the generator: -E[D(fake)], scalar."""
    return -tf.reduce_mean(fake_scores)


def gradient_norm(critic: Callable, real: tf.Tensor, fake: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
    """||grad D(x)|| at x = mix * real + (1 - mix) * fake, float32 [N].

    Args:
        critic: images [N, H, W, C] -> scores [N], called with `training=True`.
        real, fake: float32 [N, H, W, C].
        mix: float32 [N, 1, 1, 1] in 0..1.
    """
    between = mix * real + (1.0 - mix) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        scores = critic(between, training=True)
    squares = tf.reduce_sum(tf.square(tape.gradient(scores, between)), axis=[1, 2, 3])
    return tf.sqrt(tf.maximum(squares, LEAST_SQUARED_NORM))


def gradient_penalty(norm: tf.Tensor) -> tf.Tensor:
    """Mean of (||grad D(x)|| - 1)^2 over `norm` [N], scalar.  Equation 3 of Gulrajani et al. 2017, unweighted."""
    return tf.reduce_mean(tf.square(norm - 1.0))


def discriminator_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """-E[log s(D(real))] - E[log(1 - s(D(fake)))], s: sigmoid, scalar.  Equation 1 of Goodfellow et al. 2014."""
    return tf.reduce_mean(tf.nn.softplus(-real_scores)) + tf.reduce_mean(tf.nn.softplus(fake_scores))


def non_saturating_loss(fake_scores: tf.Tensor) -> tf.Tensor:
    """-E[log s(D(fake))], s: sigmoid, scalar.  The generator's loss in section 3 of Goodfellow et al. 2014."""
    return tf.reduce_mean(tf.nn.softplus(-fake_scores))
