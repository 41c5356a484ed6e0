"""Images of all labels together."""

import numpy as np
import pytest

from wcgan_tf.core.errors import UserError
from wcgan_tf.data import mixture, prepared


@pytest.fixture(autouse=True)
def own_labels(monkeypatch):
    """Three labels, of 10, 4 and 7 images, and one that is not prepared; an image is 16 * label + its place."""

    def label_images(dataset, split, label):
        assert split == "train"
        values = 16 * label + np.arange([10, 4, 7][label], dtype=np.uint8)
        return prepared.LabelImages(np.tile(values[:, None, None, None], [1, 8, 8, 1]), label, "x", f"d{label}")

    monkeypatch.setattr(prepared, "label_names", lambda dataset: ["a", "b", "c", "d"])
    monkeypatch.setattr(prepared, "count", lambda dataset, split, label: [10, 4, 7, 0][label])
    monkeypatch.setattr(prepared, "label_images", label_images)


def values(mixed) -> list[int]:
    return mixed.images[:, 0, 0, 0].tolist()


def test_all_images_are_in_it_if_there_is_room(config):
    mixed = mixture.of_all_labels(config.dataset)
    assert values(mixed) == [*range(10), *range(16, 20), *range(32, 39)]
    assert mixed.labels.tolist() == 10 * [0] + 4 * [1] + 7 * [2]
    assert (mixed.label, mixed.name, mixed.title) == (4, "all labels", "pretraining")


def test_otherwise_as_many_of_each_label_evenly_spaced(config, monkeypatch):
    monkeypatch.setattr(mixture, "MOST_IMAGES", 15)
    mixed = mixture.of_all_labels(config.dataset)
    assert values(mixed) == [0, 2, 4, 6, 8, *range(16, 20), 32, 33, 34, 36, 37]
    assert mixed.labels.tolist() == 5 * [0] + 4 * [1] + 5 * [2]
    monkeypatch.setattr(mixture, "MOST_BYTES", 64)  # one image; but there is one of each label
    assert values(mixture.of_all_labels(config.dataset)) == [0, 16, 32]


def test_its_digest_is_that_of_all_its_labels(config, monkeypatch):
    before = mixture.of_all_labels(config.dataset).digest
    original = prepared.label_images
    monkeypatch.setattr(prepared, "label_images", lambda *of: original(*of)._replace(digest="other"))
    assert mixture.of_all_labels(config.dataset).digest != before


def test_a_data_set_without_a_prepared_label_is_an_error(config, monkeypatch):
    monkeypatch.setattr(prepared, "count", lambda *of: 0)
    with pytest.raises(UserError, match=r"no training images in \S+; run: python -m wcgan_tf.prepare"):
        mixture.of_all_labels(config.dataset)


def test_a_damaged_label_is_an_error(config, monkeypatch):
    def damaged(*of):
        raise UserError("damaged")

    monkeypatch.setattr(prepared, "label_images", damaged)
    with pytest.raises(UserError, match="damaged"):
        mixture.of_all_labels(config.dataset)
