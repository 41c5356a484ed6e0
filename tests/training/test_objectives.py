"""The table of objectives: complete, and as in the papers."""

import math

import pytest
import tensorflow as tf

from wcgan_tf.config import DECLARATIONS
from wcgan_tf.training import losses
from wcgan_tf.training.objectives import OBJECTIVES


def test_the_names_are_those_of_the_settings():
    assert tuple(OBJECTIVES) == DECLARATIONS["train.objective"].choices


def test_the_loss_of_an_undecided_discriminator_is_two_log_two():
    nothing = tf.zeros([5])
    assert float(losses.discriminator_loss(nothing, nothing)) == pytest.approx(2 * math.log(2))
    assert float(losses.non_saturating_loss(nothing)) == pytest.approx(math.log(2))


def probability(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_bce_is_the_negative_mean_log_probability():
    real, fake = tf.constant([2.0, -1.0]), tf.constant([0.5, 3.0])
    expected = -(math.log(probability(2)) + math.log(probability(-1))) / 2
    expected -= (math.log(1 - probability(0.5)) + math.log(1 - probability(3))) / 2
    assert float(losses.discriminator_loss(real, fake)) == pytest.approx(expected)
    expected = -(math.log(probability(0.5)) + math.log(probability(3))) / 2
    assert float(losses.non_saturating_loss(fake)) == pytest.approx(expected)


def test_extreme_logits_give_finite_losses():
    far = tf.constant([-1e4, 1e4])
    assert math.isfinite(float(losses.discriminator_loss(far, far)))
    assert math.isfinite(float(losses.non_saturating_loss(far)))


def test_only_a_critic_has_the_penalty_and_only_a_discriminator_has_batch_norm():
    for objective in OBJECTIVES.values():
        assert objective.wasserstein != objective.batch_norm
        assert ("gradient_penalty" in objective.logged) == objective.wasserstein
        assert {objective.critic_loss_name, "generator_loss"} <= set(objective.logged)
