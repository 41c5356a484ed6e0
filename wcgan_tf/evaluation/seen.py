"""What a classifier saw of images, in memory and on disk."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wcgan_tf.core import files


class Seen(NamedTuple):
    """Images as a classifier sees them, in an order that is random but always the same: that of their keys.

    Attributes:
        features: float32 [n, d].
        logits: float32 [n, k].
        labels: int64 [n], what they are meant to show.
        places: int64 [n], which image of its label each is.
        keys: uint64 [n], digests of their pixels.
    """

    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    keys: np.ndarray

    def of(self, label: int) -> "Seen":
        """Those of one label."""
        return self.at(self.labels == label)

    def at(self, chosen: np.ndarray) -> "Seen":
        """Those at these places: bool [n], or places in the order of their keys."""
        return Seen(*(part[chosen] for part in self))


def join(parts: list[Seen]) -> Seen:
    """Several together."""
    together = Seen(*(np.concatenate(kind) for kind in zip(*parts, strict=True)))
    return together.at(np.argsort(together.keys, kind="stable"))


def keep(path: Path, seen: Seen, digest: str) -> None:
    """Write what was seen of images with this digest."""
    with files.publish(path) as aside:
        np.savez(aside, digest=np.array(digest), **seen._asdict())


def kept(path: Path, digest: str) -> Seen | None:
    """What is kept of images with this digest; None where there is nothing, or it is of others, or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return Seen(*(file[name] for name in Seen._fields)) if str(file["digest"]) == digest else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
