import numpy as np
import pytest

from wcgan_tf import classifiers
from wcgan_tf.paths import DatasetPaths


@pytest.fixture
def images(config):
    return [classifiers.real_images(config.dataset, split, list(range(10)), "") for split in ("train", "test")]


def test_every_fifth_image_of_each_label_is_held_out(images):
    train = images[0]
    kept, held = classifiers.without_held_out(train)
    assert len(kept.labels) + len(held.labels) == len(train.labels) == len(train.images)
    for label in range(10):
        of_label = train.images[train.labels == label]
        np.testing.assert_array_equal(held.images[held.labels == label], of_label[4::5])
        assert (kept.labels == label).sum() == len(of_label) - len(of_label[4::5])


def test_it_learns_digits_once_and_knows_other_images_apart(config, images, monkeypatch):
    monkeypatch.setattr(classifiers, "IMAGES_SEEN", 20_000)
    kept, _ = classifiers.without_held_out(images[0])
    said = []
    first = classifiers.domain(config.dataset, kept, images[1], said.append)
    assert first.accuracy > 0.95
    assert len(said) == 1
    again = classifiers.domain(config.dataset, kept, images[1], said.append)
    assert len(said) == 1
    for one, other in zip(first(images[1].images), again(images[1].images), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first(images[1].images)[0].shape == (len(images[1].labels), classifiers.FEATURES)
    assert DatasetPaths.of(config.dataset).classifier(first.digest).exists()
    darker = classifiers.Images(kept.images // 2, kept.labels)
    classifiers.domain(config.dataset, darker, images[1], said.append)
    assert len(said) == 2
