"""Sort a source's images by label into one `.npy` per label and split; uses constant memory and can be resumed.

Images are appended to one raw file per label under `unfinished/<split>/`; `state.json` there records the progress.
At the end of the split, each raw file becomes the label's `.npy`, and then a record marks it as complete.
"""

import contextlib
import itertools
import os
import shutil
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from wcgan_tf.core import errors, files, machine, records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.core.records import Count
from wcgan_tf.data import decoding
from wcgan_tf.data.prepared import ImageRecord
from wcgan_tf.data.sources import Example, Source

CHUNK_BYTES = 8 * 2**20  # of pixels that are decoded in parallel
MOST_IN_CHUNK = 256
BUFFER_BYTES = 64 * 2**20  # of pixels kept in memory between two writes
BUFFER_SECONDS = 15.0
MOST_NAMED = 20  # images that are too small


class SortingState(msgspec.Struct):
    """state.json: the progress of sorting a split."""

    origin: str  # of the source; with another source, sorting starts again
    labels: list[int]  # the labels to sort
    files: dict[int, str] = {}  # by label, the digest of its files, if the source has files
    seen: Count = 0  # examples read from the source
    # number of images by label
    count: dict[int, Count] = {}
    resized: dict[int, Count] = {}
    unreadable: dict[int, Count] = {}
    too_small: dict[int, Count] = {}
    sixteen_bits: dict[int, Count] = {}
    brightest: dict[int, Count] = {}  # largest value of those with 16 bits
    bit_depth: Count = 16


