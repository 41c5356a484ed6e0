"""TF-GAN's functions, reached by our door, against answers known on paper."""

import numpy as np
import pytest

from wcgan_tf import metrics, tfgan


def seen(features=None, logits=None, labels=None) -> metrics.Seen:
    return metrics.Seen(features, logits, labels)


def gaussian(mean, deviation, number=40_000) -> metrics.Seen:
    """Activations whose sample mean and covariance are exactly those of N(mean, diag(deviation^2))."""
    raw = np.random.default_rng(0).normal(size=(number, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return seen(features=(white * deviation + mean).astype(np.float32))


def test_tf_gans_evaluation_is_the_installed_one():
    module = tfgan.evaluation()
    assert "tensorflow_gan/python/eval" in module.__file__
    assert tfgan.evaluation() is module


def test_frechet_distance_of_two_gaussians():
    # |m1 - m2|^2 + sum (s1 - s2)^2 for diagonal covariances: 1 + 4 + (2 - 1)^2 + (1 - 3)^2 = 10
    one, other = gaussian([0.0, 0.0], [1.0, 3.0]), gaussian([1.0, 2.0], [2.0, 1.0])
    assert metrics.fcd(one, other) == pytest.approx(10.0, rel=1e-3)
    assert metrics.fcd(one, one) == pytest.approx(0.0, abs=1e-3)


def test_classifier_score_of_sure_and_of_blind_predictions():
    sure = seen(logits=100 * np.eye(5, dtype=np.float32)[np.arange(50) % 5])
    assert metrics.classifier_score(sure, sure) == pytest.approx(5.0, rel=1e-4)
    blind = seen(logits=np.zeros([50, 5], np.float32))
    assert metrics.classifier_score(blind, blind) == pytest.approx(1.0, rel=1e-4)


def test_classifier_score_of_a_collapse_is_one():
    collapsed = seen(logits=100 * np.eye(5, dtype=np.float32)[np.zeros(50, int)])
    assert metrics.classifier_score(collapsed, collapsed) == pytest.approx(1.0, rel=1e-4)


def test_recognised_counts_the_images_that_keep_their_label():
    outputs = seen(logits=np.eye(3, dtype=np.float32)[[0, 1, 2, 2]], labels=np.array([0, 1, 2, 0]))
    assert metrics.recognised(outputs, outputs) == 0.75
