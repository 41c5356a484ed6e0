"""Sources of images.  To add a data set, write a function here that returns a Source, and add it to SOURCES.

A source names its labels and yields its examples, undecoded and always in the same order, so that `prepare` can
resume.  Only the source that needs TensorFlow imports it.
"""

import difflib
import functools
import importlib.metadata
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wcgan_tf.config import Dataset
from wcgan_tf.core import files
from wcgan_tf.core.console import printable
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import folders, tfds_download
from wcgan_tf.data.decoding import Content
from wcgan_tf.data.split_folders import TEST_SPLITS, SortedFolder, SplitFolder, find_test

SPLITS = ("train", "test")
DIGITS = "sklearn/datasets/data/digits.csv.gz"
EVERY = 5  # if there is no test split, every fifth image of the training split goes to it
SYNSET_WORDS = ("synset_words.txt", "words.txt", "LOC_synset_mapping.txt")  # in Caffe, Tiny ImageNet, Kaggle


class Example(NamedTuple):
    """An image before it is decoded: its name in messages, its label, and its content."""

    name: str
    label: int
    content: Content


@dataclass(frozen=True)
class Source:
    """A data set before it is sorted by label."""

    origin: str  # identifies the data set, so that sorting resumes with no other
    label_names: list[str]  # one per label, in the order of their indices
    channels: int  # 1 for grey images, 3 for RGB
    counts: dict[str, int | None]  # images per split, over all labels; None if not known in advance
    examples: Callable[[str, set[int]], Iterator[Example]]  # (split, labels) -> the examples of these labels
    # Of folders: (split, label) -> the sum of the label's files, and the links to folders that were followed, the
    # label's own folder included; and the files of no label by reason.
    files: Callable[[str, int], folders.Summary] | None = None
    links: Callable[[str, int], tuple[Path, ...]] | None = None
    around: Callable[[], dict[str, list[Path]]] = dict
    note: str = ""  # a line for the user about how the source is read


def digits(dataset: Dataset) -> Source:
    """scikit-learn's handwritten digits: 1,797 images of 8x8 grey levels 0..16, scaled to 0..255."""
    # The file that `sklearn.datasets.load_digits` reads; importing scikit-learn would take a second or two.
    table = np.loadtxt(str(importlib.metadata.distribution("scikit-learn").locate_file(DIGITS)), delimiter=",")
    images = np.round(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)

    def examples(split: str, labels: set[int]) -> Iterator[Example]:
        for index in _share(range(len(images)), split):
            if (label := int(table[index, -1])) in labels:
                yield Example(f"digit {index}", label, images[index])

    return Source("digits", [str(digit) for digit in range(10)], 1, _share_counts(len(images)), examples)


def folder(dataset: Dataset) -> Source:
    """Photographs in `<root>/<split>/<label name>/`, at any depth, in any format that Pillow reads.

    The labels are the folders in `train`, sorted by name.  The images of `val` may lie in one folder, with a file that
    lists their labels, `val_labels`.  If the root has a file of synset words, with lines such as
    `n01440764 tench, Tinca tinca`, the words are the name of the label.
    """
    root = Path(dataset.root)
    train = SortedFolder(next(iter(folders.named(root, ["train"])), root / "train"))
    if not train.names:
        raise UserError(
            f"there are no folders of images in {train.folder}; "
            "type --config.dataset.root=<the folder that has train/<label>/>"
        )
    test, names = find_test(root, dataset.val_labels, train), train.names
    own: dict[str, SplitFolder] = {"train": train} | ({"test": test} if test else {})
    for split in own.values():
        _refuse_empty(split, names)

    def examples(split: str, labels: set[int]) -> Iterator[Example]:
        for label in sorted(labels):
            files = own.get(split, train).files(names[label])
            paths = sorted(path for kind, path in files if kind == folders.IMAGE)
            for path in paths if test else _share(paths, split):
                yield Example(printable(str(path)), label, path)

    @functools.cache  # on some file systems a list of files takes minutes
    def summary(split: str, label: int) -> folders.Summary:
        chosen = own.get(split, train)
        found = folders.summary(chosen.folder, chosen.files(names[label]))
        return found if test else found._replace(digest=f"{found.digest} divided")

    def links(split: str, label: int) -> tuple[Path, ...]:
        if split not in own:
            return ()
        return tuple(path for kind, path in own[split].files(names[label]) if kind == folders.FOLLOWED)

    def around() -> dict[str, list[Path]]:
        return folders.by_reason(itertools.chain.from_iterable(split.around() for split in own.values()))

    note = "" if test else f"{root} has no {', '.join(TEST_SPLITS)}: every fifth image is a test image"
    return Source(
        str(root.resolve()), _readable(root, names), 3, dict.fromkeys(SPLITS), examples, summary, links, around, note
    )


