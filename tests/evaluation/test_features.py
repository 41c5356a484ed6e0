"""What a classifier saw: kept for real images, never of others, in an order that is always the same."""

import numpy as np
import pytest

from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.evaluation import features, seen
from wcgan_tf.evaluation.classifiers import Classifier


class Eyes:
    """A classifier that counts what it looks at."""

    def __init__(self, digest="d1", batch_size=7):
        self.looked = 0
        self.classifier = Classifier("eyes", digest, "none", False, batch_size, self.look)

    def look(self, images):
        self.looked += len(images)
        means = images.reshape(len(images), -1).astype(np.float32)
        return means[:, :5], means[:, 5:8]


def test_real_images_are_looked_at_once_for_each_classifier(config):
    eyes = Eyes()
    first = features.real(config.dataset, "test", 3, eyes.classifier, "")
    looked = eyes.looked
    assert looked == datasets.count(config.dataset, "test", 3)
    again = features.real(config.dataset, "test", 3, eyes.classifier, "")
    assert eyes.looked == looked
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    others = Eyes(digest="d2")
    features.real(config.dataset, "test", 3, others.classifier, "")
    assert others.looked == looked


def test_what_is_kept_of_other_images_or_damaged_is_not_used(config):
    eyes = Eyes()
    one = features.real(config.dataset, "test", 3, eyes.classifier, "")
    path = DatasetPaths.of(config.dataset).features("d1", "test", 3)
    seen.keep(path, one._replace(features=one.features + 1), "another digest")
    again = features.real(config.dataset, "test", 3, eyes.classifier, "")
    np.testing.assert_array_equal(again.features, one.features)
    path.write_bytes(path.read_bytes()[:200])
    again = features.real(config.dataset, "test", 3, eyes.classifier, "")
    np.testing.assert_array_equal(again.features, one.features)
    assert eyes.looked == 3 * len(one.keys)


def test_neither_batches_nor_the_order_of_the_images_matter():
    images = np.random.default_rng(0).integers(256, size=(50, 8, 8, 1), dtype=np.uint8)
    whole = features.look(Eyes(batch_size=100).classifier, [images], 2)
    in_batches = features.look(Eyes(batch_size=3).classifier, [images[:20], images[20:]], 2)
    for one, other in zip(whole, in_batches, strict=True):
        np.testing.assert_array_equal(one, other)
    backwards = features.look(Eyes().classifier, [images[::-1]], 2)
    np.testing.assert_array_equal(backwards.features, whole.features)
    np.testing.assert_array_equal(backwards.places, 49 - whole.places)
    np.testing.assert_array_equal(whole.features, images.reshape(50, -1)[whole.places, :5])
    assert (np.diff(whole.keys.astype(float)) > 0).all()
    assert abs(np.corrcoef(whole.places, np.arange(50))[0, 1]) < 0.5  # as good as shuffled


def test_numbers_that_are_not_finite_are_refused_by_the_labels_name():
    eyes = Eyes()
    blind = Classifier(
        "blind", "d", "none", False, 5, lambda images: (np.full([len(images), 2], np.nan), np.ones([len(images), 3]))
    )
    images = np.zeros([4, 8, 8, 1], np.uint8)
    with pytest.raises(UserError, match="the classifier blind makes NaN or infinity of images of label 6"):
        features.look(blind, [images], 6)
    assert features.look(eyes.classifier, [images], 6).features.shape == (4, 5)
