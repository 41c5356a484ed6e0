"""The table of scores.  Adding one: a function here, which calls a formula of metrics.py or tfgan.py, a row in SCORES.

Each compares images with real ones of a split, as a classifier sees both.  With Inception they are called IS, FID and
KID; with any other classifier classifier score, FCD and KCD, which compare with no published IS or FID.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wcgan_tf.core.errors import UserError
from wcgan_tf.evaluation import metrics, tfgan
from wcgan_tf.evaluation.seen import Seen

ENOUGH_FOR_FRECHET = 2048  # samples; with fewer its bias leads, and the kernel distance says more
FEWEST = 10  # samples that a score can be made of
INCEPTIONS_NAMES = {"classifier_score": "is", "fcd": "fid", "kcd": "kid"}


class Sets(NamedTuple):
    """What a score is made of.

    Attributes:
        samples: the images that are scored, generated or real.
        reference: the real images of the split that they are held against.
        train: of one label alone, the real images that its generator was trained on.
    """

    samples: Seen
    reference: Seen
    train: Seen | None = None


@dataclass(frozen=True)
class Score:
    """A row of the table.

    Attributes:
        compute: the sets -> the values by name; `<name>_deviation` goes with `<name>`.
        alone: whether it makes sense for one label alone.
        own_labels: whether it needs a classifier of the data set's own labels.
        unseen: whether what it is for real images is asked of those that no generator was trained on.
    """

    compute: Callable[[Sets], dict[str, float]]
    alone: bool = True
    own_labels: bool = False
    unseen: bool = False


def classifier_score(sets: Sets) -> dict[str, float]:
    """TF-GAN's inception score, high is good: the mean of 10 splits, and the deviation between them."""
    value, deviation = tfgan.inception_score(sets.samples.logits)
    return {"classifier_score": value, "classifier_score_deviation": deviation}


def frechet(sets: Sets) -> dict[str, float]:
    """TF-GAN's Frechet distance, low is good, and our own where they differ."""
    reported = tfgan.frechet_distance(sets.reference.features, sets.samples.features)
    return {"fcd": reported, **_other("fcd", reported, metrics.frechet_distance, sets)}


def frechet_alone(sets: Sets) -> dict[str, float]:
    """The Frechet distance of one label: our own, which takes a fifth of the time where features outnumber samples."""
    return {"fcd": metrics.frechet_distance(sets.reference.features, sets.samples.features)}


def kernel(sets: Sets) -> dict[str, float]:
    """TF-GAN's kernel distance of blocks, low is good, its standard error, and that of all pairs where they differ."""
    reported, error = tfgan.kernel_distance(sets.reference.features, sets.samples.features)
    own = _other("kcd", reported, metrics.kernel_distance, sets)
    return {"kcd": reported, **({} if np.isnan(error) else {"kcd_deviation": error}), **own}


def manifold(sets: Sets) -> dict[str, float]:
    """Precision, recall, density and coverage, high is good."""
    return metrics.manifold(sets.reference.features, sets.samples.features)._asdict()


def recognised(sets: Sets) -> dict[str, float]:
    """The share of images that show what they are meant to, high is good."""
    return {"recognised": metrics.recognised(sets.samples.logits, sets.samples.labels)}


def nearest_train(sets: Sets) -> dict[str, float]:
    """The mean distance to the nearest training image; much less than for real images is a sign of copies."""
    assert sets.train is not None, "of all labels together they may be more than memory takes"
    return {"nearest_train": metrics.nearest_distance(sets.samples.features, sets.train.features)}


def variety(sets: Sets) -> dict[str, float]:
    """How far samples lie from each other, as a share of how far real ones do; little of it is a sign of collapse."""
    return {"variety": metrics.variety(sets.samples.features, sets.reference.features)}


SCORES = (
    Score(classifier_score, alone=False),
    Score(kernel),
    Score(frechet, alone=False),
    Score(manifold),
    Score(recognised, own_labels=True),
)
SCORES_ALONE = (
    Score(frechet_alone),
    *(score for score in SCORES if score.alone),
    Score(variety),
    Score(nearest_train, unseen=True),
)


def scores(sets: Sets, table: tuple[Score, ...], own_labels: bool, unseen: Seen | None = None) -> dict[str, float]:
    """Every score of a table.

    Args:
        own_labels: whether the classifier's labels are the data set's.
        unseen: where the samples are real, images that no generator was trained on.

    Raises:
        UserError: where there are too few images.
    """
    for name, seen in (("images", sets.samples), ("real images", sets.reference)):
        if len(seen.labels) < FEWEST:
            of = f" of label {seen.labels[0]}" if len(set(seen.labels)) == 1 else ""
            raise UserError(f"{len(seen.labels)} {name}{of} are too few for a score, which wants {FEWEST}")
    return {
        name: value
        for score in table
        if own_labels or not score.own_labels
        for name, value in score.compute(
            sets._replace(samples=unseen) if score.unseen and unseen is not None else sets
        ).items()
    }


def named(values: dict[str, float], classifier: str) -> dict[str, float]:
    """Scores under the names that are theirs with this classifier."""
    if classifier != "inception":
        return values
    renamed = {}
    for name, value in values.items():
        own = next((own for own in INCEPTIONS_NAMES if name == own or name.startswith(f"{own}_")), None)
        renamed[name.replace(own, INCEPTIONS_NAMES[own], 1) if own else name] = value
    return renamed


def _other(name: str, reported: float, own: Callable, sets: Sets) -> dict[str, float]:
    """Our own value, where it is not the reported one."""
    value = own(sets.reference.features, sets.samples.features)
    return {f"{name}_own": value} if abs(value - reported) > 1e-3 else {}