def tensorflow_datasets(dataset: Dataset) -> Source:
    """An image classification data set of TensorFlow Datasets; downloaded if it is not prepared under `tfds_dir`."""
    import tensorflow_datasets as tfds

    builder = _builder(dataset)
    if not builder.is_prepared():
        tfds_download.download(builder, dataset)
    splits = builder.info.splits
    test = next((name for name in TEST_SPLITS if name in splits), None)
    if "train" not in splits:
        raise UserError(f"{dataset.name} has no split train; choose another data set")

    def examples(split: str, labels: set[int]) -> Iterator[Example]:
        stored = builder.as_dataset(
            split=test if test and split == "test" else "train",
            shuffle_files=False,
            decoders={"image": tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(try_autocache=False),
        )
        numbered = enumerate(tfds.as_numpy(stored))
        for index, example in numbered if test else _share(numbered, split):
            if (label := int(example["label"])) in labels:
                yield Example(f"{dataset.name} {split} {index}", label, example["image"])

    total = splits["train"].num_examples
    counts = {"train": total, "test": splits[test].num_examples} if test else _share_counts(total)
    channels = 1 if builder.info.features["image"].shape[-1] == 1 else 3
    return Source(builder.info.full_name, _names(builder), channels, counts, examples)


SOURCES = {"digits": digits, "folder": folder, "tfds": tensorflow_datasets}


def kind(dataset: Dataset) -> str:
    """The key in SOURCES for the settings `config.dataset`."""
    if dataset.root:
        return "folder"
    return "digits" if dataset.name == "digits" else "tfds"


def source(dataset: Dataset) -> Source:
    """The source of the settings `config.dataset`.

    Raises:
        UserError: if there is no such data.
    """
    return SOURCES[kind(dataset)](dataset)


def label_names(dataset: Dataset) -> list[str]:
    """The names of a source's labels; reads no image files and downloads nothing.

    Raises:
        UserError: if there is no such data.
    """
    return _names(_builder(dataset)) if kind(dataset) == "tfds" else source(dataset).label_names


def _share(examples: Iterable, split: str) -> Iterator:
    """The examples for `split` if the source has a training split only."""
    return (example for index, example in enumerate(examples) if (index % EVERY == EVERY - 1) == (split == "test"))


def _share_counts(total: int) -> dict[str, int | None]:
    return {"train": total - total // EVERY, "test": total // EVERY}


def _refuse_empty(split: SplitFolder, names: list[str]) -> None:
    for name in names:
        left: list[tuple[str, Path]] = []
        for kind, path in split.files(name):
            if kind == folders.IMAGE:
                break
            left.append((kind, path))
        else:
            there = f" ({words})" if (words := folders.in_words(folders.by_reason(left))) else ""
            raise UserError(
                f"there are no images of {name!r} in {split.folder}{there}; "
                "add some, or take it out of the data set, in every split"
            )


def _readable(root: Path, folders: list[str]) -> list[str]:
    """The folders' synset words, or else their names; words shared by several folders get the folder's name added."""
    table = next((root / name for name in SYNSET_WORDS if (root / name).is_file()), None)
    lines = files.read_text(table, "replace").splitlines() if table else []
    words = dict(parts for line in lines if len(parts := line.split(maxsplit=1)) == 2)
    names = [words.get(name, name).strip() for name in folders]
    doubled = {name for name, same in itertools.groupby(sorted(names)) if len(list(same)) > 1}
    return [printable(f"{name} ({own})" if name in doubled else name) for name, own in zip(names, folders, strict=True)]


def _builder(dataset: Dataset) -> Any:
    """The builder of an image classification data set of TensorFlow Datasets; downloads nothing.

    Raises:
        UserError: if there is no such data set, or its images do not have one label each.
    """
    import tensorflow  # noqa: F401  TFDS imports it anyway, but later, during a progress bar
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(dataset.name, data_dir=dataset.tfds_dir or None)
    except tfds.core.registered.DatasetNotFoundError:
        near = difflib.get_close_matches(dataset.name, ["digits", *tfds.list_builders()], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(
            f"dataset.name {dataset.name!r} is no data set of TensorFlow Datasets{hint}; "
            "a folder of images is named by --config.dataset.root"
        ) from None
    except ValueError as error:  # an unknown config or version of a known data set, or no name that it would have
        raise UserError(
            f"dataset.name {dataset.name!r}: {' '.join(str(error).split())[:200]}; "
            "a folder of images is named by --config.dataset.root"
        ) from None
    features = dict(builder.info.features or {})
    wanted = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    if not all(isinstance(features.get(name), kind) for name, kind in wanted.items()):
        raise UserError(f"dataset.name {dataset.name!r} has no images with one label each; choose another")
    return builder


def _names(builder: Any) -> list[str]:
    return [printable(name) for name in builder.info.features["label"].names]
