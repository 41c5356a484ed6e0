"""The table of scores.  To add one: a function here that calls a formula of metrics.py or tfgan.py, a row in SCORES.

Each compares images with real images of a split, by their features and logits from a classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wcgan_tf.core.errors import UserError
from wcgan_tf.evaluation import metrics, tfgan
from wcgan_tf.evaluation.enough import FEWEST
from wcgan_tf.evaluation.features import ImageFeatures
from wcgan_tf.runs.score_report import Values

ENOUGH_FOR_FRECHET = 2048  # samples; with fewer, bias dominates: rely on the kernel distance
MOST_NEIGHBOURS = 10_000  # images of each set, as in the papers, because the time grows with their square


class Sets(NamedTuple):
    """The inputs of a score."""

    samples: ImageFeatures  # the scored images, generated or real
    reference: ImageFeatures  # the real images of the split that they are compared with
    train: ImageFeatures | None = None  # the training images of the generator; only for one label alone


Compute = Callable[[Sets], Values]


@dataclass(frozen=True)
class Score:
    """A row of the table: one or several scores that are computed together."""

    meanings: dict[str, str]  # key in scores.json -> its meaning, and which values are good
    # computes all keys, optionally also `<key>_deviation`, over all labels; None: `compute` leaves the row out
    together: Compute | None
    alone: Compute | None  # the same for one label alone
    own_labels: bool = False  # whether it needs a classifier for the data set's own labels
    unseen: bool = False  # whether its value for real images takes images that no generator was trained on
    # key -> its display names, if they differ from the key
    names: "dict[str, Name] | None" = None


class Name(NamedTuple):
    """The display names of a score by classifier: only scores by Inception compare with published ones."""

    inception: str
    other: str


def classifier_score(sets: Sets) -> Values:
    """TF-GAN's inception score: mean and standard deviation over 10 splits."""
    value, deviation = tfgan.inception_score(sets.samples.logits)
    return {"classifier_score": value, "classifier_score_deviation": deviation}


def frechet_distance(sets: Sets) -> Values:
    """TF-GAN's Frechet distance."""
    return {"frechet_distance": tfgan.frechet_distance(sets.reference.features, sets.samples.features)}


def frechet_distance_alone(sets: Sets) -> Values:
    """The same by metrics.py: five times as fast if there are more features than samples."""
    return {"frechet_distance": metrics.frechet_distance(sets.reference.features, sets.samples.features)}


def kernel_distance(sets: Sets) -> Values:
    """TF-GAN's kernel distance, a mean over blocks, and its standard error: None for a single block."""
    value, error = tfgan.kernel_distance(sets.reference.features, sets.samples.features)
    return {"kernel_distance": value, "kernel_distance_deviation": None if np.isnan(error) else error}


def kernel_distance_alone(sets: Sets) -> Values:
    """The same by metrics.py: over all pairs, for any number of samples."""
    return {"kernel_distance": metrics.kernel_distance(sets.reference.features, sets.samples.features)}


def manifold(sets: Sets) -> Values:
    """Precision, recall, density and coverage, of up to MOST_NEIGHBOURS images of each set; their order is random."""
    real, samples = (images.features[:MOST_NEIGHBOURS] for images in (sets.reference, sets.samples))
    return metrics.manifold(real, samples)._asdict()


def recognised(sets: Sets) -> Values:
    """The share of images to which the classifier gives the requested label."""
    return {"recognised": metrics.recognised(sets.samples.logits, sets.samples.labels)}


def variety(sets: Sets) -> Values:
    """The distance of samples from each other, relative to real images; a low value indicates mode collapse."""
    return {"variety": metrics.variety(sets.samples.features, sets.reference.features)}


def nearest_train(sets: Sets) -> Values:
    """The mean distance to the nearest training image; much less than for real images indicates copies."""
    assert sets.train is not None, "of all labels together they may be more than memory takes"
    return {"nearest_train": metrics.nearest_distance(sets.samples.features, sets.train.features)}


SCORES = (
    Score(
        {"classifier_score": "how sure the classifier is of each image, and how much the images differ; high"},
        together=classifier_score,
        alone=None,
        names={"classifier_score": Name("inception score", "classifier score")},
    ),
    Score(
        {"kernel_distance": "of what the classifier makes of them to what it makes of real images; low, around 0"},
        together=kernel_distance,
        alone=kernel_distance_alone,
        names={"kernel_distance": Name("kid", "kcd")},
    ),
    Score(
        {"frechet_distance": "as the kernel distance, by mean and covariance; low, near the floor"},
        together=frechet_distance,
        alone=frechet_distance_alone,
        names={"frechet_distance": Name("fid", "fcd")},
    ),
    Score(
        {
            "precision": "share of them that lie near real ones: how many are good; high",
            "recall": "share of real ones that lie near them: how much of what there is they cover; high",
            "density": "as precision, robust to outliers; around 1",
            "coverage": "as recall, robust to outliers: it falls with kinds that are never drawn; high",
        },
        together=manifold,
        alone=manifold,
    ),
    Score(
        {"recognised": "share that the domain classifier gives the label they were asked for; high"},
        together=recognised,
        alone=recognised,
        own_labels=True,
    ),
    Score(
        {"variety": "distance from each other, as a share of that of real ones; around 1"},
        together=None,
        alone=variety,
    ),
    Score(
        {"nearest_train": "distance to the nearest training image; like real ones, and much less is copying"},
        together=None,
        alone=nearest_train,
        unseen=True,
    ),
    # Needs a training of its own: the evaluator computes it.
    Score(
        {"accuracy": "of a classifier trained on them alone, on real test images; high, near the floor"},
        together=None,
        alone=None,
    ),
)
MEANINGS = {key: meaning for score in SCORES for key, meaning in score.meanings.items()}
NAMES = {key: name for score in SCORES for key, name in (score.names or {}).items()}


def display_name(key: str, classifier: str) -> str:
    """The display name of a score with this classifier."""
    if key in NAMES:
        return NAMES[key].inception if classifier == "inception" else NAMES[key].other
    return key.replace("_", " ")


def compute(sets: Sets, own_labels: bool) -> Values:
    """All scores of all labels together; the keys do not depend on the images.

    Args:
        own_labels: whether the classifier's labels are those of the data set.

    Raises:
        UserError: if there are fewer than FEWEST images.
    """
    _refuse_few(sets)
    rows = (score.together for score in SCORES if own_labels or not score.own_labels)
    return {key: value for row in rows if row for key, value in row(sets).items()}


def compute_alone(sets: Sets, own_labels: bool, unseen: ImageFeatures | None = None) -> Values:
    """All scores of one label alone; see `compute`.

    Args:
        unseen: for real samples: images that no generator was trained on, taken by scores with `unseen`.
    """
    _refuse_few(sets)
    values: Values = {}
    for score in SCORES:
        if score.alone and (own_labels or not score.own_labels):
            values |= score.alone(sets._replace(samples=unseen) if score.unseen and unseen is not None else sets)
    return values


def _refuse_few(sets: Sets) -> None:
    for name, images in (("images", sets.samples), ("real images", sets.reference)):
        if len(images.labels) < FEWEST:
            of = f" of label {images.labels[0]}" if len(set(images.labels)) == 1 else ""
            raise UserError(f"{len(images.labels)} {name}{of} are too few for a score, which wants {FEWEST}")
