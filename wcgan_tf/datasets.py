"""Where images come from, and how one label's images are found again.  No TensorFlow for what is prepared.

A source yields `(image uint8 [H, W, C], label)`; `prepare` sorts them by label once, and a label process reads one.
Adding a data set: a function here and a row in SOURCES.
"""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wcgan_tf import files
from wcgan_tf.errors import UserError
from wcgan_tf.paths import DatasetPaths

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Source:
    """A data set before it is sorted by label.

    Attributes:
        label_names: one per label, in the order of their indices.
        counts: images per split, or 0 where that is not known beforehand.
        images: split -> iterator over (uint8 [H, W, C], label).
    """

    label_names: list[str]
    counts: dict[str, int]
    images: Callable[[str], Iterator[tuple[np.ndarray, int]]]


class LabelImages(NamedTuple):
    """One label's share of a split: uint8 [n, H, W, C], its index, its name, and the digest of the images."""

    images: np.ndarray
    label: int
    name: str
    digest: str


def digits(dataset) -> Source:
    """scikit-learn's handwritten digits: 1,797 images of 8x8 grey levels 0..16.  Every fifth is kept for the test."""
    from sklearn.datasets import load_digits  # a second to import, and only this source wants it

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    in_test = np.arange(len(images)) % 5 == 4
    chosen = {"train": np.flatnonzero(~in_test), "test": np.flatnonzero(in_test)}
    return Source(
        label_names=[str(name) for name in bunch.target_names],
        counts={split: len(indices) for split, indices in chosen.items()},
        images=lambda split: ((images[i], int(bunch.target[i])) for i in chosen[split]),
    )


def tensorflow_datasets(dataset) -> Source:
    """An image classification set of TensorFlow Datasets with splits train and test; downloaded where it must be."""
    import tensorflow  # noqa: F401  TFDS imports it anyway, and better here than in mid-progress
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(dataset.name, data_dir=dataset.tfds_dir or None)
    except tfds.core.registered.DatasetNotFoundError:
        near = difflib.get_close_matches(dataset.name, ["digits", *tfds.list_builders()], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"dataset.name {dataset.name!r} is no data set of TensorFlow Datasets{hint}") from None
    if not {"image", "label"} <= set(builder.info.features or ()):
        raise UserError(f"dataset.name {dataset.name!r} has no images with one label each; choose another")
    try:
        builder.download_and_prepare()  # returns at once where the files are there
    except Exception as error:  # no network, a full disk, a manual download: TFDS says which
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise UserError(
            f"{dataset.name} is not prepared in {builder.data_dir}; "
            f"type --config.dataset.tfds_dir=<the folder that has it> (it could not be downloaded: {reason})"
        ) from None
    if missing := set(SPLITS) - set(builder.info.splits):
        raise UserError(f"{dataset.name} has no split {', '.join(sorted(missing))}; choose another data set")

    def images(split):
        for example in tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)):
            yield example["image"], int(example["label"])

    return Source(
        label_names=list(builder.info.features["label"].names),
        counts={split: builder.info.splits[split].num_examples for split in SPLITS},
        images=images,
    )


SOURCES = {"digits": digits}  # every other name is one of TensorFlow Datasets
BUILT_IN = {"digits"}  # small and at hand: read in place where it is not prepared


def source(dataset) -> Source:
    """The source of the settings `config.dataset`."""
    return SOURCES.get(dataset.name, tensorflow_datasets)(dataset)


def label_images(dataset, split: str, label: int, hint: str) -> LabelImages:
    """One label's images of a split; opens this label's own files and no others.

    Args:
        hint: the command that prepares the data, for the error.

    Raises:
        UserError: where there is no such data or label, or a file is damaged.
    """
    paths = DatasetPaths.of(dataset)
    if not paths.info.exists() and dataset.name in BUILT_IN:
        return _from_source(dataset, split, label)
    if not paths.record(split, label).exists():
        raise UserError(f"no images of label {label} in {paths.folder}; {_what_to_do(paths, hint)}")
    record = files.read_json(paths.record(split, label), hint)
    try:
        images = np.load(paths.images(split, label), allow_pickle=False)
        intact = images.dtype == np.uint8 and files.digest(images) == record["digest"]
    except (OSError, ValueError, EOFError):
        intact = False
    if not intact:
        raise UserError(f"{paths.images(split, label)} is missing or damaged; run again: {hint}")
    return LabelImages(images, label, record["name"], record["digest"])


def label_names(dataset, hint: str) -> list[str]:
    """The names of all labels, in the order of their indices."""
    paths = DatasetPaths.of(dataset)
    if not paths.info.exists() and dataset.name in BUILT_IN:
        return source(dataset).label_names
    return [label["name"] for label in files.read_json(paths.info, hint)["labels"]]


def parse_label(text: str, dataset, hint: str) -> int:
    """A label's index from what a user typed: an index, or a name.

    Raises:
        UserError: where there is no such label; the nearest name is suggested.
    """
    if not text:
        raise UserError("the label is empty; type --label=3 (or, under Slurm, look where SLURM_PROCID is expanded)")
    if text.isdecimal():
        return int(text)
    names = label_names(dataset, hint)
    if text in names:
        return names.index(text)
    near = difflib.get_close_matches(text, names, n=1)
    wanted = (
        f"did you mean {near[0]}?" if near and not text.startswith("-") else f"type 0 to {len(names) - 1}, or a name"
    )
    raise UserError(f"there is no label {text!r}; {wanted}")


def checked(image: np.ndarray, dataset) -> np.ndarray:
    """The image, if it is of the size that the settings name.

    Raises:
        UserError: naming both sizes.
    """
    side = dataset.resolution
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[:2] != (side, side):
        size = "x".join(map(str, image.shape[:2]))
        raise UserError(
            f"{dataset.name} has images of {size} pixels, and dataset.resolution is {side}; "
            f"type --config.dataset.resolution={image.shape[0]} where they are square"
        )
    return image


def _from_source(dataset, split: str, label: int) -> LabelImages:
    found = source(dataset)
    if label >= len(found.label_names):
        raise UserError(f"{dataset.name} has no label {label}; type 0 to {len(found.label_names) - 1}")
    images = np.stack([checked(image, dataset) for image, own in found.images(split) if own == label])
    return LabelImages(images, label, found.label_names[label], files.digest(images))


def _what_to_do(paths: DatasetPaths, hint: str) -> str:
    if not paths.info.exists():
        return f"run: {hint}"
    return f"its labels are 0 to {len(files.read_json(paths.info, hint)['labels']) - 1}"
