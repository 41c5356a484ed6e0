"""Images of all labels together, for the pretraining.  No TensorFlow."""

import numpy as np

from wcgan_tf.config import Dataset
from wcgan_tf.core import files
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
        UserError: if images of a label are damaged.
    """
    names = prepared.label_names(dataset)
    labels = [label for label in range(len(names)) if prepared.count(dataset, "train", label)]
    parts, digests = [], []
    for label in labels:
        images, *_, digest, _ = prepared.label_images(dataset, "train", label)
        most = min(MOST_IMAGES, MOST_BYTES // images[0].nbytes)
        number = min(len(images), max(1, most // len(labels)))
        parts.append(images[np.linspace(0, len(images), number, endpoint=False).astype(int)])
        digests.append(digest)
    of_each = np.repeat(np.array(labels, np.int32), [len(part) for part in parts])
    return Mixture(np.concatenate(parts), len(names), NAME, files.digest_json(digests), of_each)
