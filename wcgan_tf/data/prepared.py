"""One label's prepared images, and which labels there are.  No TensorFlow: a label process opens its own files only."""

import difflib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data import decoding, sources

RECORD_KEYS = ("label", "name", "count", "resized", "unreadable", "digest")
INDEX = r"[0-9]{1,9}"
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
    if not prepared(dataset, split, label):
        raise UserError(f"no images of label {label} in {paths.folder}; {_what_to_do(paths, label, hint)}")
    record = files.read_json(paths.record(split, label), hint, RECORD_KEYS)
    try:
        images = np.load(paths.images(split, label), allow_pickle=False)
        intact = images.dtype == np.uint8 and files.digest(images) == record["digest"]
    except Exception:  # NumPy raises a dozen kinds for a file whose header is damaged
        intact = False
    if not intact:
        raise UserError(
            f"{paths.images(split, label)} is missing or damaged; delete {paths.record(split, label)} and run: {hint}"
        )
    return LabelImages(images, label, record["name"], record["digest"])


def digest(dataset, split: str, label: int, hint: str) -> str:
    """The digest of a label's images, from its record alone where there is one.

    Raises:
        UserError: as `label_images`.
    """
    if prepared(dataset, split, label):
        return files.read_json(DatasetPaths.of(dataset).record(split, label), hint, RECORD_KEYS)["digest"]
    return label_images(dataset, split, label, hint).digest


def digests(dataset, labels: list[int], hint: str) -> str:
    """One digest of all real images of these labels, those of both splits.

    Raises:
        UserError: as `label_images`.
    """
    return files.digest_json([digest(dataset, split, label, hint) for split in sources.SPLITS for label in labels])


def prepared(dataset, split: str, label: int) -> bool:
    """Whether `prepare` has sorted this label's images, and says so."""
    return DatasetPaths.of(dataset).record(split, label).exists()


def label_names(dataset, hint: str) -> list[str]:
    """The names of all labels, in the order of their indices."""
    paths = DatasetPaths.of(dataset)
    if not paths.info.exists() and sources.kind(dataset) in BUILT_IN:
        return sources.source(dataset).label_names
    return prepared_names(paths, hint)


def prepared_names(paths: DatasetPaths, hint: str) -> list[str]:
    """The names of all labels of a data set that is prepared, or begun to be."""
    names = files.read_json(paths.info, hint, ("labels",))["labels"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"{paths.info} is damaged; delete {paths.folder} and run: {hint}")
    return names


def count(dataset, split: str, label: int) -> int:
    """How many images of a label there are, from its record alone; 0 where it is not prepared."""
    paths = DatasetPaths.of(dataset)
    if not paths.info.exists() and sources.kind(dataset) in BUILT_IN:
        return len(_from_source(dataset, split, label).images)
    record = paths.record(split, label)
    return files.read_json(record, "", RECORD_KEYS)["count"] if record.exists() else 0


def parse_label(text: str, dataset, hint: str) -> list[int]:
    """The labels that a user typed for one process: an index, which needs no look at the data, or a list of labels.

    Raises:
        UserError: where there is no such label; the nearest name is suggested.
    """
    if not text:
        raise UserError("the label is empty; type --label=3 (or, under Slurm, look where SLURM_PROCID is expanded)")
    return [int(text)] if re.fullmatch(INDEX, text) else parse_labels(text, label_names(dataset, hint))


def parse_labels(text: str, names: list[str]) -> list[int]:
    """The labels of a list such as `0-4,7,cat`, each once, in ascending order; all labels where it is empty.

    A number is an index, whatever the names are.  What is a label's name, with its commas and hyphens, is that label.

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
        ends = re.fullmatch(f"({INDEX})(?:-({INDEX}))?", part)
        if not ends or (ends[2] and part in names):
            chosen.add(_index(part, names))
        else:
            first, last = int(ends[1]), int(ends[2] or ends[1])
            if first > last or last >= len(names):
                raise UserError(f"there is no label {part!r}; the labels are 0 to {len(names) - 1}")
            chosen |= set(range(first, last + 1))
    return sorted(chosen)


def format_labels(labels: list[int]) -> str:
    """A list that `parse_labels` reads, as short as can be: [0, 1, 2, 5] -> "0-2,5"."""
    ranges: list[list[int]] = []
    for label in sorted(labels):
        if ranges and label == ranges[-1][1] + 1:
            ranges[-1][1] = label
        else:
            ranges.append([label, label])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def claim(paths: DatasetPaths, dataset, source: sources.Source, hint: str) -> None:
    """Write dataset.json, or refuse to add to what is prepared there from other labels.

    Raises:
        UserError: naming the first label that differs.
    """
    names = source.label_names
    if not paths.info.exists():
        root = str(Path(dataset.root).resolve()) if dataset.root else ""
        info = {"name": dataset.name, "resolution": dataset.resolution, "channels": source.channels, "root": root}
        files.write_json(paths.info, {**info, "labels": names})
    elif (there := prepared_names(paths, hint)) != names:
        differing = next((pair for pair in zip(there, names, strict=False) if pair[0] != pair[1]), None)
        how = (
            f"{differing[0]!r} there, {differing[1]!r} here" if differing else f"{len(there)} there, {len(names)} here"
        )
        raise UserError(
            f"{paths.folder} holds a data set of other labels ({how}); delete it, or type another dataset.name"
        )


def refuse_other_root(dataset) -> None:
    """Refuse a folder of images where those of another are prepared under this name.

    Raises:
        UserError: where both folders are there; one that is gone may have been moved.
    """
    paths = DatasetPaths.of(dataset)
    before, now = Path(files.known_json(paths.info).get("root") or dataset.root), Path(dataset.root)
    if dataset.root and before.is_dir() and now.is_dir() and not before.samefile(now):
        raise UserError(
            f"{paths.folder} holds the images of {before}, not of {now}; delete it, or type another dataset.name"
        )


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
    last = len(prepared_names(paths, hint)) - 1 if paths.info.exists() else label
    return f"run: {hint}" if label <= last else f"its labels are 0 to {last}"
