"""The formulas: of the Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, arXiv 1704.00028), and of DCGAN.

Scores are a critic's outputs, float32 [N]; to a discriminator they are logits.  Randomness comes in as an argument.
"""

from collections.abc import Callable

import tensorflow as tf

LEAST_SQUARED_NORM = 1e-20  # below it the root, and its gradient, are those of a constant: no 0/0 at a flat critic


def wasserstein_estimate(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """E[D(real)] - E[D(fake)], the distance that the critic sees.  Equation 2 of Gulrajani 2017; a scalar."""
    return tf.reduce_mean(real_scores) - tf.reduce_mean(fake_scores)


def critic_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """What the critic minimises apart from the penalty: minus the Wasserstein estimate."""
    return -wasserstein_estimate(real_scores, fake_scores)


def generator_loss(fake_scores: tf.Tensor) -> tf.Tensor:
    """What the generator minimises: -E[D(fake)]."""
    return -tf.reduce_mean(fake_scores)


def gradient_norm(critic: Callable, real: tf.Tensor, fake: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
    """||grad D(x)|| at x = mix * real + (1 - mix) * fake, float32 [N].

    Args:
        critic: images [N, H, W, C] -> scores [N], taken with `training=True`.
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
    """Mean of (||grad D(x)|| - 1)^2 over `norm` [N].  Equation 3 of Gulrajani 2017, without its weight."""
    return tf.reduce_mean(tf.square(norm - 1.0))


def discriminator_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """-E[log s(D(real))] - E[log(1 - s(D(fake)))], s the sigmoid.  Equation 1 of Goodfellow et al. 2014."""
    return tf.reduce_mean(tf.nn.softplus(-real_scores)) + tf.reduce_mean(tf.nn.softplus(fake_scores))


def non_saturating_loss(fake_scores: tf.Tensor) -> tf.Tensor:
    """-E[log s(D(fake))], s the sigmoid: the generator's loss of Goodfellow et al. 2014, section 3."""
    return tf.reduce_mean(tf.nn.softplus(-fake_scores))
