"""Images -> (features, logits), for scoring.  Adding a classifier: a function here, a row in CLASSIFIERS.

The one there is now, `domain`, is a small convolutional network trained once on four fifths of the training images of
all labels, and kept beside them under a name made of their digest.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from wcgan_tf import datasets, files
from wcgan_tf.config import halvings
from wcgan_tf.paths import DatasetPaths

FEATURES = 64
BATCH_SIZE = 128
IMAGES_SEEN = 100_000  # in training, at least EPOCHS_AT_LEAST times each: digits 86 times, CIFAR-10 6 times
EPOCHS_AT_LEAST = 6
HELD_OUT = 5  # every fifth training image of a label is kept from the classifier
RECIPE = 1  # raise it when the network or its training changes: kept weights are then not used again


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
        name: what it is called in CLASSIFIERS.
        digest: of the images and the recipe that it comes from.
        accuracy: on the real test images.
        network: uint8 [n, H, W, C] -> (features [n, FEATURES], logits [n, labels]).
    """

    name: str
    digest: str
    accuracy: float
    network: keras.Model

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 [n, H, W, C] -> (features float32 [n, d], logits float32 [n, labels])."""
        return self.network.predict(images, batch_size=500, verbose=0)


@dataclass(frozen=True)
class Images:
    """Images with their labels: uint8 [n, H, W, C] and int64 [n]."""

    images: np.ndarray
    labels: np.ndarray


def domain(dataset, train: Images, test: Images, say: Callable[[str], None]) -> Classifier:
    """The network trained on `train`, or its kept weights; `say` gets a line when it has to be trained."""
    digest = files.digest(np.array([files.digest(train.images), files.digest(train.labels), str(RECIPE)]))
    kept = DatasetPaths.of(dataset).classifier(digest)
    keras.utils.set_random_seed(0)
    network = _network(train.images.shape[1:], int(train.labels.max()) + 1)
    if kept.exists():
        network.load_weights(kept)
    else:
        epochs = max(EPOCHS_AT_LEAST, IMAGES_SEEN // len(train.images))
        say(f"training the domain classifier on {len(train.images)} images, {epochs} times each; it is kept as {kept}")
        _train(network, train, epochs)
        with files.publish(kept) as path:
            network.save_weights(path)
    predicted = network.predict(test.images, batch_size=500, verbose=0)[1].argmax(axis=1)
    return Classifier("domain", digest, float(np.mean(predicted == test.labels)), network)


CLASSIFIERS = {"domain": domain}


def real_images(dataset, split: str, labels: list[int], hint: str) -> Images:
    """All images of some labels of a split."""
    parts = [datasets.label_images(dataset, split, label, hint) for label in labels]
    return Images(
        np.concatenate([part.images for part in parts]),
        np.concatenate([np.full(len(part.images), part.label) for part in parts]),
    )


def without_held_out(train: Images) -> tuple[Images, Images]:
    """Training images sorted by label -> (those for the classifier, those it never sees).

    A classifier is surer of the images it was trained on, so that only others can stand for real images in a score.
    """
    place = np.arange(len(train.labels)) - np.searchsorted(train.labels, train.labels)  # within its label
    held = place % HELD_OUT == HELD_OUT - 1
    return Images(train.images[~held], train.labels[~held]), Images(train.images[held], train.labels[held])


def _network(image_shape: tuple[int, int, int], num_labels: int) -> keras.Model:
    images = keras.Input(image_shape, dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    width = 32
    for _ in range(halvings(image_shape[0])):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D()(x)
        width = min(2 * width, 128)
    x = layers.Flatten()(x) if image_shape[0] < 16 else layers.GlobalAveragePooling2D()(x)
    features = layers.Dense(FEATURES, activation="relu", name="features")(x)
    logits = layers.Dense(num_labels, name="logits")(layers.Dropout(0.3)(features))
    return keras.Model(images, [features, logits])


def _train(network: keras.Model, train: Images, epochs: int) -> None:
    batches = tf.data.Dataset.from_tensor_slices((train.images, train.labels)).shuffle(len(train.labels), seed=0)
    batches = batches.repeat(epochs).batch(BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, len(train.labels) * epochs // BATCH_SIZE)
    classifier = keras.Model(network.input, network.get_layer("logits").output)
    classifier.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    classifier.fit(batches, shuffle=False, verbose=int(sys.stdout.isatty()))  # a bar, where someone looks
