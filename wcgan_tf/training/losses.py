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


def gradient_norm(critic: Callable, images: tf.Tensor) -> tf.Tensor:
    """||grad D(x)|| at each image, float32 [N].

    Args:
        critic: images [N, H, W, C] -> scores [N], called with `training=True`.
        images: float32 [N, H, W, C].
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = critic(images, training=True)
    squares = tf.reduce_sum(tf.square(tape.gradient(scores, images)), axis=[1, 2, 3])
    return tf.sqrt(tf.maximum(squares, LEAST_SQUARED_NORM))


def one_centred(critic: Callable, real: tf.Tensor, fake: tf.Tensor, mix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean of (||grad D(x)|| - 1)^2 at x = mix * real + (1 - mix) * fake, and of the norm; two scalars.

    Equation 3 of Gulrajani et al. 2017, unweighted.

    Args:
        critic: as in `gradient_norm`.
        real, fake: float32 [N, H, W, C].
        mix: float32 [N, 1, 1, 1] in 0..1.
    """
    norm = gradient_norm(critic, mix * real + (1.0 - mix) * fake)
    return tf.reduce_mean(tf.square(norm - 1.0)), tf.reduce_mean(norm)


def zero_centred(critic: Callable, real: tf.Tensor, fake: tf.Tensor, mix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Half the mean of ||grad D(x)||^2 at real images plus the same at generated ones, and the mean norm; two scalars.

    R1 + R2 of Mescheder et al. 2018 (arXiv 1801.04406), equations 9 and 10, unweighted.  `mix` is not used.
    """
    norms = [gradient_norm(critic, images) for images in (real, fake)]
    return 0.5 * tf.add_n([tf.reduce_mean(tf.square(norm)) for norm in norms]), tf.reduce_mean(norms)


PENALTIES = {"one_centred": one_centred, "zero_centred": zero_centred}  # to add one: its name in config.py, too


def discriminator_loss(real_scores: tf.Tensor, fake_scores: tf.Tensor) -> tf.Tensor:
    """-E[log s(D(real))] - E[log(1 - s(D(fake)))], s: sigmoid, scalar.  Equation 1 of Goodfellow et al. 2014."""
    return tf.reduce_mean(tf.nn.softplus(-real_scores)) + tf.reduce_mean(tf.nn.softplus(fake_scores))


def non_saturating_loss(fake_scores: tf.Tensor) -> tf.Tensor:
    """-E[log s(D(fake))], s: sigmoid, scalar.  The generator's loss in section 3 of Goodfellow et al. 2014."""
    return tf.reduce_mean(tf.nn.softplus(-fake_scores))
