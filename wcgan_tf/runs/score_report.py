"""scores.json: what `evaluate` writes, and launch, combine, pipeline and report read.  No TensorFlow."""

from typing import Final, Literal

import msgspec

from wcgan_tf.core.errors import Command
from wcgan_tf.core.records import Count, Number, Share
from wcgan_tf.runs.label_status import Cost

EVALUATE = Command("evaluate")
RANKED_BY = "kernel_distance"  # labels, the largest is the worst
FORMAT: Final = 2  # raise it if keys change: a file of another format counts as damaged

Values = dict[str, Number | None]  # score -> value; None if it cannot be told, as the deviation of a single block


class Beside(msgspec.Struct, frozen=True):
    """Scores of generated images, and of real images in their place."""

    generated: Values
    real: Values


class Images(msgspec.Struct, frozen=True):
    """Numbers of images; generated and real ones are compared with the reference."""

    generated: Count
    real: Count
    reference: Count


class LabelScores(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of one label alone.

    Attributes:
        scores, real: of its generated images, and of real images in their place.
        taken_for: label that the classifier gives its generated images -> share of them, the most frequent first.
        weights_digest, step: of the generator that was scored.
    """

    name: str
    scores: Values
    real: Values
    taken_for: dict[int, Share] = {}
    weights_digest: str
    step: Count


class ClassifierFacts(msgspec.Struct, frozen=True):
    """Which classifier made the scores; `accuracy` on real images, None if its labels are not the data set's."""

    name: str
    digest: str
    resize: str
    accuracy: Share | None = None


class ScoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `evaluate` found out about a combined model.

    Attributes:
        format: FORMAT.
        scores: of all labels together.
        means: over the labels, of the scores of each alone.
        few: whether the images are too few for a Frechet distance.
        split: of the reference.
        real_images, model: digests of the real images and of the weights.
        cost: of the training of the generators.
        seconds: that the parts of the evaluation took.
    """

    format: Literal[2]
    scores: Beside
    means: Beside
    by_label: dict[int, LabelScores]
    images: Images
    labels: list[int]
    num_per_label: Count
    few: bool
    split: str
    seed: int
    classifier: ClassifierFacts
    real_images: str
    model: str
    cost: Cost
    seconds: dict[str, float]
