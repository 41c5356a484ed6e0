"""The table of scores on real digits: what spoils images moves the right scores the right way."""

import numpy as np
import pytest

from wcgan_tf.config import default_config
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import prepared as datasets
from wcgan_tf.evaluation import classifiers, features, seen
from wcgan_tf.evaluation import domain_classifier as domain
from wcgan_tf.evaluation import scores as scoring

LABELS = range(10)


@pytest.fixture(scope="module")
def eyes(digits):
    """The domain classifier of the digits."""
    dataset = default_config().dataset
    dataset.data_dir = str(digits / "data")
    return classifiers.load("domain", dataset, "", lambda _: None)


@pytest.fixture(scope="module")
def images():
    """label -> its images that the classifier was not trained on, the test's, and those that it was trained on."""
    dataset = default_config().dataset
    parts = {}
    for label in LABELS:
        train = datasets.label_images(dataset, "train", label, "").images
        held = domain.held_out(np.arange(len(train)))
        parts[label] = (train[held], datasets.label_images(dataset, "test", label, "").images, train)
    return parts


@pytest.fixture(scope="module")
def scores(eyes, images):
    """A function: how the held-out images score after `change(label, images)`."""
    looked = seen.join([features.look(eyes, [images[k][1]], k) for k in LABELS])

    def of(change=lambda label, pixels: pixels, table=scoring.SCORES):
        samples = [features.look(eyes, [change(label, images[label][0])], label) for label in LABELS]
        return scoring.scores(scoring.Sets(seen.join(samples), looked), table, own_labels=True)

    return of


def better(one: dict, other: dict, *names: str) -> None:
    """That `one` is clearly better in all these scores."""
    low = {"kcd", "fcd"}
    for name in names:
        difference = (one[name] - other[name]) * (-1 if name in low else 1)
        assert difference > 0.1 * abs(one[name]) + 0.01, (name, one[name], other[name])


def test_real_images_score_well(scores):
    real = scores()
    assert abs(real["kcd"]) < 0.02
    assert real["classifier_score"] > 6.0
    assert real["recognised"] > 0.95
    assert min(real[name] for name in ("precision", "recall", "density", "coverage")) > 0.8


def test_dropped_labels_are_seen(scores):
    dropped = scores(lambda label, pixels: pixels if label > 1 else np.full_like(pixels, 0))  # 0 and 1 are black
    better(scores(), dropped, "kcd", "fcd", "coverage", "classifier_score")


def test_a_collapse_is_seen(scores):
    collapsed = scores(lambda label, pixels: np.repeat(pixels[:1], len(pixels), axis=0))
    better(scores(), collapsed, "kcd", "fcd", "coverage", "recall")


def test_noise_and_blur_are_seen(scores):
    noise = np.random.default_rng(0)
    noisy = scores(lambda _, x: np.clip(x + noise.normal(scale=80, size=x.shape), 0, 255).astype(np.uint8))
    better(scores(), noisy, "kcd", "fcd", "precision", "density", "recognised")
    blurred = scores(
        lambda _, x: ((x.astype(int) + np.roll(x, 1, 1) + np.roll(x, 1, 2) + np.roll(x, -1, 1)) // 4).astype(np.uint8)
    )
    better(scores(), blurred, "kcd", "fcd", "recall", "density", "coverage")  # all alike, but none is unlike a digit


def test_copies_of_training_images_are_seen(eyes, images):
    looked = [features.look(eyes, [images[3][place]], 3) for place in (0, 1, 2)]
    held, test, train = looked
    copied = scoring.nearest_train(scoring.Sets(held, test, train))["nearest_train"]  # they are in train
    unseen = scoring.nearest_train(scoring.Sets(test, test, train))["nearest_train"]
    assert copied == pytest.approx(0.0, abs=1e-3)
    assert unseen > 0.5


def test_what_stands_for_real_images_is_asked_of_unseen_ones_where_that_matters(eyes, images):
    held, test, train = (features.look(eyes, [images[3][place]], 3) for place in (0, 1, 2))
    values = scoring.scores(scoring.Sets(held, test, train), scoring.SCORES_ALONE, True, unseen=test)
    assert values["nearest_train"] == scoring.nearest_train(scoring.Sets(test, test, train))["nearest_train"]
    assert values["fcd"] == scoring.frechet_alone(scoring.Sets(held, test, train))["fcd"]


def test_both_distances_are_given_where_they_differ(monkeypatch):
    a = seen.Seen(
        np.random.default_rng(0).normal(size=(50, 4)), np.zeros([50, 2]), np.zeros(50), np.arange(50), np.arange(50)
    )
    sets = scoring.Sets(a, a._replace(features=a.features + 1), a)
    assert scoring.frechet(sets) == {"fcd": pytest.approx(4.0)}
    monkeypatch.setattr(scoring.metrics, "frechet_distance", lambda *_: 4.002)
    assert scoring.frechet(sets) == {"fcd": pytest.approx(4.0), "fcd_own": 4.002}


def test_only_inceptions_scores_are_called_is_fid_and_kid():
    values = {"classifier_score": 1.0, "classifier_score_deviation": 2.0, "fcd": 3.0, "kcd_own": 4.0, "recall": 5.0}
    assert scoring.named(values, "domain") == values
    assert scoring.named(values, "inception") == {
        "is": 1.0,
        "is_deviation": 2.0,
        "fid": 3.0,
        "kid_own": 4.0,
        "recall": 5.0,
    }


def test_too_few_images_are_refused(eyes, images):
    held, test, train = (features.look(eyes, [images[3][place]], 3) for place in (0, 1, 2))
    few = test.at(np.arange(9))
    with pytest.raises(UserError, match="9 real images of label 3 are too few for a score, which wants 10"):
        scoring.scores(scoring.Sets(held, few, train), scoring.SCORES_ALONE, True)
