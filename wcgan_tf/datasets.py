"""One label's prepared images, and which labels there are.  No TensorFlow: a label process opens its own files only."""

import difflib
import re
from typing import NamedTuple

import numpy as np

from wcgan_tf import decoding, files, sources
from wcgan_tf.errors import UserError
from wcgan_tf.paths import DatasetPaths

BUILT_IN = {"digits"}  # small and at hand: read in place where it is not prepared


class LabelImages(NamedTuple):
    """One label's share of a split: uint8 [n, H, W, C], its index, its name, and the digest of the images."""

    images: np.ndarray
    label: int
    name: str
    digest: str


def label_images(dataset, split: str, label: int, hint: str) -> LabelImages:
    """One label's images of a split; opens this label's own files and no others.

    Args:
        hint: the command that prepares the data, for the error.

    Raises:
        UserError: where there is no such data or label, or a file is damaged.
    """
    paths = DatasetPaths.of(dataset)
    if not paths.info.exists() and sources.kind(dataset) in BUILT_IN:
        return _from_source(dataset, split, label)
    if not paths.record(split, label).exists():
        raise UserError(f"no images of label {label} in {paths.folder}; {_what_to_do(paths, label, hint)}")
    record = files.read_json(paths.record(split, label), hint)
    try:
        images = np.load(paths.images(split, label), allow_pickle=False)
        intact = images.dtype == np.uint8 and files.digest(images) == record["digest"]
    except (OSError, ValueError, EOFError):
        intact = False
    if not intact:
        raise UserError(
            f"{paths.images(split, label)} is missing or damaged; delete {paths.record(split, label)} and run: {hint}"
        )
    return LabelImages(images, label, record["name"], record["digest"])


def label_names(dataset, hint: str) -> list[str]:
    """The names of all labels, in the order of their indices."""
    paths = DatasetPaths.of(dataset)
    if not paths.info.exists() and sources.kind(dataset) in BUILT_IN:
        return sources.source(dataset).label_names
    return [label["name"] for label in files.read_json(paths.info, hint)["labels"]]


def parse_label(text: str, dataset, hint: str) -> int:
    """A label's index from what a user typed: an index, which needs no look at the data, or a name.

    Raises:
        UserError: where there is no such label; the nearest name is suggested.
    """
    if not text:
        raise UserError("the label is empty; type --label=3 (or, under Slurm, look where SLURM_PROCID is expanded)")
    return int(text) if text.isdecimal() else _index(text, label_names(dataset, hint))


def parse_labels(text: str, names: list[str]) -> list[int]:
    """The labels of a list such as `0-4,7,cat`, each once, in ascending order; all labels where it is empty.

    A part that is a label's name, commas and hyphens included, is taken as that name before anything else.

    Args:
        text: indices, ranges of them with both ends, and names, separated by commas.
        names: of all labels.

    Raises:
        UserError: naming a part that is no label.
    """
    if not text.strip():
        return list(range(len(names)))
    chosen: set[int] = set()
    parts = text.split(",")
    while parts:
        taken = next((n for n in range(len(parts), 0, -1) if ",".join(parts[:n]).strip() in names), 1)
        part, parts = ",".join(parts[:taken]).strip(), parts[taken:]
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if part in names or not ends:
            chosen.add(_index(part, names))
        else:
            first, last = int(ends[1]), int(ends[2] or ends[1])
            if first > last or last >= len(names):
                raise UserError(f"there is no label {part!r}; the labels are 0 to {len(names) - 1}")
            chosen |= set(range(first, last + 1))
    return sorted(chosen)


def refuse_other_names(paths: DatasetPaths, names: list[str]) -> None:
    """Refuse to add to a prepared data set whose labels are not these.

    Raises:
        UserError: naming the first that differs.
    """
    if not paths.info.exists():
        return
    there = [label["name"] for label in files.read_json(paths.info, "the same command again")["labels"]]
    if there != names:
        differing = next((pair for pair in zip(there, names, strict=False) if pair[0] != pair[1]), None)
        how = (
            f"{differing[0]!r} there, {differing[1]!r} here" if differing else f"{len(there)} there, {len(names)} here"
        )
        raise UserError(f"{paths.folder} holds a data set of other labels ({how}); type another dataset.name")


def write_info(dataset, paths: DatasetPaths, source: sources.Source) -> None:
    """Write dataset.json: every label's name, and of each split its record, or null where that is not prepared."""

    def record(split: str, label: int):
        path = paths.record(split, label)
        return files.read_json(path, "prepare") if path.exists() else None

    labels = [
        {"name": name, **{split: record(split, label) for split in sources.SPLITS}}
        for label, name in enumerate(source.label_names)
    ]
    info = {"name": dataset.name, "resolution": dataset.resolution, "channels": source.channels, "labels": labels}
    files.write_json(paths.info, info)


def _from_source(dataset, split: str, label: int) -> LabelImages:
    found = sources.source(dataset)
    if label >= len(found.label_names):
        raise UserError(f"{dataset.name} has no label {label}; type 0 to {len(found.label_names) - 1}")
    squares = [
        decoding.square(example.content, dataset.resolution, found.channels)
        for example in found.examples(split, {label})
    ]
    images = np.stack([square.pixels for square in squares])
    return LabelImages(images, label, found.label_names[label], files.digest(images))


def _index(text: str, names: list[str]) -> int:
    """The label of a name."""
    if text in names:
        return names.index(text)
    near = difflib.get_close_matches(text, names, n=1)
    wanted = (
        f"did you mean {near[0]}?" if near and not text.startswith("-") else f"type 0 to {len(names) - 1}, or a name"
    )
    raise UserError(f"there is no label {text!r}; {wanted}")


def _what_to_do(paths: DatasetPaths, label: int, hint: str) -> str:
    """What to type where a label has no images."""
    last = len(files.read_json(paths.info, hint)["labels"]) - 1 if paths.info.exists() else label
    return f"run: {hint}" if label <= last else f"its labels are 0 to {last}"
