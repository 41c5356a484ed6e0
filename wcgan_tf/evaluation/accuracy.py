"""The classification accuracy score: how well a classifier does on real images that has only seen generated ones."""

from collections.abc import Iterator

import keras
import numpy as np

from wcgan_tf.combined.sampler import ConditionalModel
from wcgan_tf.evaluation import domain_classifier as domain

MOST_LOOKS = 100_000  # minutes on two cores


def classification_accuracy(
    model: ConditionalModel, labels: list[int], real: list[np.ndarray], looks: int, flip: bool, seed: int
) -> float:
    """Accuracy on real images of a domain classifier that was trained on generated ones alone; 0 to 1, high is good.

    After Ravuri and Vinyals 2019 (arXiv 1905.10887), but with ever new images instead of a set of them.

    Args:
        real: of each label its images, uint8 [n, H, W, C].
        looks: how many generated images it sees, but MOST_LOOKS at most.
        flip: whether a mirror image shows the same.
    """
    keras.utils.set_random_seed(seed)
    network = domain.network(real[0].shape[1:], len(labels))
    domain.train(network, _generated(model, np.array(labels), seed), min(looks, MOST_LOOKS) // domain.BATCH_SIZE, flip)
    right = sum(int(np.sum(_logits(network, images).argmax(axis=1) == place)) for place, images in enumerate(real))
    return right / sum(len(images) for images in real)


def _generated(model: ConditionalModel, labels: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of new images without an end, and the place of each one's label."""
    random, first = np.random.default_rng(seed), 0
    while True:
        places = random.integers(len(labels), size=domain.BATCH_SIZE)
        latents = model.latents(seed, first, first + domain.BATCH_SIZE, None)
        yield model.images(labels[places], latents), places
        first += domain.BATCH_SIZE


def _logits(network: keras.Model, images: np.ndarray) -> np.ndarray:
    return network.predict(images, batch_size=500, verbose=0)[1]
