"""The files of a classifier that is a SavedModel.  No TensorFlow: a missing file is an error before any work."""

from pathlib import Path

from wcgan_tf.config import Dataset
from wcgan_tf.core import files, listing
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.paths import inception_folder, is_saved_model

TRAINED_HERE = "domain"


def folder_of(name: str, dataset: Dataset) -> Path:
    """The folder of a SavedModel: of `inception`, or of the classifier at a path."""
    return inception_folder(dataset.data_dir) if name == "inception" else Path(name)


def digest(folder: Path) -> str:
    """One digest of all files of a SavedModel."""
    return files.digest_json([files.digest_file(path) for path in sorted(listing.all_files(folder)) if path.is_file()])


def refuse_unusable(name: str, dataset: Dataset, split: str) -> None:
    """Check that a classifier can score images against real images of a split.

    Args:
        name: `domain`, `inception`, or the path of a SavedModel.

    Raises:
        UserError: if it was trained on that split, or if its files are missing; the error says how to get them.
    """
    if name == TRAINED_HERE and split == "train":
        raise UserError("the domain classifier was trained on the split `train`; type --config.evaluate.split=test")
    folder = folder_of(name, dataset)
    if name == "inception" and not is_saved_model(folder):
        raise UserError(
            f"Inception is not in {folder}; where there is a network, run: ",
            Command("prepare", "--classifier=inception"),
            ", and copy that folder to where there is none; or score with --config.evaluate.classifier=domain",
        )
    if name not in (TRAINED_HERE, "inception") and not is_saved_model(folder):
        raise UserError(
            f"there is no SavedModel in {name}; the classifier may be domain, inception, or the path of one"
        )
