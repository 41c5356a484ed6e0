"""Images drawn from a combined model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from wcgan_tf.combined.manifest import COMBINE_ANEW, Manifest, find_saved_model, is_intact
from wcgan_tf.config import Dataset
from wcgan_tf.core import errors, records
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import prepared
from wcgan_tf.models.generator_export import label_signs, latents_from_seed

BATCH_SIZE = 500
ANEW = "with the --workdir that its labels are from, run: "


def load(folder: Path) -> "Sampler":
    """Load a combined model from its folder, `saved_models/<name>/`, or from the folder of a version in it.

    A SavedModel can run arbitrary code: load only models that you trust.  One that is replaced meanwhile is read again,
    since it has several files.

    Raises:
        UserError: if there is no model, or it is damaged.
    """
    while True:
        before = _identity(folder)
        try:
            found = _load(folder)
        except (UserError, OSError):
            if _identity(folder) == before:
                raise
        else:
            if _identity(folder) == before:
                return found


def _identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from one that replaces it; None if there is none."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def _load(folder: Path) -> "Sampler":
    saved_model = find_saved_model(folder)
    if not is_intact(saved_model):
        raise UserError(f"{saved_model} is damaged, or not of the manifest.json beside it; {ANEW}", COMBINE_ANEW)
    try:
        loaded = tf.saved_model.load(str(saved_model))
        manifest = records.decode(loaded.signatures["manifest"]()["json"].numpy(), Manifest)
        return Sampler(loaded, manifest)
    except (OSError, tf.errors.OpError, LookupError, TypeError, AttributeError, *records.DAMAGED) as error:
        if errors.is_of_system(error):
            raise
        raise UserError(f"{saved_model} is damaged, or no model of wcgan_tf.combine; {ANEW}", COMBINE_ANEW) from None


class Sampler:
    """A loaded combined model.

    Attributes:
        manifest: its data set, settings and labels.
        labels: label -> name, of the labels with a generator.
        latent_size: numbers per latent.
    """

    def __init__(self, loaded: Any, manifest: Manifest) -> None:
        self._serve = loaded.signatures["serving_default"]
        self._loaded = loaded  # a signature does not keep its variables alive
        self.manifest = manifest
        self.labels = {entry.label: entry.name for entry in manifest.labels}
        self.latent_size = manifest.latent_size
        self._signs = label_signs(0, manifest.num_labels, manifest.latent_size).numpy()

    def refuse_other_dataset(self, dataset: Dataset) -> None:
        """Raise a UserError if the model's data set, resolution or labels differ from those of `config.dataset`."""
        if (own := self.manifest.dataset) != dataset.name:
            raise UserError(f"the model was trained on {own}, not on {dataset.name}; type its own --config")
        if (side := self.manifest.resolution) != dataset.resolution:
            raise UserError(
                f"the model makes images of {side}x{side} pixels; type --config.dataset.resolution={side}, "
                f"not {dataset.resolution}"
            )
        if how := prepared.difference(self.manifest.names, prepared.label_names(dataset)):
            raise UserError(
                f"the model has other labels than the data set that is prepared now ({how}); type another --model, or "
                "combine a run that was trained on this data set"
            )

    def draw(self, label: int, number: int, seed: int, truncation: float | None = None) -> Iterator[np.ndarray]:
        """Images of one label in batches, uint8 [up to BATCH_SIZE, H, W, C]; image i depends on (label, seed, i) alone.

        Args:
            truncation: the latents are in -truncation..truncation; None: not bounded, as in the signature `generate`.
        """
        for first in range(0, number, BATCH_SIZE):
            yield self.images(label, self.latents(label, seed, first, min(first + BATCH_SIZE, number), truncation))

    def interpolate(
        self, label: int, seeds: tuple[int, int], number: int, truncation: float | None
    ) -> Iterator[np.ndarray]:
        """Images of one label between the first images of two seeds, both included, in batches as in `draw`."""
        first, last = (self.latents(label, seed, 0, 1, truncation)[0] for seed in seeds)
        latents = interpolate_latents(first, last, number)
        for start in range(0, number, BATCH_SIZE):
            yield self.images(label, latents[start : start + BATCH_SIZE])

    def latents(self, labels: int | np.ndarray, seed: int, first: int, end: int, truncation: float | None) -> tf.Tensor:
        """Latents of the images `first` to `end` - 1 of a seed, of one label or of labels [n]: float32 [n, z]."""
        latents = latents_from_seed(first, end - first, tf.constant(seed, tf.int64), self.latent_size)
        latents *= self._signs[labels]
        return latents if truncation is None else truncate(latents, truncation)

    def images(self, labels: tf.Tensor, latents: tf.Tensor) -> np.ndarray:
        """Images uint8 [n, H, W, C] for latents float32 [n, latent_size] and labels [n], or of one label."""
        labels = tf.broadcast_to(tf.cast(labels, tf.int32), [len(latents)])
        return self._serve(labels=labels, latents=latents)["images"].numpy()


def truncate(latents: tf.Tensor, bound: float) -> tf.Tensor:
    """Map standard normal latents to the normal distribution truncated to -bound..bound, at the same quantiles.

    The truncation trick of Brock et al. 2019 (arXiv 1809.11096), without its resampling.  A smaller bound makes the
    images more typical and more alike.
    """
    inside = tf.math.erf(bound / np.sqrt(2.0))
    quantiles = tf.math.erf(latents / np.sqrt(2.0)) * tf.cast(inside, tf.float32)
    return tf.math.erfinv(quantiles) * np.sqrt(2.0)


def interpolate_latents(first: tf.Tensor, last: tf.Tensor, number: int) -> tf.Tensor:
    """Latents float32 [number, z] on the great circle from `first` [z] to `last` [z], both included.

    Unlike on a straight line, their norms stay typical of normally distributed latents (White 2016, arXiv 1609.04468).
    """
    shares = tf.linspace(0.0, 1.0, number)[:, None]
    cosine = tf.reduce_sum(first * last) / (tf.norm(first) * tf.norm(last))
    angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
    if angle < 1e-3 or angle > np.pi - 1e-3:  # parallel or opposite: no unique great circle
        return (1.0 - shares) * first + shares * last
    return (tf.sin((1.0 - shares) * angle) * first + tf.sin(shares * angle) * last) / tf.sin(angle)
