"""Images of all labels together, for the pretraining.  No TensorFlow."""

import numpy as np

from wcgan_tf.config import Dataset
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data import prepared
from wcgan_tf.data.prepared import LabelImages

MOST_IMAGES, MOST_BYTES = 50_000, 2**30
NAME = "all labels"


class Mixture(LabelImages):
    """Images of all labels with the label of each, and as their own label the index after the last."""

    @property
    def title(self) -> str:
        return "pretraining"


def of_all_labels(dataset: Dataset) -> Mixture:
    """Training images of all prepared labels, as many of each if there are enough, evenly spaced in their order.

    At most MOST_IMAGES, and at most MOST_BYTES, but at least one of each label.

    Raises:
        UserError: if there are none, or images of a label are damaged.
    """
    names, labels = prepared.label_names(dataset), _prepared_labels(dataset)
    if not labels:
        raise UserError(f"no training images in {DatasetPaths.of(dataset).folder}; run: ", prepared.PREPARE)
    parts = []
    for label in labels:
        images = prepared.label_images(dataset, "train", label).images
        most = min(MOST_IMAGES, MOST_BYTES // images[0].nbytes)
        number = min(len(images), max(1, most // len(labels)))
        parts.append(images[np.linspace(0, len(images), number, endpoint=False).astype(int)])
    of_each = np.repeat(np.array(labels, np.int32), [len(part) for part in parts])
    return Mixture(np.concatenate(parts), len(names), NAME, digest(dataset), of_each)


def digest(dataset: Dataset) -> str:
    """The digest of `of_all_labels`; opens no images that have a record."""
    return files.digest_json([prepared.digest(dataset, "train", label) for label in _prepared_labels(dataset)])


def _prepared_labels(dataset: Dataset) -> list[int]:
    names = prepared.label_names(dataset)
    return [label for label in range(len(names)) if prepared.count(dataset, "train", label)]
