"""TensorBoard's files of a label: the pictures in them, and their end cut off where training goes on from before it."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

PREFIX = "events.out.tfevents."
PATTERN = f"{PREFIX}[0-9]*"
KEPT = ".until-"  # in the name of a file that took the place of those before it


def read(folder: Path) -> Iterator:
    """All events of the files in a folder, in the order in which they were written; of a damaged file its beginning."""
    for path in _present(folder):
        try:
            for record in tf.data.TFRecordDataset(str(path)):
                yield tf.compat.v1.Event.FromString(record.numpy())
        except tf.errors.DataLossError:
            continue


def pictures(folder: Path, tag: str) -> list[tuple[int, bytes]]:
    """The pictures of a tag: (step, PNG), in the order of their steps; of one step the last."""
    found = {}
    with contextlib.suppress(tf.errors.NotFoundError):  # the label's process puts one file in the place of others
        for event in read(folder):
            for value in event.summary.value:
                if value.tag == tag and len(value.tensor.string_val) > 2:  # width, height, and the pictures
                    found[event.step] = value.tensor.string_val[2]
    return sorted(found.items())


def keep_until(folder: Path, step: int, temporary: Path) -> None:
    """Drop what was written of later steps: they are taken again, and curves would go back and forth.

    One file takes the place of all.  After a kill in the middle TensorBoard shows some points twice, until the next
    start.

    Args:
        temporary: a folder of the same file system, which TensorBoard does not read.
    """
    before = sorted(folder.glob(PATTERN))
    if not before:
        return
    kept = folder / f"{_stamped(before[-1])}{KEPT}{step}"
    aside = temporary / kept.name
    with tf.io.TFRecordWriter(str(aside)) as file:
        for event in read(folder):
            if event.step <= step:
                file.write(event.SerializeToString())
    aside.replace(kept)
    for path in before:
        if path != kept:
            path.unlink()


def _stamped(last: Path) -> str:
    """The name of the last file, for TensorBoard reads files in the order of their names, which begin with the time.

    Where a clock was ahead, one that comes before what is written from now on.
    """
    name, now = last.name.split(KEPT)[0], int(time.time())
    ahead = int(name.removeprefix(PREFIX).split(".")[0]) > now
    return f"{PREFIX}{now - 1}" if ahead else name


def _present(folder: Path) -> list[Path]:
    """The files that count: from the last one on that took the place of those before it."""
    found = sorted(folder.glob(PATTERN))
    first = max((place for place, path in enumerate(found) if KEPT in path.name), default=0)
    return found[first:]
