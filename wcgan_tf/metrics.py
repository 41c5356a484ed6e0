"""The table of scores.  Each compares what a classifier makes of some images with what it makes of real test images.

All that TF-GAN computes is computed by TF-GAN.  Adding a score: a function here and a row in SCORES.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from wcgan_tf import tfgan


class Seen(NamedTuple):
    """Images as a classifier sees them: features [n, d] and logits [n, k], and their labels [n]."""

    features: np.ndarray
    logits: np.ndarray
    labels: np.ndarray


def classifier_score(seen: Seen, reference: Seen) -> float:
    """exp of the mean KL divergence of p(label | image) from p(label); 1 to the number of labels, high is good.

    The inception score of Salimans et al. 2016 (arXiv 1606.03498), with another classifier than Inception.
    """
    return float(tfgan.evaluation().classifier_score_from_logits(tf.constant(seen.logits)))


def fcd(seen: Seen, reference: Seen) -> float:
    """Frechet distance of the features, taken as Gaussian, to those of the reference; 0 and up, low is good.

    The FID of Heusel et al. 2017 (arXiv 1706.08500), with another classifier than Inception.
    """
    distance = tfgan.evaluation().frechet_classifier_distance_from_activations
    return float(distance(tf.constant(reference.features), tf.constant(seen.features)))


def recognised(seen: Seen, reference: Seen) -> float:
    """The share of images that the classifier gives the label they are meant to have; 0 to 1, high is good."""
    return float(np.mean(seen.logits.argmax(axis=1) == seen.labels))


SCORES = {"classifier_score": classifier_score, "fcd": fcd, "recognised": recognised}


def scores(seen: Seen, reference: Seen) -> dict[str, float]:
    """Every score of the table."""
    return {name: score(seen, reference) for name, score in SCORES.items()}
