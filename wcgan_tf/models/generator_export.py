"""Export of one label's generator as a SavedModel, and reading of its weights."""

from pathlib import Path

import keras
import msgspec
import numpy as np
import tensorflow as tf

from wcgan_tf.core import errors, files, records, stateless_random
from wcgan_tf.core.errors import Command, DamagedError, UserError
from wcgan_tf.core.images import to_uint8
from wcgan_tf.core.paths import ABOUT, saved_weights

DAMAGED = (tf.errors.OpError, IndexError, ValueError)  # raised when weights are read from a damaged file


def export_generator(
    generator: keras.Model, label: int, latent_size: int, target: Path, about: msgspec.Struct | None = None
) -> None:
    """Write a SavedModel of a label's generator with two signatures, and in it `about`, a record of its training.

    - `serving_default(latents: float32 [n, z]) -> images: uint8 [n, H, W, C]`
    - `generate(num: int32 [], seed: int64 []) -> images: uint8 [num, H, W, C]`: the latents of image i
      depend on (label, seed, i) alone, not on `num`.
    """
    module = tf.Module()
    module.weights = list(generator.variables)
    signs = label_signs(label, 1, latent_size)

    @tf.function(input_signature=[tf.TensorSpec([None, latent_size], tf.float32, name="latents")], autograph=False)
    def serving_default(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": to_uint8(generator(latents, training=False))}

    scalars = [tf.TensorSpec([], tf.int32, name="num"), tf.TensorSpec([], tf.int64, name="seed")]

    @tf.function(input_signature=scalars, autograph=False)
    def generate(num: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        return serving_default(signs * latents_from_seed(0, num, seed, latent_size))

    module.serving_default, module.generate = serving_default, generate
    with files.publish(target) as path:
        signatures = {"serving_default": serving_default, "generate": generate}
        tf.saved_model.save(module, str(path), signatures=signatures)
        if about is not None:
            records.write(path / ABOUT, about)


def latents_from_seed(first: tf.Tensor, number: tf.Tensor, seed: tf.Tensor, latent_size: int) -> tf.Tensor:
    """Standard normal latents, float32 [number, latent_size], of the images `first`, `first` + 1, ... of a seed.

    Args:
        first, seed: int64 scalars.
        number: int32 scalar.
    """
    return stateless_random.normal_rows(first, number, latent_size, tf.stack([seed, 0]))


def label_signs(first: int, number: int, latent_size: int) -> tf.Tensor:
    """-1 or 1 for each number of a latent, float32 [number, latent_size], of the labels `first`, `first` + 1, ...

    Latents of a seed have the signs of their label.  Otherwise generators that started from the same weights would draw
    the same scene for every label.
    """
    return tf.sign(stateless_random.normal_rows(first, number, latent_size, tf.constant([0, 1], tf.int64)))


def weights_digest(weights: list[np.ndarray]) -> str:
    """One digest of a generator's weights, in the order of `generator.variables`."""
    return files.digest_json([files.digest(values) for values in weights])


def read_weights(folder: Path, mend: Command) -> list[np.ndarray]:
    """Read an exported generator's weights, in the order of `generator.variables`; loads no graph and runs no code.

    Args:
        mend: the command that exports it, for the error message.

    Raises:
        UserError: if there is no exported generator; DamagedError if it is damaged, or a weight is not finite.
    """
    try:
        reader = tf.train.load_checkpoint(str(saved_weights(folder)))
    except DAMAGED as error:
        if errors.is_of_system(error):
            raise
        if not folder.exists():
            raise UserError(f"there is no generator in {folder}; run: ", mend) from None
        raise DamagedError(f"{folder} is damaged; delete it and run: ", mend) from None
    keys = [key for key in reader.get_variable_to_shape_map() if key.startswith("weights/")]
    try:
        weights = [reader.get_tensor(key) for key in sorted(keys, key=lambda key: int(key.split("/")[1]))]
    except DAMAGED as error:
        if errors.is_of_system(error):
            raise
        raise DamagedError(f"{folder} is damaged; delete it and run: ", mend) from None
    if not all(np.isfinite(values).all() for values in weights):
        raise DamagedError(f"{folder} has a weight that is not finite; delete it and run: ", mend)
    return weights
