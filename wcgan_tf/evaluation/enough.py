"""Which labels have enough real images for scores.  No TensorFlow, so that it is known before any training."""

from collections.abc import Iterable

from wcgan_tf.config import Config
from wcgan_tf.core.labels import label_title
from wcgan_tf.data import prepared
from wcgan_tf.evaluation.classifier_files import TRAINED_HERE

FEWEST = 10  # images of each kind that a score needs
HELD_OUT = 5  # every fifth training image of a label is held out from the domain classifier's training
NAMED = 5  # labels in a message


def too_small(config: Config, labels: Iterable[int], classifier: str) -> list[int]:
    """The labels with too few images to be scored: of the split `evaluate.split`, or of the floor's images."""
    split, dataset = config.evaluate.split, config.dataset
    others = "train" if split == "test" else "test"
    share = HELD_OUT if classifier == TRAINED_HERE else 1
    return [
        label
        for label in labels
        if min(prepared.count(dataset, split, label), prepared.count(dataset, others, label) // share) < FEWEST
    ]


def in_words(config: Config, small: list[int], classifier: str) -> str:
    """A line about labels that are too small; `small` has one at least."""
    names = prepared.label_names(config.dataset)
    named = ", ".join(label_title(label, names[label]) for label in small[:NAMED])
    more = f" and {len(small) - NAMED} more" if len(small) > NAMED else ""
    train, test = (FEWEST * HELD_OUT if classifier == TRAINED_HERE else FEWEST), FEWEST
    return f"too few images for scores, which want {train} training and {test} test images: {named}{more}"
