"""What a classifier makes of images, label by label: of generated ones as they come, of real ones once, then kept."""

import hashlib
from collections.abc import Callable, Iterable

import numpy as np

from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.evaluation import seen
from wcgan_tf.evaluation.classifiers import Classifier
from wcgan_tf.evaluation.seen import Seen


def look(
    classifier: Classifier, batches: Iterable[np.ndarray], label: int, done: Callable[[int], None] = lambda _: None
) -> Seen:
    """What a classifier makes of one label's images, which come in batches uint8 [n, H, W, C].

    Args:
        done: told the number of images of each batch that is done.

    Raises:
        UserError: where it is not finite.
    """
    parts, keys = [], []
    for images in batches:
        for start in range(0, len(images), classifier.batch_size):
            batch = images[start : start + classifier.batch_size]
            parts.append(classifier.look(batch))
            keys += [_key(image) for image in batch]
            done(len(batch))
    features, logits = (np.concatenate(kind) for kind in zip(*parts, strict=True))
    if not (np.isfinite(features).all() and np.isfinite(logits).all()):
        raise UserError(f"the classifier {classifier.name} makes NaN or infinity of images of label {label}")
    number = len(keys)
    return seen.join([Seen(features, logits, np.full(number, label), np.arange(number), np.array(keys, np.uint64))])


def real(
    dataset, split: str, label: int, classifier: Classifier, hint: str, done: Callable[[int], None] = lambda _: None
) -> Seen:
    """What a classifier makes of one label's real images, looked at once and then kept, by the digests of both."""
    path = DatasetPaths.of(dataset).features(classifier.digest, split, label)
    known = seen.kept(path, datasets.digest(dataset, split, label, hint))
    if known is not None:
        done(len(known.keys))
        return known
    images = datasets.label_images(dataset, split, label, hint)
    new = look(classifier, [images.images], label, done)
    seen.keep(path, new, images.digest)
    return new


def _key(image: np.ndarray) -> int:
    """A digest of an image's pixels."""
    return int.from_bytes(hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=8).digest(), "little")
