"""Labels with too few images for scores are known from their records."""

import pytest

from wcgan_tf.core import records
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data.prepared import DatasetInfo, ImageRecord
from wcgan_tf.evaluation import enough


def counts(config, train: list[int], test: list[int]) -> None:
    """Prepared images of so many each, of which there are the records only."""
    paths = DatasetPaths.of(config.dataset)
    records.write(paths.info, DatasetInfo("digits", 8, 1, [f"kind {label}" for label in range(len(train))]))
    for split, numbers in (("train", train), ("test", test)):
        for label, number in enumerate(numbers):
            records.write(paths.record(split, label), ImageRecord(label, "", number, 0, 0, ""))


@pytest.mark.parametrize(
    ("classifier", "split", "small"),
    [
        ("domain", "test", [0, 2]),  # 49 training images, of which 9 are held out; 9 test images
        ("inception", "test", [2]),
        ("inception", "train", [2]),
    ],
)
def test_a_label_is_too_small_by_its_test_images_or_by_those_of_the_floor(config, classifier, split, small):
    counts(config, train=[49, 50, 500], test=[10, 10, 9])
    config.evaluate.split = split
    assert enough.too_small(config, range(3), classifier) == small


def test_small_labels_are_named_up_to_five(config):
    counts(config, train=7 * [1], test=7 * [1])
    assert enough.in_words(config, [0], "domain") == (
        "too few images for scores, which want 50 training and 10 test images: label 0 (kind 0)"
    )
    assert enough.in_words(config, list(range(7)), "inception").startswith("too few images for scores, which want 10 ")
    assert enough.in_words(config, list(range(7)), "inception").endswith("label 4 (kind 4) and 2 more")
