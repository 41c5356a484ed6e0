"""One label's generator as a SavedModel, and its weights back out of it."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from wcgan_tf.core import files
from wcgan_tf.core import stateless_random as draws
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.images import to_uint8

DAMAGED = (tf.errors.OpError, IndexError, ValueError)  # as reading weights from a damaged file ends


def export_generator(generator, latent_size: int, target: Path) -> None:
    """Write a SavedModel of one generator, with two signatures.

    - `serving_default(latents: float32 [n, z]) -> images: uint8 [n, H, W, C]`
    - `generate(num: int32 [], seed: int64 []) -> images: uint8 [num, H, W, C]`: image i comes from latents that depend
      on (seed, i) alone, whatever `num` is.
    """
    module = tf.Module()
    module.weights = list(generator.variables)

    @tf.function(input_signature=[tf.TensorSpec([None, latent_size], tf.float32, name="latents")], autograph=False)
    def serving_default(latents):
        return {"images": to_uint8(generator(latents, training=False))}

    scalars = [tf.TensorSpec([], tf.int32, name="num"), tf.TensorSpec([], tf.int64, name="seed")]

    @tf.function(input_signature=scalars, autograph=False)
    def generate(num, seed):
        return serving_default(latents_of(0, num, seed, latent_size))

    module.serving_default, module.generate = serving_default, generate
    save(module, {"serving_default": serving_default, "generate": generate}, target)


def latents_of(first, number, seed, latent_size: int):
    """Latents float32 [number, latent_size], normally distributed, of the images `first`, `first` + 1, ... of a seed.

    Args:
        first, seed: int64 scalars.
        number: int32 scalar.
    """
    return draws.normal_rows(first, number, latent_size, tf.stack([seed, 0]))


def save(module: tf.Module, signatures: dict, target: Path) -> None:
    """Write a SavedModel whole or not at all."""
    with files.publish(target) as path:
        tf.saved_model.save(module, str(path), signatures=signatures)


def read_weights(folder: Path, hint: str) -> list[np.ndarray]:
    """The weights of an exported generator, in the order of `generator.variables`; reads no graph, runs no code.

    Raises:
        UserError: where there is no exported generator, or it is damaged.
    """
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    except (tf.errors.OpError, ValueError):
        raise UserError(f"there is no generator in {folder}; run: {hint}") from None
    keys = [key for key in reader.get_variable_to_shape_map() if key.startswith("weights/")]
    try:
        return [reader.get_tensor(key) for key in sorted(keys, key=lambda key: int(key.split("/")[1]))]
    except DAMAGED:
        raise UserError(f"{folder} is damaged; delete it and run: {hint}") from None
