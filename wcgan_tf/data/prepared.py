"""Reading of prepared images: the images of one label, and the names of all labels.  No TensorFlow.

A label's process opens only the files of its own label.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from wcgan_tf.config import Dataset
from wcgan_tf.core import errors, files, records
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.labels import label_title
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.core.records import Count
from wcgan_tf.data import decoding, sources

PREPARE = Command("prepare")
BUILT_IN = {"digits"}  # read from their source if they are not prepared


class DatasetInfo(msgspec.Struct):
    """dataset.json: describes a prepared data set."""

    name: str
    resolution: int
    channels: int
    labels: Annotated[list[str], msgspec.Meta(min_length=1)]  # the names of all labels
    root: str = ""  # absolute path of the source's folder of images; empty for other sources
    bit_depth: Count = 16


class ImageRecord(msgspec.Struct):
    """The file beside a label's images: digest, number, and how many were resized, left out or of 16 bits."""

    label: int
    name: str
    count: Count
    resized: Count
    unreadable: Count  # left out
    digest: str
    files: str = ""  # digest of the names, sizes and times of the files that the images are from, if they are files
    sixteen_bits: Count = 0
    brightest: Count = 0  # the largest value of those with 16 bits
    too_small: Count = 0  # left out


class CurrentDomain(msgspec.Struct, frozen=True):
    """domain.json: the current domain classifier, so that a label's training need not read all labels to find it."""

    digest: str  # of the classifier's training images and settings
    labels: int  # number of labels
    weights: str = ""  # digest of its file; "" if not known, as where it is older than the field


class LabelImages(NamedTuple):
    """One label's images of a split, uint8 [n, H, W, C], the label's index and name, and the images' digest."""

    images: np.ndarray
    label: int
    name: str
    digest: str
    labels: np.ndarray | None = None  # of each image, int32 [n], if they are of several labels

    @property
    def title(self) -> str:
        """The label in messages: `label 3 (cat)`."""
        return label_title(self.label, self.name)


def label_images(dataset: Dataset, split: str, label: int) -> LabelImages:
    """Read one label's images of a split; opens no files of other labels.

    Raises:
        UserError: if there is no such data or label, or a file is damaged.
    """
    if _in_place(dataset):
        return _from_source(dataset, split, label)
    paths = DatasetPaths.of(dataset)
    if not exists(dataset, split, label):
        names = names_in(paths) if paths.info.exists() else []
        called = f"; the one called {label} is name:{label}" if str(label) in names else ""
        what_to_do = (
            ["run: ", PREPARE] if label < len(names) or not names else [f"its labels are 0 to {len(names) - 1}{called}"]
        )
        raise UserError(f"no images of label {label} in {paths.folder}; ", *what_to_do)
    record = read_record(dataset, split, label)
    try:
        with files.named(paths.images(split, label)):
            images = np.load(paths.images(split, label), allow_pickle=False)
        intact = images.dtype == np.uint8 and (files.digest(images), label) == (record.digest, record.label)
    except Exception as error:  # NumPy raises many types for a damaged header
        if errors.is_of_system(error):
            raise
        intact = False
    if not intact:
        raise UserError(
            f"{paths.images(split, label)} is missing or damaged; delete {paths.record(split, label)} and run: ",
            PREPARE,
        )
    return LabelImages(images, label, record.name, record.digest)


def training_images(dataset: Dataset, label: int) -> LabelImages:
    """Read one label's training images; there is one at least.

    Raises:
        UserError: as `label_images`, or if there is none.
    """
    found = label_images(dataset, "train", label)
    if not len(found.images):
        raise UserError(
            f"no training images of {found.title} in {DatasetPaths.of(dataset).folder}; add some and run: ", PREPARE
        )
    return found


def mapped_images(dataset: Dataset, split: str, label: int) -> np.ndarray:
    """The images of `label_images`, checked as there, and then read from their file whenever they are used.

    Raises:
        UserError: as `label_images`.
    """
    images = label_images(dataset, split, label).images
    if _in_place(dataset):
        return images
    return np.asarray(np.load(DatasetPaths.of(dataset).images(split, label), mmap_mode="r", allow_pickle=False))


def read_record(dataset: Dataset, split: str, label: int) -> ImageRecord:
    """Read the record of a label's images.

    Raises:
        UserError: if it is missing or damaged.
    """
    return records.read(DatasetPaths.of(dataset).record(split, label), ImageRecord, PREPARE)


def digest(dataset: Dataset, split: str, label: int) -> str:
    """The digest of a label's images, from its record if there is one.

    Raises:
        UserError: as `label_images`.
    """
    if exists(dataset, split, label):
        return read_record(dataset, split, label).digest
    return label_images(dataset, split, label).digest


def digests(dataset: Dataset, chosen: list[int]) -> str:
    """One digest of all real images of the labels `chosen`, over both splits.

    Raises:
        UserError: as `label_images`.
    """
    return files.digest_json([digest(dataset, split, label) for split in sources.SPLITS for label in chosen])


