"""The training of the domain classifier: the sides of its batches, its precision, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.core import machine
from wcgan_tf.evaluation import domain_classifier
from wcgan_tf.evaluation.domain_classifier import BATCH_SIZE, build_network


def striped(side: int, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Noise with horizontal stripes, of which label 1 has wider ones; each image's begin at a row of its own.

    Without that all images of a batch, which is shifted as a whole, would change together, and with them the
    statistics of BatchNorm.
    """
    random, labels = np.random.default_rng(0), np.arange(BATCH_SIZE) % 2
    rows = np.arange(side) + random.integers(0, 8, [BATCH_SIZE, 1])
    stripes = rows // np.where(labels, 4, 2)[:, None] % 2
    noise = random.integers(0, 64, [BATCH_SIZE, side, side, channels])
    return (128 * stripes[:, :, None, None] + noise).astype(np.uint8), labels


@pytest.mark.parametrize(("side", "halved"), [(8, 0), (28, 0), (32, 2), (64, 2)])
def test_the_first_quarter_of_the_batches_of_large_images_is_halved(side, halved):
    images, labels = striped(side)
    stream = domain_classifier._stream(iter(lambda: (images, labels), None), images.shape[1:], steps=8, flip=True)
    sides = [own.shape[1] for own, _ in stream]
    assert sides == halved * [side // 2] + (8 - halved) * [side]


def test_halving_takes_the_means_of_blocks():
    images = tf.constant([[[1], [2], [0], [0]], [[4], [5], [0], [255]]], tf.uint8)[None]
    assert domain_classifier._halved(images).numpy().tolist() == [[[[3], [64]]]]


EMULATED = pytest.mark.skipif(not machine.computes_in_bfloat16(), reason="emulated, takes minutes; used on no such CPU")


@pytest.mark.parametrize("bfloat16", [pytest.param(True, marks=EMULATED), False])
def test_it_learns_large_images_in_both_precisions(bfloat16, monkeypatch):
    monkeypatch.setattr(machine, "computes_in_bfloat16", lambda: bfloat16)
    images, labels = striped(32)
    keras.utils.set_random_seed(0)
    network = build_network(images.shape[1:], 2)
    domain_classifier.train(network, iter(lambda: (images, labels), None), 30, flip=True)
    features, logits = network.predict(images, verbose=0)
    assert network.dtype_policy.name == "float32"
    assert features.dtype == logits.dtype == np.float32
    assert np.mean(logits.argmax(axis=1) == labels) > 0.9


def test_bfloat16_is_for_cpus_that_have_it(monkeypatch):
    for has, gpus, expected in ((True, [], "mixed_bfloat16"), (False, [], "float32"), (True, ["GPU"], "float32")):
        monkeypatch.setattr(machine, "computes_in_bfloat16", lambda has=has: has)
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind, gpus=gpus: gpus)
        assert domain_classifier._precision() == expected