class SplitSorter:
    """Sorts one split of a source; continues from an earlier start.

    Args:
        split: "train" or "test".
        labels: the labels to sort, which have no record yet.
        resolution: side of the images, in pixels.
        bit_depth: the number of bits that images with 16 bits use.
        skipped: called with the name of an image that is unreadable or, for the first MOST_NAMED, too small, and why.
        noted: called with the name of an image, and what Pillow warns of; once for each such text.
    """

    def __init__(
        self,
        source: Source,
        split: str,
        labels: set[int],
        resolution: int,
        bit_depth: int,
        paths: DatasetPaths,
        skipped: Callable[[str, str], None],
        noted: Callable[[str, str], None],
    ) -> None:
        self._source, self._split, self._paths, self._bit_depth = source, split, paths, bit_depth
        self._skipped, self._noted = skipped, noted
        self._decoded = threading.local()  # the name of the image that a thread decodes
        self._known_notes: set[str] = set()
        self._small = 0  # images that are too small, found by this start
        self._shape = (resolution, resolution, source.channels)
        self._image_bytes = resolution * resolution * source.channels
        self._buffers: dict[int, list[np.ndarray]] = defaultdict(list)
        self._state = self._earlier(labels) or self._new(labels)

    @property
    def seen(self) -> int:
        """The number of examples read, as last recorded, those of earlier starts included."""
        return self._state.seen

    def sort(self, advanced: Callable[[int], None]) -> None:
        """Read the rest of the source; calls `advanced` after each chunk with the number of examples so far."""
        examples = itertools.islice(self._source.examples(self._split, set(self._state.labels)), self.seen, None)
        seen, written, buffered = self.seen, time.monotonic(), 0
        number = max(1, min(MOST_IN_CHUNK, CHUNK_BYTES // self._image_bytes))
        with warnings.catch_warnings(), ThreadPoolExecutor(machine.threads()) as pool:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Pillow refuses excessive sizes itself
            warnings.showwarning = self._note
            while chunk := list(itertools.islice(examples, number)):
                for example, square in zip(chunk, pool.map(self._decode, chunk), strict=True):
                    buffered += self._take(example, square)
                seen += len(chunk)
                advanced(seen)
                if buffered >= BUFFER_BYTES or time.monotonic() - written >= BUFFER_SECONDS:
                    self._write(seen)
                    written, buffered = time.monotonic(), 0
        self._write(seen)

    def finish(self) -> None:
        """Turn the raw files into the labels' `.npy` files and records.

        Raises:
            UserError: if no image of all the labels of the data set could be taken.
        """
        if len(self._state.labels) == len(self._source.label_names) and not any(self._state.count.values()):
            shutil.rmtree(self._paths.unfinished(self._split))
            self._refuse_empty()
        for label in self._state.labels:
            if not self._paths.record(self._split, label).exists():
                self._finish_label(label)
        # If this is the last share, another one may have found all labels prepared by now, and delete this as well.
        shutil.rmtree(self._paths.unfinished(self._split), ignore_errors=True)
        with contextlib.suppress(OSError):  # another split may be unfinished, or another share of the labels
            self._paths.unfinished(self._split).parent.rmdir()

    def _refuse_empty(self) -> None:
        which, what = "readable", "add some, and run this again"
        if small := sum(self._state.too_small.values()):
            which, side = "large enough", self._shape[0]
            what = f"{small} are smaller than {side}x{side}; type a smaller --config.dataset.resolution or add others"
        raise UserError(f"there are no {which} {self._split} images of any label; {what}")

    def _finish_label(self, label: int) -> None:
        """Write the label's images, then the record, which marks them as complete."""
        state, name = self._state, self._source.label_names[label]
        number, raw = state.count.get(label, 0), np.empty([0, *self._shape], np.uint8)
        if number:
            raw = np.memmap(self._raw(label), np.uint8, "r", shape=(number, *self._shape))
        files.write_array(self._paths.images(self._split, label), raw)
        resized, unreadable = state.resized.get(label, 0), state.unreadable.get(label, 0)
        too_small = state.too_small.get(label, 0)
        origin = state.files.get(label, "")
        sixteen, brightest = state.sixteen_bits.get(label, 0), state.brightest.get(label, 0)
        digest = files.digest(raw)
        record = ImageRecord(label, name, len(raw), resized, unreadable, digest, origin, sixteen, brightest, too_small)
        records.write(self._paths.record(self._split, label), record)
        self._raw(label).unlink(missing_ok=True)  # there is none without images

    def _note(self, message: Warning | str, *_: Any, **__: Any) -> None:
        """Hand on a warning of the library that decodes, in place of `warnings.showwarning`."""
        text = " ".join(str(message).split())
        if text not in self._known_notes:
            self._known_notes.add(text)
            self._noted(getattr(self._decoded, "name", "an image"), text)

    def _decode(self, example: Example) -> decoding.Square | Exception:
        """The decoded picture, or the reason why it is left out.

        Raises:
            OSError: if the disk or the system fails, and the file may be whole.
        """
        self._decoded.name = example.name
        try:
            with files.named(Path(example.name)):
                return decoding.square(example.content, *self._shape[1:], self._bit_depth)
        except Exception as error:  # Pillow raises many types for a damaged file
            if isinstance(error, OSError) and error.errno in errors.PROBLEMS:
                raise
            return error

    def _take(self, example: Example, square: decoding.Square | Exception) -> int:
        """Count an example and buffer its pixels until the next write; returns their number of bytes."""
        if isinstance(square, Exception):
            small = isinstance(square, decoding.TooSmallError)
            _add(self._state.too_small if small else self._state.unreadable, example.label, 1)
            self._small += small
            if not small or self._small <= MOST_NAMED:
                self._skipped(example.name, " ".join(str(square).split()) or type(square).__name__)
            return 0
        self._buffers[example.label].append(square.pixels)
        _add(self._state.resized, example.label, int(square.resized))
        if square.brightest is not None:
            _add(self._state.sixteen_bits, example.label, 1)
            before = self._state.brightest.get(example.label, 0)
            self._state.brightest[example.label] = max(before, square.brightest)
        return square.pixels.nbytes

    def _write(self, seen: int) -> None:
        """Append the buffered images, then the state; after a kill in between, the next start cuts off the bytes."""
        for label, images in self._buffers.items():
            with files.named(self._raw(label)), self._raw(label).open("ab") as file:
                file.writelines(image.data for image in images)
            files.sync(self._raw(label))  # before the state that counts them
            _add(self._state.count, label, len(images))
        self._buffers.clear()
        self._state.seen = seen
        records.write(self._paths.sorting_state(self._split), self._state)

    def _raw(self, label: int) -> Path:
        return self._paths.unfinished(self._split) / f"{label}.raw"

    def _new(self, labels: set[int]) -> SortingState:
        folder = self._paths.unfinished(self._split)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return SortingState(self._source.origin, sorted(labels), self._files(labels), bit_depth=self._bit_depth)

    def _files(self, labels: Iterable[int]) -> dict[int, str]:
        """The digests of the labels' files, as they are now."""
        files = self._source.files
        return {label: files(self._split, label).digest for label in labels} if files else {}

    def _earlier(self, labels: set[int]) -> SortingState | None:
        """The state of an earlier start with this source and these labels, or None; cuts the raw files to it."""
        state = records.read_if_whole(self._paths.sorting_state(self._split), SortingState)
        if state is None or state.origin != self._source.origin or not labels <= set(state.labels):
            return None
        if state.files != self._files(state.labels) or state.bit_depth != self._bit_depth:
            return None
        for label in state.labels:
            size, raw = state.count.get(label, 0) * self._image_bytes, self._raw(label)
            if self._paths.record(self._split, label).exists():
                continue  # the earlier start stopped during `finish`
            if (raw.stat().st_size if raw.exists() else 0) < size:
                return None
            if raw.exists():
                os.truncate(raw, size)
        return state


def _add(counts: dict[int, int], label: int, number: int) -> None:
    counts[label] = counts.get(label, 0) + number