def exists(dataset: Dataset, split: str, label: int) -> bool:
    """Whether the label's images of this split are prepared."""
    return DatasetPaths.of(dataset).record(split, label).exists()


def missing(dataset: Dataset, split: str, labels: Iterable[int]) -> set[int]:
    """The subset of `labels` whose images are not prepared yet."""
    return {label for label in labels if not exists(dataset, split, label)}


def are_all(dataset: Dataset, labels: Iterable[int]) -> bool:
    """Whether the images of all these labels are prepared, of both splits."""
    return all(exists(dataset, split, label) for label in labels for split in sources.SPLITS)


def changed(dataset: Dataset, source: sources.Source, split: str, label: int) -> bool:
    """Whether the files of a label are others than those that its prepared images are from."""
    if source.files is None or not exists(dataset, split, label):
        return False
    record = records.read_if_whole(DatasetPaths.of(dataset).record(split, label), ImageRecord)
    return record is not None and bool(record.files) and record.files != source.files(split, label).digest


def label_names(dataset: Dataset) -> list[str]:
    """The names of all labels, in the order of their indices."""
    return sources.source(dataset).label_names if _in_place(dataset) else names_in(DatasetPaths.of(dataset))


def names_in(paths: DatasetPaths) -> list[str]:
    """The names of all labels of a data set that is at least partly prepared."""
    return records.read(paths.info, DatasetInfo, PREPARE).labels


def count(dataset: Dataset, split: str, label: int) -> int:
    """The number of a label's images, from its record or the built-in source; 0 if they are not prepared."""
    if _in_place(dataset):
        return len(_from_source(dataset, split, label).images)
    return read_record(dataset, split, label).count if exists(dataset, split, label) else 0


def write_info(paths: DatasetPaths, dataset: Dataset, source: sources.Source) -> None:
    """Write dataset.json, or check that an existing one has the same labels.

    Raises:
        UserError: naming the first label that differs, or the numbers of labels.
    """
    names = source.label_names
    if not paths.info.exists():
        root = str(Path(dataset.root).resolve()) if dataset.root else ""
        info = DatasetInfo(dataset.name, dataset.resolution, source.channels, names, root, dataset.bit_depth)
        records.write(paths.info, info)
    elif how := difference(names_in(paths), names):
        raise UserError(
            f"{paths.folder} holds a data set of other labels ({how}); delete it, or type another dataset.name"
        )


def difference(there: list[str], here: list[str]) -> str:
    """How the names of all labels differ between two places, in words; "" if they are the same."""
    pairs = zip(there, here, strict=False)
    differing = [f"{one!r} there, {other!r} here" for one, other in pairs if one != other]
    return differing[0] if differing else "" if len(there) == len(here) else f"{len(there)} there, {len(here)} here"


def refuse_other_source(dataset: Dataset) -> None:
    """Check that the prepared images come from the folder `dataset.root`, if it is set, with `dataset.bit_depth`.

    Raises:
        UserError: if they come from another folder and both exist (a missing folder may have been moved), or were read
            with another bit depth.
    """
    paths = DatasetPaths.of(dataset)
    info = records.read_if_whole(paths.info, DatasetInfo)
    if dataset.root and info and not info.root:
        raise UserError(
            f"{paths.folder} holds images of {info.name} from elsewhere, not of {dataset.root}; delete it, or type "
            "another dataset.name"
        )
    before, now = Path(info.root if info and info.root else dataset.root), Path(dataset.root)
    if dataset.root and before.is_dir() and now.is_dir() and not before.samefile(now):
        raise UserError(
            f"{paths.folder} holds the images of {before}, not of {now}; delete it, or type another dataset.name"
        )
    if info and info.bit_depth != dataset.bit_depth:
        raise UserError(
            f"{paths.folder} was prepared with dataset.bit_depth={info.bit_depth}, not {dataset.bit_depth}; delete it "
            "to do it again"
        )


def _in_place(dataset: Dataset) -> bool:
    """Whether images are read from their source: the data set is built in and not prepared."""
    return not DatasetPaths.of(dataset).info.exists() and sources.kind(dataset) in BUILT_IN


def _from_source(dataset: Dataset, split: str, label: int) -> LabelImages:
    found = sources.source(dataset)
    if label >= len(found.label_names):
        raise UserError(f"{dataset.name} has no label {label}; type 0 to {len(found.label_names) - 1}")
    try:
        squares = [
            decoding.square(example.content, dataset.resolution, found.channels, dataset.bit_depth)
            for example in found.examples(split, {label})
        ]
    except decoding.TooSmallError as error:
        raise UserError(f"{dataset.name}: {error}; type a smaller --config.dataset.resolution") from None
    images = np.stack([square.pixels for square in squares])
    return LabelImages(images, label, found.label_names[label], files.digest(images))
