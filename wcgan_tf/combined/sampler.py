"""A combined model, loaded and asked for images."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from wcgan_tf.combined import manifest as manifests
from wcgan_tf.core.errors import UserError
from wcgan_tf.models import generator_export as export

BATCH_SIZE = 500


def load(folder: Path, hint: str) -> "ConditionalModel":
    """A combined model from its folder, `saved_models/<name>/`, or from that of a version in it.

    A SavedModel can do whatever its maker likes when it is called: load what you trust.

    Args:
        hint: the command that makes it, for the error.

    Raises:
        UserError: where there is none.
    """
    saved_model = manifests.saved_model(folder, hint)
    try:
        loaded = tf.saved_model.load(str(saved_model))
        manifest = json.loads(loaded.signatures["manifest"]()["json"].numpy())
        return ConditionalModel(loaded, manifest)
    except (OSError, tf.errors.OpError, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{saved_model} is damaged, or no model of wcgan_tf.combine ({type(error).__name__}); run: {hint}"
        ) from None


class ConditionalModel:
    """A loaded combined model.

    Attributes:
        manifest: what `combine` wrote into it, and beside it.
        names: of all labels.
        labels: those that it has a generator of, with their names.
        latent_size: numbers per image.
    """

    def __init__(self, loaded, manifest: dict):
        self._serve = loaded.signatures["serving_default"]
        self._loaded = loaded  # a signature does not keep its variables alive
        self.manifest = manifest
        self.names: list[str] = manifest["names"]
        self.labels: dict[int, str] = {label["label"]: label["name"] for label in manifest["labels"]}
        self.latent_size: int = manifest["latent_size"]

    def refuse_other(self, dataset) -> None:
        """Raise a UserError where the model was trained on another data set than that of `config.dataset`."""
        if (own := self.manifest["dataset"]) != dataset.name:
            raise UserError(f"the model was trained on {own}, not on {dataset.name}; type --config=configs/{own}.py")
        if (side := self.manifest["resolution"]) != dataset.resolution:
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

    def between(
        self, label: int, seeds: tuple[int, int], number: int, truncation: float | None
    ) -> Iterator[np.ndarray]:
        """Images of one label on the way from the first image of one seed to that of another, in batches as `draw`."""
        first, last = (self.latents(seed, 0, 1, truncation)[0] for seed in seeds)
        latents = between(first, last, number)
        for start in range(0, number, BATCH_SIZE):
            yield self.images(label, latents[start : start + BATCH_SIZE])

    def latents(self, seed: int, first: int, end: int, truncation: float | None):
        """Latents of the images `first` to `end` - 1 of a seed: float32 [end - first, latent_size]."""
        latents = export.latents_of(first, end - first, tf.constant(seed, tf.int64), self.latent_size)
        return latents if truncation is None else truncated(latents, truncation)

    def images(self, labels, latents) -> np.ndarray:
        """Images uint8 [n, H, W, C] of latents float32 [n, latent_size] and labels [n], or of one label."""
        labels = tf.broadcast_to(tf.cast(labels, tf.int32), [len(latents)])
        return self._serve(labels=labels, latents=latents)["images"].numpy()


def truncated(latents, bound: float):
    """Normally distributed latents -> as distributed, but conditioned to lie in -bound..bound; of the same order.

    The truncation trick of Brock et al. 2019 (arXiv 1809.11096), by the quantiles instead of by drawing again: the
    lower the bound, the more alike and the more typical the images are.
    """
    inside = tf.math.erf(bound / np.sqrt(2.0))
    quantiles = tf.math.erf(latents / np.sqrt(2.0)) * tf.cast(inside, tf.float32)
    return tf.math.erfinv(quantiles) * np.sqrt(2.0)


def between(first, last, number: int):
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
