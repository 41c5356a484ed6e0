"""scores.json: written by `evaluate`, read by launch, combine, pipeline and report.  No TensorFlow."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from wcgan_tf.core.errors import Command
from wcgan_tf.core.records import Count, Number, Share
from wcgan_tf.runs.label_status import Cost

EVALUATE = Command("evaluate")
RANKED_BY = "kernel_distance"  # the score that ranks labels, less that of real images; the largest is the worst
FORMAT: Final = 2  # increase it if keys change; a file of another format counts as damaged

Values = dict[str, Number | None]  # score -> value; None if undefined, such as the deviation of a single block


class Beside(msgspec.Struct, frozen=True):
    """Scores of generated images, and the same scores of real images."""

    generated: Values
    real: Values


class Images(msgspec.Struct, frozen=True):
    """The numbers of images; the generated and the real ones are each compared with the reference."""

    generated: Count
    real: Count
    reference: Count


class LabelScores(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of one label alone."""

    name: str
    # scores, real: of its generated images, and of real images instead
    scores: Values
    real: Values
    # label predicted for its generated images -> share of them, the largest first
    taken_for: dict[int, Share] = {}
    # weights_digest, step: of the generator that was scored
    weights_digest: str
    step: Count


def above_floor(scores: Mapping[str, float | None], real: Mapping[str, float | None]) -> float:
    """By how much the distance of a label's generated images exceeds that of real ones; unknown ones count as 0."""
    return (scores.get(RANKED_BY) or 0.0) - (real.get(RANKED_BY) or 0.0)


def worst_first(by_label: dict[int, LabelScores]) -> list[int]:
    """The labels in the order of their kernel distance above that of real images, the largest first."""
    return sorted(by_label, key=lambda label: (-above_floor(by_label[label].scores, by_label[label].real), label))


class ClassifierFacts(msgspec.Struct, frozen=True):
    """The classifier of the scores; `accuracy` on real images, None if its labels are not those of the data set."""

    name: str
    digest: str
    resize: str
    accuracy: Share | None = None


class ScoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """All results of `evaluate` for a combined model."""

    format: Literal[2]  # FORMAT
    scores: Beside  # of all labels together
    means: Beside  # over the labels, of the scores of each alone
    by_label: dict[int, LabelScores]
    images: Images
    labels: list[int]
    num_per_label: Count
    few: bool  # whether the images are too few for a Frechet distance
    split: str  # of the reference
    seed: int
    classifier: ClassifierFacts
    # real_images, model: digests of the real images and of the weights
    real_images: str
    model: str
    cost: Cost  # of training the generators
    seconds: dict[str, float]  # duration of each part of the evaluation
