"""TF-GAN's evaluation functions, for TensorFlow releases with which TF-GAN 2.1.0 itself cannot be imported.

`import tensorflow_gan` needs `tf.estimator`, which TensorFlow 2.16 dropped; its evaluation modules do not.  So empty
modules that only have a search path take the place of the two packages above them.
"""

import contextlib
import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

INCEPTION = "https://tfhub.dev/tensorflow/tfgan/eval/inception/1"  # TF-GAN's INCEPTION_TFHUB
CPU = "/CPU:0"  # GPUs are slow at decompositions of float64
SPLITS = 10
BLOCK = 1024  # most samples in a block of the kernel distance; more if the sets differ much in size
FEWEST_IN_A_BLOCK = 10


@functools.cache
def evaluation() -> types.ModuleType:
    """The module `tensorflow_gan.python.eval`.

    Raises:
        ImportError: if TF-GAN is not installed.
    """
    top = importlib.util.find_spec("tensorflow_gan")  # finds it without importing it
    if top is None or not top.submodule_search_locations:
        raise ImportError("TF-GAN is not installed; type: pip install tensorflow-gan")
    folders = list(top.submodule_search_locations)
    for name, paths in (
        ("tensorflow_gan", folders),
        ("tensorflow_gan.python", [f"{folder}/python" for folder in folders]),
    ):
        module = types.ModuleType(name)
        module.__path__ = paths
        sys.modules[name] = module
    return importlib.import_module("tensorflow_gan.python.eval")


def inception_score(logits: np.ndarray, splits: int = SPLITS) -> tuple[float, float]:
    """`classifier_score_from_logits` of each of `splits` parts of the samples: mean and standard deviation.

    The score is exp of the mean KL divergence of p(label | image) from p(label): 1 to k, higher is better (Salimans et
    al. 2016, arXiv 1606.03498).

    Args:
        logits: [n, k] in random order, n at least `splits`.
    """
    score = evaluation().classifier_score_from_logits
    with tf.device(CPU):
        values = [float(score(tf.constant(part, tf.float64))) for part in np.array_split(logits, splits)]
    return float(np.mean(values)), float(np.std(values))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """`frechet_classifier_distance_from_activations` in float64; see metrics.frechet_distance."""
    distance = evaluation().frechet_classifier_distance_from_activations
    with tf.device(CPU):
        return float(distance(tf.constant(a, tf.float64), tf.constant(b, tf.float64)))


def kernel_distance(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """`kernel_classifier_distance_and_std_from_activations` in float64: mean over blocks, and standard error.

    See metrics.kernel_distance, which takes all pairs.  For a single block the standard error is NaN.

    Args:
        a, b: features [n_a, d] and [n_b, d] in random order, at least two samples each.
    """
    distance = evaluation().kernel_classifier_distance_and_std_from_activations
    blocks = max(min(len(a), len(b)) // FEWEST_IN_A_BLOCK, 1)
    block = max(BLOCK, -(-max(len(a), len(b)) // blocks))  # else a much smaller set leaves blocks empty
    with _silent(), tf.device(CPU):
        value, error = distance(tf.constant(a, tf.float64), tf.constant(b, tf.float64), max_block_size=block)
    return float(value), float(error)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Suppress TensorFlow's warnings: TF-GAN calls functions that are now deprecated."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
