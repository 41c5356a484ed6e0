"""Sources of images.  To add a data set, write a function here that returns a Source, and add it to SOURCES.

A source names its labels and yields its examples, undecoded and always in the same order, so that `prepare` can
resume.  Only the source that needs TensorFlow imports it.
"""

import difflib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wcgan_tf.config import Dataset
from wcgan_tf.core import files
from wcgan_tf.core.console import printable
from wcgan_tf.core.errors import UserError
from wcgan_tf.data.decoding import Content

SPLITS = ("train", "test")
TEST_SPLITS = ("validation", "val", "test")  # names of the test split; the first that exists is used
EVERY = 5  # if there is no test split, every fifth image of the training split goes to it
ENDINGS = {".jpg", ".jpeg", ".png"}
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


def digits(dataset: Dataset) -> Source:
    """scikit-learn's handwritten digits: 1,797 images of 8x8 grey levels 0..16, scaled to 0..255."""
    from sklearn.datasets import load_digits  # takes a second, and only this source needs it

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]

    def examples(split: str, labels: set[int]) -> Iterator[Example]:
        for index in _share(range(len(images)), split):
            if (label := int(bunch.target[index])) in labels:
                yield Example(f"digit {index}", label, images[index])

    names = [str(name) for name in bunch.target_names]
    return Source("digits", names, 1, _share_counts(len(images)), examples)


def folder(dataset: Dataset) -> Source:
    """Photographs in `<root>/<split>/<label name>/`, at any depth: .jpg, .jpeg and .png, in upper or lower case.

    The labels are the folders in `train`, sorted by name.  If the root has a file of synset words, with lines such as
    `n01440764 tench, Tinca tinca`, the words are the name of the label.
    """
    root = Path(dataset.root)
    train = root / "train"
    folders = _folders(train)
    if not folders:
        raise UserError(
            f"there are no folders of images in {train}; "
            "type --config.dataset.root=<the folder that has train/<label>/>"
        )
    test = next((root / name for name in TEST_SPLITS if _folders(root / name)), None)
    if test and (strange := sorted(set(_folders(test)) - set(folders))):
        raise UserError(f"{test} has a folder {strange[0]!r} that {train} has not; move it away, or add it there")
    for split_folder in filter(None, (train, test)):
        _refuse_empty(split_folder, folders)

    def examples(split: str, labels: set[int]) -> Iterator[Example]:
        for label in sorted(labels):
            inside = sorted(_walk((test if test and split == "test" else train) / folders[label]))
            for path in inside if test else _share(inside, split):
                yield Example(printable(str(path)), label, path)

    return Source(str(root.resolve()), _readable(root, folders), 3, dict.fromkeys(SPLITS), examples)


def tensorflow_datasets(dataset: Dataset) -> Source:
    """An image classification data set of TensorFlow Datasets; downloaded if it is not prepared under `tfds_dir`."""
    import tensorflow_datasets as tfds

    builder = _builder(dataset)
    if not builder.is_prepared():
        _download(builder, dataset)
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


def _folders(parent: Path) -> list[str]:
    if not parent.is_dir():
        return []
    return sorted(path.name for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


def _walk(parent: Path) -> Iterator[Path]:
    """The image files below a folder, unsorted, without hidden files and folders."""
    for folder, below, names in os.walk(parent, onerror=_raise):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            path = Path(folder) / name
            if path.suffix.lower() in ENDINGS and not name.startswith(".") and path.is_file():
                yield path


def _refuse_empty(split: Path, names: list[str]) -> None:
    for name in names:
        if not (split / name).is_dir() or next(_walk(split / name), None) is None:
            raise UserError(
                f"there are no images in {split / name}; add some, or take {name!r} out of the data set, in every split"
            )


def _raise(error: OSError) -> None:
    """Raise an error of `os.walk`, which otherwise skips an unreadable folder and its images silently."""
    raise error


def _readable(root: Path, folders: list[str]) -> list[str]:
    """The folders' synset words, or else their names; words shared by several folders get the folder's name added."""
    table = next((root / name for name in SYNSET_WORDS if (root / name).is_file()), None)
    lines = table.read_text(encoding="utf-8", errors="replace").splitlines() if table else []
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
    except ValueError as error:  # an unknown config or version of a known data set
        raise UserError(f"dataset.name {dataset.name!r}: {' '.join(str(error).split())[:200]}") from None
    features = dict(builder.info.features or {})
    wanted = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    if not all(isinstance(features.get(name), kind) for name, kind in wanted.items()):
        raise UserError(f"dataset.name {dataset.name!r} has no images with one label each; choose another")
    return builder


def _names(builder: Any) -> list[str]:
    return [printable(name) for name in builder.info.features["label"].names]


def _download(builder: Any, dataset: Dataset) -> None:
    """Download and prepare the data set with TensorFlow Datasets, in one process at a time."""
    waiting = f"another process prepares {dataset.name}; waiting for it"
    with files.lock_folder(Path(builder.data_dir).parent, waiting=lambda: print(waiting, flush=True)):
        try:
            builder.download_and_prepare()  # returns at once if another process has done it
        except Exception as error:  # such as no network, a full disk, a manual download
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            raise UserError(
                f"{dataset.name} is not prepared in {builder.data_dir}; "
                f"type --config.dataset.tfds_dir=<the folder that has it> (it could not be downloaded: {reason})"
            ) from None
