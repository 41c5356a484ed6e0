"""The domain classifier: a small convolutional network trained on a data set's own images and labels.

Its features fit this data set, where Inception's fit ImageNet; it takes minutes to train and needs no download.
Its scores compare models of this data set with each other; they are neither IS nor FID.
"""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from wcgan_tf import models
from wcgan_tf.config import halvings
from wcgan_tf.core import errors, files, machine
from wcgan_tf.core.console import ProgressBar
from wcgan_tf.evaluation.enough import HELD_OUT
from wcgan_tf.evaluation.picked_images import PickedImages
from wcgan_tf.models import convolutions
from wcgan_tf.models.blocks import BatchNormalization

FEATURES = 64
BATCH_SIZE = 128
EPOCHS = 8
FEWEST_IMAGES_SEEN = 50_000  # small sets are repeated until about this many images are seen: digits 43 times
MOST_IMAGES = 200_000  # in its training set
LEARNING_RATE = 6e-3
HALVED_SHARE = 0.25  # of the batches, the first, have images of half the side: they take a quarter of the time
WIDTH = 32  # feature maps at the side of small images
NARROWEST, WIDEST = 8, 256
SMALL = 16  # pixels; below this side every pixel counts: no average pooling, no shifts
RECIPE = 5  # increase it when the network or its training changes: stored weights are then not used again


def training_images_seen(number: int) -> int:
    """Number of images, repetitions included, that a training on `number` different images sees."""
    return min(number, MOST_IMAGES) * max(EPOCHS, FEWEST_IMAGES_SEEN // number)


def held_out(places: np.ndarray) -> np.ndarray:
    """Which of a label's training images, by index in its file, the domain classifier is not trained on: bool [n].

    A classifier is more certain of its own training images, so only other images can stand for real ones in a score.
    """
    return places % HELD_OUT == HELD_OUT - 1


@models.numbered_anew()
def build_network(
    image_shape: tuple[int, int, int], num_labels: int, precision: str = "float32", *, any_side: bool = False
) -> keras.Model:
    """The untrained network: uint8 [n, H, W, C] -> (features float32 [n, FEATURES], logits float32 [n, num_labels]).

    Args:
        precision: of the convolutions; variables and outputs are float32.
        any_side: whether it takes images of other sides too; not if they have to be small.
    """
    images = keras.Input((None, None, image_shape[2]) if any_side else image_shape, dtype="uint8")
    with models.computing_in(precision):
        x = _convolutions(images, halvings(image_shape[0]))
    x = layers.Flatten()(x) if image_shape[0] < SMALL else layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(FEATURES, activation="relu")(x)
    # Mean 0 and variance 1 over the training images, because kernels and distances in the scores depend on the scale.
    features = layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="features")(x)
    logits = layers.Dense(num_labels, name="logits")(layers.Dropout(0.1)(features))
    made = keras.Model(images, [features, logits])
    made.jit_compile = False  # on a GPU Keras would compile it with XLA for every number of images
    return made


def _convolutions(images: keras.KerasTensor, stages: int) -> keras.KerasTensor:
    """The last feature maps.

    Maps of more than 16 pixels have one convolution each, so that large images take hardly more time than those of 32.
    """
    large = max(0, stages - halvings(2 * SMALL))
    width = max(NARROWEST, WIDTH >> large)
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    if not large:
        x = _convolved(x, width)
    for stage in range(stages):
        width = min(2 * width, WIDEST)
        x = _convolved(x, width, strides=2)
        if large <= stage < stages - 1:
            x = layers.Add()([x, _convolved(_convolved(x, width), width)])
    return x


def load_network(
    weights: Path, image_shape: tuple[int, int, int], num_labels: int, digest: str = ""
) -> keras.Model | None:
    """The network with the weights in a file; None if the file is missing or damaged.

    Args:
        digest: of the file, as it was written; "" if that is not known.
    """
    made = build_network(image_shape, num_labels)
    try:
        if digest and files.digest_file(weights) != digest:
            return None
        made.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        if errors.is_of_system(error):
            raise
        return None
    return made


def _convolved(x: keras.KerasTensor, width: int, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(BatchNormalization()(x))


def train(made: keras.Model, batches: Iterator[tuple[np.ndarray, np.ndarray]], steps: int, flip: bool) -> None:
    """Train a network for `steps` batches of images uint8 [BATCH_SIZE, H, W, C] and labels int64 [BATCH_SIZE].

    Large images begin with half their side, and are computed in bfloat16 on a CPU that has it.

    Args:
        flip: whether to mirror half of the images left to right.
    """
    shape, num_labels = made.input.shape[1:], made.output[1].shape[1]
    trained = build_network(shape, num_labels, _precision(), any_side=True) if shape[0] >= SMALL else made
    trained.set_weights(made.get_weights())
    warming = steps // 5
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warming, warmup_target=LEARNING_RATE, warmup_steps=warming
    )
    classifier = keras.Model(trained.input, trained.get_layer("logits").output)
    classifier.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    stream = _stream(batches, shape, steps, flip)
    with ProgressBar("training a classifier, batches", steps) as count:
        counted = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: count.add(1))
        classifier.fit(stream, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[counted])
    made.set_weights(trained.get_weights())


def _precision() -> str:
    return "mixed_bfloat16" if convolutions.on_cpu() and machine.computes_in_bfloat16() else "float32"


def _stream(
    batches: Iterator[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int, int], steps: int, flip: bool
) -> tf.data.Dataset:
    """`steps` augmented batches; if the images are large, the first HALVED_SHARE of them at half the side."""
    spec = (tf.TensorSpec([BATCH_SIZE, *shape], tf.uint8), tf.TensorSpec([BATCH_SIZE], tf.int64))
    stream = tf.data.Dataset.from_generator(lambda: batches, output_signature=spec)
    stream = stream.map(lambda images, labels: (_augmented(images, flip), labels))
    if shape[0] >= 2 * SMALL:
        halved = int(HALVED_SHARE * steps)
        small = stream.take(halved).map(lambda images, labels: (_halved(images), labels))
        stream = small.concatenate(stream)  # which goes on where `small` ended: both read the one iterator
    return stream.take(steps).prefetch(2)


def _halved(images: tf.Tensor) -> tf.Tensor:
    """The means of blocks of 2x2 pixels."""
    means = tf.nn.avg_pool2d(tf.cast(images, tf.float32), 2, 2, "VALID")
    return tf.cast(tf.round(means), tf.uint8)


def _augmented(images: tf.Tensor, flip: bool) -> tf.Tensor:
    """The batch, shifted as a whole by up to an eighth of the side; with `flip`, each image is mirrored at random."""
    shift = images.shape[1] // 8 if images.shape[1] >= SMALL else 0
    padded = tf.pad(images, [[0, 0], [shift, shift], [shift, shift], [0, 0]], "REFLECT")
    moved = tf.image.random_crop(padded, images.shape)
    return tf.image.random_flip_left_right(moved) if flip else moved


def shuffled(
    images: np.ndarray | PickedImages, labels: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches: all images in random order, then again in another random order, and so on."""
    random = np.random.default_rng(seed)
    waiting = np.empty(0, np.int64)
    while True:
        while len(waiting) < BATCH_SIZE:
            waiting = np.concatenate([waiting, random.permutation(len(labels))])
        chosen, waiting = waiting[:BATCH_SIZE], waiting[BATCH_SIZE:]
        yield images[chosen], labels[chosen]
