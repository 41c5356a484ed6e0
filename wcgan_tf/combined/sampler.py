"""Images drawn from a combined model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from wcgan_tf.combined.manifest import COMBINE, Manifest, find_saved_model
from wcgan_tf.config import Dataset
from wcgan_tf.core import records
from wcgan_tf.core.errors import UserError
from wcgan_tf.models.generator_export import latents_from_seed

BATCH_SIZE = 500


def load(folder: Path) -> "Sampler":
    """Load a combined model from its folder, `saved_models/<name>/`, or from that of a version in it.

    A SavedModel can do whatever its maker likes when it is called: load what you trust.

    Raises:
        UserError: if there is none, or it is damaged.
    """
    saved_model = find_saved_model(folder)
    try:
        loaded = tf.saved_model.load(str(saved_model))
        manifest = records.decode(loaded.signatures["manifest"]()["json"].numpy(), Manifest)
        return Sampler(loaded, manifest)
    except (OSError, tf.errors.OpError, LookupError, TypeError, AttributeError, *records.DAMAGED) as error:
        raise UserError(
            f"{saved_model} is damaged, or no model of wcgan_tf.combine ({type(error).__name__}); run: ", COMBINE
        ) from None


class Sampler:
    """A loaded combined model.

    Attributes:
        manifest: what it was made of.
        labels: those with a generator, and their names.
        latent_size: numbers per image.
    """

    def __init__(self, loaded: Any, manifest: Manifest) -> None:
        self._serve = loaded.signatures["serving_default"]
        self._loaded = loaded  # a signature does not keep its variables alive
        self.manifest = manifest
        self.labels = {entry.label: entry.name for entry in manifest.labels}
        self.latent_size = manifest.latent_size

    def refuse_other_dataset(self, dataset: Dataset) -> None:
        """Raise a UserError if the model was trained on another data set than that of `config.dataset`."""
        if (own := self.manifest.dataset) != dataset.name:
            raise UserError(f"the model was trained on {own}, not on {dataset.name}; type --config=configs/{own}.py")
        if (side := self.manifest.resolution) != dataset.resolution:
            raise UserError(
                f"the model makes images of {side}x{side} pixels; type --config.dataset.resolution={side}, "
                f"not {dataset.resolution}"
            )

    def draw(self, label: int, number: int, seed: int, truncation: float | None = None) -> Iterator[np.ndarray]:
        """Images of one label in batches, uint8 [up to BATCH_SIZE, H, W, C]; image i depends on (label, seed, i) alone.

        Args:
            truncation: the latents lie in -truncation..truncation; None for no bounds, as the signature `generate`.
        """
        for first in range(0, number, BATCH_SIZE):
            yield self.images(label, self.latents(seed, first, min(first + BATCH_SIZE, number), truncation))

    def interpolate(
        self, label: int, seeds: tuple[int, int], number: int, truncation: float | None
    ) -> Iterator[np.ndarray]:
        """Images of one label on the way from the first image of one seed to that of another, in batches as `draw`."""
        first, last = (self.latents(seed, 0, 1, truncation)[0] for seed in seeds)
        latents = interpolate_latents(first, last, number)
        for start in range(0, number, BATCH_SIZE):
            yield self.images(label, latents[start : start + BATCH_SIZE])

    def latents(self, seed: int, first: int, end: int, truncation: float | None) -> tf.Tensor:
        """Latents of the images `first` to `end` - 1 of a seed: float32 [end - first, latent_size]."""
        latents = latents_from_seed(first, end - first, tf.constant(seed, tf.int64), self.latent_size)
        return latents if truncation is None else truncate(latents, truncation)

    def images(self, labels: tf.Tensor, latents: tf.Tensor) -> np.ndarray:
        """Images uint8 [n, H, W, C] of latents float32 [n, latent_size] and labels [n], or of one label."""
        labels = tf.broadcast_to(tf.cast(labels, tf.int32), [len(latents)])
        return self._serve(labels=labels, latents=latents)["images"].numpy()


def truncate(latents: tf.Tensor, bound: float) -> tf.Tensor:
    """Latents of a normal distribution -> of the same one truncated to -bound..bound, in the same order.

    The truncation trick of Brock et al. 2019 (arXiv 1809.11096), by the quantiles instead of by drawing again: the
    lower the bound, the more alike and the more typical the images are.
    """
    inside = tf.math.erf(bound / np.sqrt(2.0))
    quantiles = tf.math.erf(latents / np.sqrt(2.0)) * tf.cast(inside, tf.float32)
    return tf.math.erfinv(quantiles) * np.sqrt(2.0)


def interpolate_latents(first: tf.Tensor, last: tf.Tensor, number: int) -> tf.Tensor:
    """Latents float32 [number, z] on the great circle from one [z] to another, both ends among them.

    So their lengths stay those of normally distributed latents, which a straight line would leave (White 2016,
    arXiv 1609.04468).
    """
    shares = tf.linspace(0.0, 1.0, number)[:, None]
    cosine = tf.reduce_sum(first * last) / (tf.norm(first) * tf.norm(last))
    angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
    if angle < 1e-3 or angle > np.pi - 1e-3:  # no circle, or every one
        return (1.0 - shares) * first + shares * last
    return (tf.sin((1.0 - shares) * angle) * first + tf.sin(shares * angle) * last) / tf.sin(angle)
