"""The losses against answers known on paper."""

import pytest
import tensorflow as tf

from wcgan_tf.training import losses

REAL = tf.zeros([4, 3, 3, 1])
FAKE = tf.ones([4, 3, 3, 1])
MIX = tf.fill([4, 1, 1, 1], 0.25)


def penalty(critic) -> float:
    return float(losses.one_centred(critic, REAL, FAKE, MIX)[0])


def test_the_estimate_is_the_difference_of_means():
    real, fake = tf.constant([1.0, 3.0]), tf.constant([-1.0, 0.0])
    assert float(losses.wasserstein_estimate(real, fake)) == 2.5
    assert float(losses.critic_loss(real, fake)) == -2.5
    assert float(losses.generator_loss(fake)) == 0.5


def test_a_critic_of_slope_three_has_penalty_four():
    assert penalty(lambda x, training: 3.0 * x[:, 0, 0, 0]) == pytest.approx(4.0)


def test_a_critic_of_slope_one_has_no_penalty():
    assert penalty(lambda x, training: x[:, 1, 2, 0]) == pytest.approx(0.0)


def test_the_gradient_is_taken_between_real_and_fake():
    # D(x) = sum of x^2 over 9 pixels; x = 0.25 * 0 + 0.75 * 1, so |grad| = 2 * 0.75 * 3.
    assert float(losses.one_centred(sum_of_squares, REAL, FAKE, MIX)[1]) == pytest.approx(4.5)


def sum_of_squares(x, training):
    return tf.reduce_sum(x**2, [1, 2, 3])


def test_the_zero_centred_penalty_is_half_the_squared_slopes_at_real_and_at_fake():
    # |grad| = 2 * x * 3, so 3 at real images of 0.5 and 6 at generated ones of 1.
    penalty, norm = losses.zero_centred(sum_of_squares, REAL + 0.5, FAKE, MIX)
    assert float(penalty) == pytest.approx(0.5 * (9.0 + 36.0))
    assert float(norm) == pytest.approx(4.5)


def test_a_flat_critic_has_penalty_one_and_a_finite_gradient():
    slope = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        value, _ = losses.one_centred(lambda x, training: slope * x[:, 0, 0, 0], REAL, FAKE, MIX)
    assert float(value) == pytest.approx(1.0)
    assert float(tape.gradient(value, slope)) == pytest.approx(0.0)
