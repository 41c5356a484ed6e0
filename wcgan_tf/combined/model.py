"""The combined model: stacked weights of all labels' generators, one graph for them, and its export."""

import math
from pathlib import Path

import numpy as np
import tensorflow as tf

from wcgan_tf import models
from wcgan_tf.combined.manifest import Manifest
from wcgan_tf.config import Model
from wcgan_tf.core import errors, records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.images import to_uint8
from wcgan_tf.core.paths import saved_weights
from wcgan_tf.models.generator_export import DAMAGED, label_signs, latents_from_seed

NO_GENERATOR = -1
ALIGNMENT = 64


class ConditionalModel:
    """The generators of some labels as one model.

    The weights are stacked, and one network serves every label, so the graph does not grow with the number of labels.
    The graph raises an error for a label that is out of range or has no generator.

    Args:
        model: the settings `config.model`, the same for all labels.
        labels: the labels with a generator; their weights are 0 until `set_weights` or `copy_weights` sets them.
        num_labels: number of labels of the data set, 0 to num_labels - 1.
        resolution, channels: of the images.
    """

    def __init__(self, model: Model, labels: list[int], num_labels: int, resolution: int, channels: int) -> None:
        self._body = models.generator(model, resolution, channels)
        self._image = [resolution, resolution, channels]
        self._latent_size = model.latent_size
        self._row = {label: row for row, label in enumerate(sorted(labels))}
        row_of_label = np.full(num_labels, NO_GENERATOR, np.int32)
        row_of_label[sorted(labels)] = np.arange(len(labels))
        self._row_of_label = tf.constant(row_of_label)
        self._signs = label_signs(0, num_labels, model.latent_size)
        self._arrays = [_aligned_zeros([len(labels), *variable.shape]) for variable in self._body.variables]
        # The variables share the arrays' memory, so the weights of a thousand labels are in memory once.
        with tf.device("/CPU:0"):  # on a GPU a variable would have memory of its own, and keep the zeros
            self._stacks = [
                tf.Variable(tf.experimental.dlpack.from_dlpack(array.__dlpack__()), trainable=False)
                for array in self._arrays
            ]

    def has_room_for(self, weights: list[np.ndarray]) -> bool:
        """Whether weights are those of such a generator, to judge by their shapes."""
        return [values.shape for values in weights] == [array.shape[1:] for array in self._arrays]

    def set_weights(self, label: int, weights: list[np.ndarray]) -> None:
        """Set a label's weights, in the order of `generator.variables`."""
        for array, values in zip(self._arrays, weights, strict=True):
            array[self._row[label]] = values

    def copy_weights(self, saved_model: Path, labels: list[int], kept: list[int]) -> None:
        """Copy the weights of some labels from an existing combined model; loads no graph and runs no code.

        Args:
            labels: all labels of the existing model.
            kept: the labels to copy.

        Raises:
            UserError: if the existing model is damaged.
        """
        row_there = {label: row for row, label in enumerate(sorted(labels))}
        try:
            reader = tf.train.load_checkpoint(str(saved_weights(saved_model)))
            for place, array in enumerate(self._arrays):
                values = reader.get_tensor(f"stacks/{place}/.ATTRIBUTES/VARIABLE_VALUE")
                for label in kept:
                    array[self._row[label]] = values[row_there[label]]
        except DAMAGED as error:
            if errors.is_of_system(error):
                raise
            raise UserError(f"{saved_model} is damaged; combine all labels anew, with --overwrite") from None

    def save(self, manifest: Manifest, target: Path) -> None:
        """Write a SavedModel with three signatures into a folder that does not exist yet.

        - `serving_default(labels: int32 [n], latents: float32 [n, z]) -> {"images": uint8 [n, H, W, C]}`
        - `generate(labels: int32 [n], seed: int64 []) -> {"images": uint8 [n, H, W, C]}`: image i depends on labels[i],
          seed and i alone; if all labels are equal, the images equal those of that label's exported `generate`.
        - `manifest() -> {"json": string []}`: the `Manifest`.
        """
        labels = tf.TensorSpec([None], tf.int32, name="labels")
        latents = tf.TensorSpec([None, self._latent_size], tf.float32, name="latents")
        seed = tf.TensorSpec([], tf.int64, name="seed")
        text = records.encode(manifest)

        @tf.function(input_signature=[labels, latents], autograph=False)
        def serving_default(labels: tf.Tensor, latents: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"images": self._images(labels, latents)}

        @tf.function(input_signature=[labels, seed], autograph=False)
        def generate(labels: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
            last = len(self._signs) - 1
            signs = tf.gather(self._signs, tf.clip_by_value(labels, 0, last))  # wrong labels are found below
            latents = latents_from_seed(0, tf.size(labels), seed, self._latent_size)
            return {"images": self._images(labels, signs * latents)}

        @tf.function(input_signature=[], autograph=False)
        def about() -> dict[str, tf.Tensor]:
            return {"json": tf.constant(text)}

        module = tf.Module()
        module.stacks = self._stacks
        signatures = {"serving_default": serving_default, "generate": generate, "manifest": about}
        tf.saved_model.save(module, str(target), signatures=signatures)

    def _images(self, labels: tf.Tensor, latents: tf.Tensor) -> tf.Tensor:
        """Sort the batch by label, run the network once per label, and restore the order; uint8 [n, H, W, C].

        The fastest of several forms (benchmarks/combined_forms.py).
        """
        rows = _rows(labels, latents, self._row_of_label)
        order = tf.argsort(rows, stable=True)
        latents = tf.gather(latents, order)
        present, _, counts = tf.unique_with_counts(tf.gather(rows, order))
        ends = tf.cumsum(counts)
        images = tf.TensorArray(tf.uint8, tf.size(present), element_shape=[None, *self._image], infer_shape=False)

        def add(turn: tf.Tensor, images: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            stretch = latents[ends[turn] - counts[turn] : ends[turn]]
            return turn + 1, images.write(turn, self._one_label(present[turn], stretch))

        _, images = tf.while_loop(lambda turn, _: turn < tf.size(present), add, [0, images])
        return tf.gather(images.concat(), tf.argsort(order))

    def _one_label(self, row: tf.Tensor, latents: tf.Tensor) -> tf.Tensor:
        # tf.gather reads one row; stack[row] would copy the weights of all labels first.
        own = {
            id(variable): tf.gather(stack, row)
            for variable, stack in zip(self._body.variables, self._stacks, strict=True)
        }
        trainable = [own[id(variable)] for variable in self._body.trainable_variables]
        others = [own[id(variable)] for variable in self._body.non_trainable_variables]
        images, _ = self._body.stateless_call(trainable, others, latents)
        return to_uint8(images)


def _aligned_zeros(shape: list[int]) -> np.ndarray:
    """float32 zeros that TensorFlow can use without a copy: their address is a multiple of ALIGNMENT bytes."""
    size = 4 * math.prod(shape)
    room = np.zeros(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size].view(np.float32).reshape(shape)


def _rows(labels: tf.Tensor, latents: tf.Tensor, row_of_label: tf.Tensor) -> tf.Tensor:
    """Each label's row in the stacks; the graph raises an error for wrong shapes and for labels without a row."""
    number, width, last = tf.shape(latents)[0], latents.shape[1], tf.size(row_of_label) - 1
    as_wide = tf.size(latents) == number * width  # not the width: TensorFlow takes it from the signature
    outside = (labels < 0) | (labels > last)
    checks = [
        _check(as_wide, "latents have to be {} wide, not of shape {}", width, tf.shape(latents)),
        _check(tf.size(labels) == number, "there are {} labels and {} latents", tf.size(labels), number),
        _check(~tf.reduce_any(outside), "labels are 0 to {}, not {}", last, tf.boolean_mask(labels, outside)),
    ]
    with tf.control_dependencies(checks):
        rows = tf.gather(row_of_label, labels)
    absent = rows == NO_GENERATOR
    words = "the model has no generator of label {}"
    with tf.control_dependencies([_check(~tf.reduce_any(absent), words, tf.boolean_mask(labels, absent))]):
        return tf.identity(rows)


def _check(holds: tf.Tensor, words: str, *values: tf.Tensor) -> tf.Operation:
    """An operation of the graph that raises an error with this text if `holds` is False."""
    return tf.debugging.Assert(holds, [tf.strings.format(words, values)])
