"""One label's generator as a SavedModel, and its weights back out of it."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from wcgan_tf import files
from wcgan_tf.errors import UserError
from wcgan_tf.images import to_uint8


def export_generator(generator, latent_size: int, target: Path) -> None:
    """Write a SavedModel with `serving_default(latents: float32 [n, z]) -> images: uint8 [n, H, W, C]`."""
    module = tf.Module()
    module.weights = list(generator.variables)

    @tf.function(input_signature=[tf.TensorSpec([None, latent_size], tf.float32, name="latents")])
    def serving_default(latents):
        return {"images": to_uint8(generator(latents, training=False))}

    module.serving_default = serving_default
    save(module, serving_default, target)


def save(module: tf.Module, signature, target: Path) -> None:
    """Write a SavedModel with one signature, whole or not at all."""
    with files.publish(target) as path:
        tf.saved_model.save(module, str(path), signatures={"serving_default": signature})


def read_weights(folder: Path, hint: str) -> list[np.ndarray]:
    """The weights of an exported generator, in the order of `generator.variables`; reads no graph, runs no code.

    Raises:
        UserError: where there is no exported generator.
    """
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    except (tf.errors.OpError, ValueError):
        raise UserError(f"there is no generator in {folder}; run: {hint}") from None
    keys = [key for key in reader.get_variable_to_shape_map() if key.startswith("weights/")]
    return [reader.get_tensor(key) for key in sorted(keys, key=lambda key: int(key.split("/")[1]))]
