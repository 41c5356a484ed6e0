"""The classification accuracy score of a model with clearly distinct labels."""

import numpy as np

from wcgan_tf.evaluation import domain_classifier, evaluator

SHADES = {3: 40, 7: 210}


class Model:
    """Draws noise around the shade of a label."""

    def latents(self, labels, seed, first, end, truncation):
        return np.random.default_rng(first).integers(-30, 30, [end - first, 8, 8, 1])

    def images(self, labels, latents):
        return (np.array([SHADES[label] for label in labels])[:, None, None, None] + latents).astype(np.uint8)


def test_distinct_labels_have_a_high_classification_accuracy():
    model, labels = Model(), list(SHADES)
    real = [model.images([label] * 20, model.latents(label, 0, 10**6, 10**6 + 20, None)) for label in labels]
    looks = 40 * domain_classifier.BATCH_SIZE
    assert evaluator.classification_accuracy(model, labels, real, looks, False, 0) > 0.95
    assert evaluator.classification_accuracy(model, labels, real[::-1], looks, False, 0) < 0.05
