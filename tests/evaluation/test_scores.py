"""The table of scores on real digits: spoiled images move the right scores in the right direction."""

import numpy as np
import pytest

from wcgan_tf.config import default_config
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import prepared
from wcgan_tf.evaluation import classifiers, domain_classifier, features
from wcgan_tf.evaluation.metrics import frechet_distance, kernel_distance, manifold
from wcgan_tf.evaluation.scores import MEANINGS, Sets, compute, compute_alone, display_name, nearest_train

LABELS = range(10)


@pytest.fixture(scope="module")
def eyes(digits):
    """The domain classifier of the digits."""
    dataset = default_config().dataset
    dataset.data_dir = str(digits / "data")
    return classifiers.load("domain", dataset, lambda _: None)


@pytest.fixture(scope="module")
def images():
    """label -> training images held out from the classifier, test images, and all training images."""
    dataset = default_config().dataset
    parts = {}
    for label in LABELS:
        train = prepared.label_images(dataset, "train", label).images
        held = domain_classifier.held_out(np.arange(len(train)))
        parts[label] = (train[held], prepared.label_images(dataset, "test", label).images, train)
    return parts


@pytest.fixture(scope="module")
def scores(eyes, images):
    """A function that scores the held-out images after `change(label, images)`."""
    looked = features.join([features.extract(eyes, [images[k][1]], k) for k in LABELS])

    def of(change=lambda label, pixels: pixels):
        samples = [features.extract(eyes, [change(label, images[label][0])], label) for label in LABELS]
        return compute(Sets(features.join(samples), looked), own_labels=True)

    return of


def better(one: dict, other: dict, *names: str) -> None:
    """Assert that `one` is clearly better in all these scores."""
    low = {"kernel_distance", "frechet_distance"}
    for name in names:
        difference = (one[name] - other[name]) * (-1 if name in low else 1)
        assert difference > 0.1 * abs(one[name]) + 0.01, (name, one[name], other[name])


def test_real_images_score_well(scores):
    real = scores()
    assert abs(real["kernel_distance"]) < 0.02
    assert real["classifier_score"] > 6.0
    assert real["recognised"] > 0.95
    assert min(real[name] for name in ("precision", "recall", "density", "coverage")) > 0.8


def test_dropped_labels_worsen_the_scores(scores):
    dropped = scores(lambda label, pixels: pixels if label > 1 else np.full_like(pixels, 0))  # 0 and 1 are black
    better(scores(), dropped, "kernel_distance", "frechet_distance", "coverage", "classifier_score")


def test_a_collapse_worsens_the_scores(scores):
    collapsed = scores(lambda label, pixels: np.repeat(pixels[:1], len(pixels), axis=0))
    better(scores(), collapsed, "kernel_distance", "frechet_distance", "coverage", "recall")


def test_noise_and_blur_worsen_the_scores(scores):
    noise = np.random.default_rng(0)
    noisy = scores(lambda _, x: np.clip(x + noise.normal(scale=80, size=x.shape), 0, 255).astype(np.uint8))
    better(scores(), noisy, "kernel_distance", "frechet_distance", "precision", "density", "recognised")
    blurred = scores(
        lambda _, x: ((x.astype(int) + np.roll(x, 1, 1) + np.roll(x, 1, 2) + np.roll(x, -1, 1)) // 4).astype(np.uint8)
    )
    # All alike, but all still look like digits.
    better(scores(), blurred, "kernel_distance", "frechet_distance", "recall", "density", "coverage")


def test_copies_of_training_images_lower_nearest_train(eyes, images):
    looked = [features.extract(eyes, [images[3][place]], 3) for place in (0, 1, 2)]
    held, test, train = looked
    copied = nearest_train(Sets(held, test, train))["nearest_train"]  # `held` is in `train`
    unseen = nearest_train(Sets(test, test, train))["nearest_train"]
    assert copied == pytest.approx(0.0, abs=1e-3)
    assert unseen > 0.5


def test_the_nearest_training_image_is_measured_for_unseen_real_images(eyes, images):
    held, test, train = (features.extract(eyes, [images[3][place]], 3) for place in (0, 1, 2))
    values = compute_alone(Sets(held, test, train), True, unseen=test)
    assert values["nearest_train"] == nearest_train(Sets(test, test, train))["nearest_train"]
    assert values["frechet_distance"] == frechet_distance(test.features, held.features)


def noise(number: int, shift: float = 0.0) -> features.ImageFeatures:
    values = np.random.default_rng(number).normal(shift, size=(number, 4))
    indices = np.arange(number)
    return features.ImageFeatures(values, values[:, :2], np.zeros(number, int), indices, indices)


@pytest.mark.parametrize("number", [20, 1024, 1100, 2500])
def test_tf_gans_distances_and_ours_agree_and_the_keys_are_always_the_same(number):
    """TF-GAN's kernel distance is the mean of unbiased estimates over blocks of 1,024, not the estimate over all."""
    reference, samples = noise(number + 1), noise(number, shift=0.5)
    together = compute(Sets(samples, reference), own_labels=True)
    alone = compute_alone(Sets(samples, reference, reference), own_labels=True)
    assert together.keys() == compute(Sets(noise(30), noise(40)), own_labels=True).keys()
    assert alone.keys() == compute_alone(Sets(noise(30), noise(40), noise(40)), own_labels=True).keys()
    assert {key.removesuffix("_deviation") for key in together | alone} == MEANINGS.keys() - {"accuracy"}
    assert (together["kernel_distance_deviation"] is None) == (number < 1024)
    assert together["frechet_distance"] == pytest.approx(frechet_distance(reference.features, samples.features))
    ours = kernel_distance(reference.features, samples.features)
    assert together["kernel_distance"] == pytest.approx(ours, rel=1e-9 if number < 1024 else 0.2)
    assert alone["kernel_distance"] == ours


def test_neighbours_are_sought_among_a_limited_number_of_images(monkeypatch):
    monkeypatch.setattr("wcgan_tf.evaluation.scores.MOST_NEIGHBOURS", 30)
    sets = Sets(noise(40, shift=0.5), noise(50))
    few = manifold(sets.reference.features[:30], sets.samples.features[:30])
    assert compute(sets, own_labels=True).items() >= few._asdict().items()


def test_only_inceptions_scores_are_called_fid_and_kid():
    assert [display_name(key, "inception") for key in ("frechet_distance", "kernel_distance")] == ["fid", "kid"]
    assert [display_name(key, "domain") for key in ("frechet_distance", "kernel_distance")] == ["fcd", "kcd"]
    assert display_name("nearest_train", "inception") == "nearest train"


def test_too_few_images_are_refused(eyes, images):
    held, test, train = (features.extract(eyes, [images[3][place]], 3) for place in (0, 1, 2))
    few = test.select(np.arange(9))
    with pytest.raises(UserError, match="9 real images of label 3 are too few for a score, which wants 10"):
        compute_alone(Sets(held, few, train), True)
