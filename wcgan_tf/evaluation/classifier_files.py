"""Checks that a classifier's files exist.  No TensorFlow, so that a missing file is an error before any work."""

from pathlib import Path

from wcgan_tf.config import Dataset
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.paths import inception_folder, is_saved_model

TRAINED_HERE = "domain"


def refuse_unusable(name: str, dataset: Dataset, split: str) -> None:
    """Check that a classifier can score images against real images of a split.

    Args:
        name: `domain`, `inception`, or the path of a SavedModel.

    Raises:
        UserError: if it was trained on that split, or if its files are missing; the error says how to get them.
    """
    if name == TRAINED_HERE and split == "train":
        raise UserError("the domain classifier was trained on the split `train`; type --config.evaluate.split=test")
    inception = inception_folder(dataset.data_dir)
    if name == "inception" and not is_saved_model(inception):
        raise UserError(
            f"Inception is not in {inception}; where there is a network, run: ",
            Command("prepare", "--classifier=inception"),
            ", and copy that folder to where there is none; or score with --config.evaluate.classifier=domain",
        )
    if name not in (TRAINED_HERE, "inception") and not is_saved_model(Path(name)):
        raise UserError(
            f"there is no SavedModel in {name}; the classifier may be domain, inception, or the path of one"
        )
