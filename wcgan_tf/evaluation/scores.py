"""The table of scores.  Adding one: a function here, which calls a formula of metrics.py or tfgan.py, a row in SCORES.

Each compares images with real ones of a split, by what a classifier makes of both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wcgan_tf.core.errors import UserError
from wcgan_tf.evaluation import metrics, tfgan
from wcgan_tf.evaluation.features import ImageFeatures
from wcgan_tf.runs.score_report import Values

ENOUGH_FOR_FRECHET = 2048  # samples; with fewer its bias leads, and the kernel distance says more
FEWEST = 10  # samples that a score can be made of


class Sets(NamedTuple):
    """What a score is made of."""

    samples: ImageFeatures  # the images that are scored, generated or real
    reference: ImageFeatures  # the real images of the split that they are compared with
    train: ImageFeatures | None = None  # of one label alone, the real images that its generator was trained on


Compute = Callable[[Sets], Values]


@dataclass(frozen=True)
class Score:
    """A row of the table: one or several scores that are computed together."""

    meanings: dict[str, str]  # key in scores.json -> what it is, and which values are good
    # computes all keys, and perhaps `<key>_deviation`, over all labels; None leaves the row out there
    together: Compute | None
    alone: Compute | None  # the same of one label alone
    own_labels: bool = False  # whether it needs a classifier of the data set's own labels
    unseen: bool = False  # whether its value for real images is that of images that no generator was trained on
    # key -> its name with Inception, and with any other classifier, if it has names of its own
    names: "dict[str, Name] | None" = None


class Name(NamedTuple):
    """What a score is called, by classifier: only Inception's compare with published ones."""

    inception: str
    other: str


def classifier_score(sets: Sets) -> Values:
    """TF-GAN's inception score: the mean of 10 splits, and the deviation between them."""
    value, deviation = tfgan.inception_score(sets.samples.logits)
    return {"classifier_score": value, "classifier_score_deviation": deviation}


def frechet_distance(sets: Sets) -> Values:
    """TF-GAN's Frechet distance."""
    return {"frechet_distance": tfgan.frechet_distance(sets.reference.features, sets.samples.features)}


def frechet_distance_alone(sets: Sets) -> Values:
    """The same by another way, in a fifth of the time if there are more features than samples."""
    return {"frechet_distance": metrics.frechet_distance(sets.reference.features, sets.samples.features)}


def kernel_distance(sets: Sets) -> Values:
    """TF-GAN's kernel distance of blocks, and its standard error, which a single block has not."""
    value, error = tfgan.kernel_distance(sets.reference.features, sets.samples.features)
    return {"kernel_distance": value, "kernel_distance_deviation": None if np.isnan(error) else error}


def kernel_distance_alone(sets: Sets) -> Values:
    """The same over all pairs, whatever their number."""
    return {"kernel_distance": metrics.kernel_distance(sets.reference.features, sets.samples.features)}


def manifold(sets: Sets) -> Values:
    """Precision, recall, density and coverage."""
    return metrics.manifold(sets.reference.features, sets.samples.features)._asdict()


def recognised(sets: Sets) -> Values:
    """The share of images that the classifier gives the label they were asked for."""
    return {"recognised": metrics.recognised(sets.samples.logits, sets.samples.labels)}


def variety(sets: Sets) -> Values:
    """The distance of samples from each other, as a share of that of real images; little is a sign of collapse."""
    return {"variety": metrics.variety(sets.samples.features, sets.reference.features)}


def nearest_train(sets: Sets) -> Values:
    """The mean distance to the nearest training image; much less than for real images is a sign of copies."""
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
    # A training in itself: the evaluator computes it.
    Score(
        {"accuracy": "of a classifier trained on them alone, on real test images; high, near the floor"},
        together=None,
        alone=None,
    ),
)
MEANINGS = {key: meaning for score in SCORES for key, meaning in score.meanings.items()}
NAMES = {key: name for score in SCORES for key, name in (score.names or {}).items()}


def display_name(key: str, classifier: str) -> str:
    """A score's name for people, with this classifier."""
    if key in NAMES:
        return NAMES[key].inception if classifier == "inception" else NAMES[key].other
    return key.replace("_", " ")


def compute(sets: Sets, own_labels: bool) -> Values:
    """All scores of all labels together; the same keys whatever the images are.

    Args:
        own_labels: whether the classifier's labels are the data set's.

    Raises:
        UserError: if there are too few images.
    """
    _refuse_few(sets)
    rows = (score.together for score in SCORES if own_labels or not score.own_labels)
    return {key: value for row in rows if row for key, value in row(sets).items()}


def compute_alone(sets: Sets, own_labels: bool, unseen: ImageFeatures | None = None) -> Values:
    """All scores of one label alone; see `compute`.

    Args:
        unseen: if the samples are real, images that no generator was trained on.
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
