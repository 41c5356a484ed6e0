"""Features: cached for real images, not used for other images, always in the same order."""

import dataclasses
import errno
import os

import numpy as np
import pytest

from wcgan_tf.config import default_config
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data import prepared
from wcgan_tf.evaluation import classifiers, features
from wcgan_tf.evaluation.classifiers import Classifier
from wcgan_tf.evaluation.features import ImageFeatures


class Eyes:
    """A classifier that counts the images it sees."""

    def __init__(self, digest="d1", batch_size=7):
        self.looked = 0
        self.classifier = Classifier("eyes", digest, "none", False, batch_size, self.look)

    def look(self, images):
        self.looked += len(images)
        means = images.reshape(len(images), -1).astype(np.float32)
        return means[:, :5], means[:, 5:8]


def test_features_of_real_images_are_extracted_once_per_classifier(config):
    eyes = Eyes()
    first = features.extract_real(config.dataset, "test", 3, eyes.classifier)
    looked = eyes.looked
    assert looked == prepared.count(config.dataset, "test", 3)
    again = features.extract_real(config.dataset, "test", 3, eyes.classifier)
    assert eyes.looked == looked
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    others = Eyes(digest="d2")
    features.extract_real(config.dataset, "test", 3, others.classifier)
    assert others.looked == looked


def test_cached_features_of_other_images_and_damaged_ones_are_not_used(config):
    eyes = Eyes()
    one = features.extract_real(config.dataset, "test", 3, eyes.classifier)
    path = DatasetPaths.of(config.dataset).features("d1", "test", 3)
    features.save(path, one._replace(features=one.features + 1), "another digest")
    again = features.extract_real(config.dataset, "test", 3, eyes.classifier)
    np.testing.assert_array_equal(again.features, one.features)
    path.write_bytes(path.read_bytes()[:200])
    again = features.extract_real(config.dataset, "test", 3, eyes.classifier)
    np.testing.assert_array_equal(again.features, one.features)
    assert eyes.looked == 3 * len(one.keys)


def test_features_with_any_one_bit_flipped_are_not_used_or_are_the_same(tmp_path):
    path = tmp_path / "00003.npz"
    part = np.arange(6, dtype=np.float32).reshape(2, 3)
    written = ImageFeatures(part, part, np.array([7, 8]), np.array([3, 3]), np.array([0, 1]))
    features.save(path, written, "d1")
    content, unused = path.read_bytes(), 0
    for place in range(0, 8 * len(content), 5):  # bits
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        found = features.load(path, "d1")
        unused += found is None
        assert found is None or all(map(np.array_equal, found, written))
    assert unused > 0.4 * 8 / 5 * len(content)  # the others are times and permissions in the file


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_features_that_cannot_be_kept_are_extracted_again_if_the_data_set_is_read_only(config, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(features, "save", refuse)
    eyes = Eyes(digest="d3")
    if number == errno.ENOSPC:
        with pytest.raises(OSError, match="No space"):
            features.extract_real(config.dataset, "test", 3, eyes.classifier)
        return
    for _ in range(2):
        assert len(features.extract_real(config.dataset, "test", 3, eyes.classifier).keys) > 0
    assert eyes.looked == 2 * prepared.count(config.dataset, "test", 3)


def test_features_do_not_depend_on_batches_or_order():
    images = np.random.default_rng(0).integers(256, size=(50, 8, 8, 1), dtype=np.uint8)
    whole = features.extract(Eyes(batch_size=100).classifier, [images], 2)
    in_batches = features.extract(Eyes(batch_size=3).classifier, [images[:20], images[20:]], 2)
    for one, other in zip(whole, in_batches, strict=True):
        np.testing.assert_array_equal(one, other)
    backwards = features.extract(Eyes().classifier, [images[::-1]], 2)
    np.testing.assert_array_equal(backwards.features, whole.features)
    np.testing.assert_array_equal(backwards.places, 49 - whole.places)
    np.testing.assert_array_equal(whole.features, images.reshape(50, -1)[whole.places, :5])
    assert (np.diff(whole.keys.astype(float)) > 0).all()
    assert abs(np.corrcoef(whole.places, np.arange(50))[0, 1]) < 0.5  # as good as shuffled


def test_logits_that_are_a_function_of_the_features_are_not_kept(config):
    eyes = dataclasses.replace(Eyes(digest="d4").classifier, head=lambda seen: seen[:, :2] + seen[:, 2:3])
    first = features.extract_real(config.dataset, "test", 3, eyes)
    path = DatasetPaths.of(config.dataset).features("d4", "test", 3)
    with np.load(path) as file:
        assert "logits" not in file
    again = features.extract_real(config.dataset, "test", 3, eyes)
    np.testing.assert_array_equal(first.logits, eyes.head(first.features))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_domain_classifiers_head_makes_its_logits(digits):
    dataset = default_config().dataset
    dataset.data_dir = str(digits / "data")
    classifier = classifiers.load("domain", dataset, lambda _: None)
    images = prepared.label_images(dataset, "test", 3).images
    seen, logits = classifier.predict(images)
    np.testing.assert_allclose(classifier.head(seen), logits, rtol=1e-4, atol=1e-4)


def test_features_that_are_not_finite_are_an_error():
    eyes = Eyes()
    blind = Classifier(
        "blind", "d", "none", False, 5, lambda images: (np.full([len(images), 2], np.nan), np.ones([len(images), 3]))
    )
    images = np.zeros([4, 8, 8, 1], np.uint8)
    with pytest.raises(UserError, match="the classifier blind makes NaN or infinity of images of label 6"):
        features.extract(blind, [images], 6)
    assert features.extract(eyes.classifier, [images], 6).features.shape == (4, 5)
