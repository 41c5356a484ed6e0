"""Features and logits of a set of images, and their cache on disk."""

import errno
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wcgan_tf.config import Dataset
from wcgan_tf.core import errors, files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data import prepared


@dataclass(frozen=True)
class Classifier:
    """Computes features and logits of images; see `classifiers.py`."""

    name: str  # `domain`, `inception`, or the path of a SavedModel
    digest: str  # of its training images and settings, or of its files
    resize: str  # how `predict` resizes images
    own_labels: bool  # whether its logits are for the data set's labels
    batch_size: int  # images per call of `predict`
    # uint8 [n, H, W, C] -> (features float32 [n, d], logits float32 [n, k])
    predict: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    # features -> logits, if they are a function of them: then they are not kept, as they grow with the number of labels
    head: Callable[[np.ndarray], np.ndarray] | None = None


class ImageFeatures(NamedTuple):
    """Features and logits of images, sorted by `keys`: a random but reproducible order."""

    features: np.ndarray  # float32 [n, d]
    logits: np.ndarray  # float32 [n, k]
    labels: np.ndarray  # int64 [n], the label of each image
    places: np.ndarray  # int64 [n], the index of each image among those of its label
    keys: np.ndarray  # uint64 [n], digests of the pixels

    def select(self, chosen: np.ndarray) -> "ImageFeatures":
        """The rows chosen by a mask, bool [n], or by indices."""
        return ImageFeatures(*(part[chosen] for part in self))


def join(parts: list[ImageFeatures]) -> ImageFeatures:
    """Concatenate several sets, and sort them by `keys`."""
    together = ImageFeatures(*(np.concatenate(kind) for kind in zip(*parts, strict=True)))
    return together.select(np.argsort(together.keys, kind="stable"))


def extract(
    classifier: Classifier, batches: Iterable[np.ndarray], label: int, done: Callable[[int], None] = lambda _: None
) -> ImageFeatures:
    """Run the classifier on images of one label, given in batches uint8 [n, H, W, C].

    Args:
        done: called after each call of `predict` with its number of images.

    Raises:
        UserError: if a feature or a logit is not finite.
    """
    parts, keys = [], []
    for images in batches:
        for start in range(0, len(images), classifier.batch_size):
            batch = images[start : start + classifier.batch_size]
            parts.append(classifier.predict(batch))
            keys += [_key(image) for image in batch]
            done(len(batch))
    features, logits = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    if not (np.isfinite(features).all() and np.isfinite(logits).all()):
        raise UserError(f"the classifier {classifier.name} makes NaN or infinity of images of label {label}")
    number = len(keys)
    made = join([ImageFeatures(features, logits, np.full(number, label), np.arange(number), np.array(keys, np.uint64))])
    return made._replace(logits=classifier.head(made.features)) if classifier.head else made


def extract_real(
    dataset: Dataset, split: str, label: int, classifier: Classifier, done: Callable[[int], None] = lambda _: None
) -> ImageFeatures:
    """Features of one label's real images of a split: read from the cache, or extracted and cached."""
    path = DatasetPaths.of(dataset).features(classifier.digest, split, label)
    cached = load(path, prepared.digest(dataset, split, label), classifier.head)
    if cached is not None:
        done(len(cached.keys))
        return cached
    images = prepared.label_images(dataset, split, label)
    extracted = extract(classifier, [images.images], label, done)
    try:
        save(path, extracted, images.digest, with_logits=classifier.head is None)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):  # a read-only data set: the next start extracts them again
            raise
    return extracted


def save(path: Path, features: ImageFeatures, digest: str, with_logits: bool = True) -> None:
    """Write features, with the digest of their images."""
    kept = {name: part for name, part in features._asdict().items() if with_logits or name != "logits"}
    with files.publish(path) as aside:
        np.savez(aside, digest=np.array(digest), **kept)


def load(path: Path, digest: str, head: Callable[[np.ndarray], np.ndarray] | None = None) -> ImageFeatures | None:
    """Read features; None if the file is missing or damaged, or if the digest of its images is another one.

    Args:
        head: computes the logits from the features; without, they are empty if the file has none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["digest"]) != digest or set(file) - {"digest", *ImageFeatures._fields}:  # a damaged name
                return None
            kept = {name: file[name] for name in ImageFeatures._fields if name in file}
            if "logits" not in kept:
                kept["logits"] = head(kept["features"]) if head else np.empty([len(kept["features"]), 0], np.float32)
            return ImageFeatures(**kept)
    except Exception as error:  # NumPy and zipfile raise many types for a damaged file
        if errors.is_of_system(error):
            raise
        return None


def _key(image: np.ndarray) -> int:
    """A 64-bit digest of an image's pixels."""
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest(), "little")
