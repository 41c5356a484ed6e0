"""The classification accuracy score."""

import itertools

import numpy as np

from wcgan_tf.evaluation import domain_classifier, evaluator

SHADES = {3: 40, 7: 210}
BATCH = domain_classifier.BATCH_SIZE


class Model:
    """Draws noise around the shade of a label; the shade is the label if it has none."""

    def __init__(self, noise=30):
        self.noise = noise
        self.asked = []  # number of images in each request

    def latents(self, labels, seed, first, end, truncation):
        return np.random.default_rng(first).integers(-self.noise, self.noise + 1, [end - first, 8, 8, 1])

    def images(self, labels, latents):
        self.asked.append(len(labels))
        return (np.array([SHADES.get(label, label) for label in labels])[:, None, None, None] + latents).astype(
            np.uint8
        )


def test_distinct_labels_have_a_high_classification_accuracy():
    model, labels = Model(), list(SHADES)
    real = [model.images([label] * 20, model.latents(label, 0, 10**6, 10**6 + 20, None)) for label in labels]
    looks = 40 * BATCH
    assert evaluator.classification_accuracy(model, labels, real, looks, False, 0) > 0.95
    assert evaluator.classification_accuracy(model, labels, real[::-1], looks, False, 0) < 0.05


def test_larger_images_are_fewer():
    assert [evaluator.most_seen(side) for side in (8, 32, 64, 256)] == [100_000, 100_000, 50_000, 12_500]


def test_many_labels_are_drawn_several_images_at_a_time(monkeypatch):
    """The model runs once for each label in a request; the labels do not depend on how many are drawn."""
    labels, drawn = np.arange(100, 200), []
    for room, size in ((2**26, 6 * BATCH), (3 * BATCH * 64, 3 * BATCH), (1, BATCH)):
        monkeypatch.setattr(evaluator, "MOST_DRAWN_BYTES", room)
        model = Model(noise=0)
        batches = list(itertools.islice(evaluator.drawn_batches(model, labels, 64, seed=0), 7))
        for images, places in batches:
            assert images.shape == (BATCH, 8, 8, 1)
            np.testing.assert_array_equal(images[:, 0, 0, 0], labels[places])
        drawn.append([places for _, places in batches])
        assert set(model.asked) == {size}
    np.testing.assert_array_equal(drawn[1:], [drawn[0]] * 2)
