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
    """The scores of one label alone."""

    name: str
    # scores, real: of its generated images, and of real images in their place
    scores: Values
    real: Values
    # label that the classifier gives its generated images -> share of them, the most frequent first
    taken_for: dict[int, Share] = {}
    # weights_digest, step: of the generator that was scored
    weights_digest: str
    step: Count


class ClassifierFacts(msgspec.Struct, frozen=True):
    """Which classifier made the scores; `accuracy` on real images, None if its labels are not the data set's."""

    name: str
    digest: str
    resize: str
    accuracy: Share | None = None


class ScoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `evaluate` found out about a combined model."""

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
    cost: Cost  # of the training of the generators
    seconds: dict[str, float]  # that the parts of the evaluation took
