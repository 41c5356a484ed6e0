"""All scores of a combined model, with the facts needed to compare them."""

import collections
import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import threadpoolctl

from wcgan_tf.combined.manifest import weights_digest
from wcgan_tf.combined.sampler import Sampler
from wcgan_tf.config import Dataset
from wcgan_tf.core import listing
from wcgan_tf.core.console import ProgressBar
from wcgan_tf.data import prepared, sources
from wcgan_tf.evaluation import classifiers, domain_classifier, features
from wcgan_tf.evaluation.features import Classifier, ImageFeatures
from wcgan_tf.evaluation.metrics import recognised
from wcgan_tf.evaluation.scores import ENOUGH_FOR_FRECHET, Sets, compute, compute_alone, display_name
from wcgan_tf.runs.label_status import cost
from wcgan_tf.runs.score_report import FORMAT, Beside, ClassifierFacts, Images, LabelScores, ScoreReport, Values

TAKEN_FOR = 20  # most entries per label in `taken_for`
MOST_SEEN, UP_TO_SIDE = 100_000, 32  # generated images to train on for the classification accuracy score: minutes
DRAWN_OF_LABEL = 8  # generated images at a time, because the model runs once for each label in a request
MOST_DRAWN_BYTES = 2**26  # of the images at a time; the model takes three times as much
REAL_AT_ONCE = 500  # images
FEW_PAIRS = 100_000  # of a label's generated and real images


class Timings:
    """Seconds per part of the evaluation."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = collections.defaultdict(float)

    @contextlib.contextmanager
    def on(self, part: str) -> Iterator[None]:
        """Add the duration of this block to a part."""
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began


def _few_threads(pairs: int) -> contextlib.AbstractContextManager:
    """For labels with few pairs of images, let NumPy and scikit-learn compute in one thread during this block.

    More threads, which wait for work beside TensorFlow's, then take more time than they save.
    """
    if pairs > FEW_PAIRS:
        return contextlib.nullcontext()
    import sklearn.metrics
    import sklearn.neighbors  # noqa: F401 (its threads can be limited once it is loaded)

    return threadpoolctl.threadpool_limits(1)


class LabelResult(NamedTuple):
    """Features of one label's images, and the scores of the label alone, by kind of image.

    The kinds are "generated" and "real": real images that are scored in the same way.  `images` also has "reference":
    the real images that both are compared with.
    """

    images: dict[str, ImageFeatures]
    scores: dict[str, Values]


@dataclass(frozen=True)
class Evaluator:
    """Scores a model's images and, in the same way, real images: their scores are the floor."""

    model: Sampler
    classifier: Classifier
    dataset: Dataset  # the settings `config.dataset`
    labels: list[int]  # to score
    split: str  # of the reference images, "train" or "test"
    number: int  # generated images per label
    seed: int
    say: Callable[[str], None]  # called with a line before a long operation
    accuracy: bool = True  # whether to compute the classification accuracy score, if there are several labels
    timings: Timings = field(default_factory=Timings)

    def run(self) -> ScoreReport:
        """Compute the content of scores.json; takes long, and shows its progress."""
        real = sum(prepared.count(self.dataset, split, label) for split in sources.SPLITS for label in self.labels)
        bar = ProgressBar("scoring labels, images", real + self.number * len(self.labels))
        with bar, _few_threads(self.number * real // len(self.labels)):
            by_label = {label: self._label(label, bar.add) for label in self.labels}
        images = {
            kind: features.join([own.images[kind] for own in by_label.values()])
            for kind in ("generated", "real", "reference")
        }
        with self.timings.on("scores"):
            generated, real_ones = (
                compute(Sets(images[kind], images["reference"]), self.classifier.own_labels)
                for kind in ("generated", "real")
            )
        if self.accuracy and len(self.labels) > 1:
            with self.timings.on("accuracy"):
                generated["accuracy"], real_ones["accuracy"] = self._accuracy(images["reference"])
        entries, reference = [self.model.manifest.entries[label] for label in self.labels], images["reference"]
        known = recognised(reference.logits, reference.labels) if self.classifier.own_labels else None
        return ScoreReport(
            format=FORMAT,
            scores=Beside(generated, real_ones),
            means=Beside(*(_means([own.scores[kind] for own in by_label.values()]) for kind in ("generated", "real"))),
            by_label={label: self._label_scores(label, own) for label, own in by_label.items()},
            images=Images(**{kind: len(own.keys) for kind, own in images.items()}),
            labels=self.labels,
            num_per_label=self.number,
            few=min(len(own.keys) for own in images.values()) < ENOUGH_FOR_FRECHET,
            split=self.split,
            seed=self.seed,
            classifier=ClassifierFacts(self.classifier.name, self.classifier.digest, self.classifier.resize, known),
            real_images=prepared.digests(self.dataset, self.labels),
            model=weights_digest(entries),
            cost=cost([*entries, *filter(None, [self.model.manifest.pretraining])]),
            seconds={part: round(seconds, 2) for part, seconds in self.timings.seconds.items()},
        )

    def _label(self, label: int, done: Callable[[int], None]) -> LabelResult:
        """Extract the features of one label's images, and score the label alone."""
        with self.timings.on("real images"):
            real = {
                split: features.extract_real(self.dataset, split, label, self.classifier, done)
                for split in sources.SPLITS
            }
        with self.timings.on("generated images"):
            batches = self.model.draw(label, self.number, self.seed)
            generated = features.extract(self.classifier, batches, label, done)
        images = {"generated": generated, "real": self._floor(real), "reference": real[self.split]}
        with self.timings.on("scores"):
            scores = {
                kind: compute_alone(
                    Sets(images[kind], images["reference"], real["train"]),
                    self.classifier.own_labels,
                    unseen=real["test"] if kind == "real" else None,
                )
                for kind in ("generated", "real")
            }
        return LabelResult(images, scores)

    def _floor(self, real: dict[str, ImageFeatures]) -> ImageFeatures:
        """Up to `number` real images of the other split, for the domain classifier from those held out."""
        others = real["train" if self.split == "test" else "test"]
        if self.classifier.own_labels and self.split == "test":
            others = others.select(domain_classifier.held_out(others.places))
        return others.select(np.arange(len(others.keys)) < self.number)  # their order is random

    def _label_scores(self, label: int, own: LabelResult) -> LabelScores:
        entry, taken_for = self.model.manifest.entries[label], {}
        if self.classifier.own_labels:
            taken = collections.Counter(own.images["generated"].logits.argmax(axis=1).tolist())
            taken_for = {other: number / taken.total() for other, number in taken.most_common(TAKEN_FOR)}
        return LabelScores(
            name=entry.name,
            scores=own.scores["generated"],
            real=own.scores["real"],
            taken_for=taken_for,
            weights_digest=entry.weights_digest,
            step=entry.step,
        )

    def _accuracy(self, reference: ImageFeatures) -> tuple[float, float]:
        """The classification accuracy score, and the same of the domain classifier, which is trained on real images."""
        self.say("training a classifier on generated images, for the classification accuracy score")
        images = [prepared.label_images(self.dataset, "test", label).images for label in self.labels]
        train = sum(prepared.count(self.dataset, "train", label) for label in self.labels)
        seen, flip = domain_classifier.training_images_seen(train), self.dataset.flip
        own = classification_accuracy(self.model, self.labels, images, seen, flip, self.seed)
        if self.classifier.own_labels:  # the reference is the split `test`: see `refuse_unusable`
            test = reference
        else:
            domain = classifiers.load("domain", self.dataset, self.say)
            test = features.join([features.extract_real(self.dataset, "test", k, domain) for k in self.labels])
        return own, recognised(test.logits[:, self.labels], np.searchsorted(self.labels, test.labels))


def classification_accuracy(
    model: Sampler, labels: list[int], real: list[np.ndarray], images_seen: int, flip: bool, seed: int
) -> float:
    """Accuracy on real images of a domain classifier trained on generated images only; 0 to 1, higher is better.

    After Ravuri and Vinyals 2019 (arXiv 1905.10887), but every batch is newly generated, instead of from a fixed set.

    Args:
        real: the images of each label, uint8 [n, H, W, C].
        images_seen: number of generated images to train on; at most `most_seen` are used.
        flip: whether to mirror half of the generated images in training.
    """
    keras.utils.set_random_seed(seed)
    network = domain_classifier.build_network(real[0].shape[1:], len(labels))
    steps = min(images_seen, most_seen(real[0].shape[1])) // domain_classifier.BATCH_SIZE
    domain_classifier.train(
        network, drawn_batches(model, np.array(labels), math.prod(real[0].shape[1:]), seed), steps, flip
    )
    right = 0
    for place, images in enumerate(real):
        for start in range(0, len(images), REAL_AT_ONCE):
            logits = network.predict_on_batch(images[start : start + REAL_AT_ONCE])[1]
            right += int(np.sum(logits.argmax(axis=1) == place))
    return right / sum(len(images) for images in real)


def most_seen(side: int) -> int:
    """How many images the classification accuracy score trains on at most: the fewer, the longer each takes."""
    return MOST_SEEN * UP_TO_SIDE // max(side, UP_TO_SIDE)


def drawn_batches(
    model: Sampler, labels: np.ndarray, image_bytes: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of newly generated images uint8 [BATCH_SIZE, H, W, C], and the index in `labels` of each.

    The numbers of a batch do not depend on how many batches are drawn at a time.
    """
    random, first = np.random.default_rng(seed), 0
    batches = min(DRAWN_OF_LABEL * len(labels), MOST_DRAWN_BYTES // image_bytes) // domain_classifier.BATCH_SIZE
    number = max(batches, 1) * domain_classifier.BATCH_SIZE
    while True:
        places = random.integers(len(labels), size=number)
        images = model.images(labels[places], model.latents(labels[places], seed, first, first + number, None))
        for start in range(0, number, domain_classifier.BATCH_SIZE):
            batch = slice(start, start + domain_classifier.BATCH_SIZE)
            yield images[batch], places[batch]
        first += number


def write_tensorboard(report: ScoreReport, folder: Path) -> None:
    """Write the scores as scalars at the mean step of the labels; replaces files of the same model and classifier."""
    suffix = f".{report.model}-{report.classifier.digest}"
    before = listing.matching(folder, f"events.*{suffix}")
    step = int(np.mean([own.step for own in report.by_label.values()]))
    with tf.summary.create_file_writer(str(folder), filename_suffix=suffix).as_default(step):
        for values, title in ((report.scores, "score, all labels"), (report.means, "score, mean of each label alone")):
            for key, value in values.generated.items():
                if value is not None:
                    tf.summary.scalar(f"{title}/{display_name(key, report.classifier.name)}", value)
    for path in before:
        path.unlink()


def _means(scores: list[Values]) -> Values:
    """The mean of each score over the labels; None if a label has no value."""
    known = {key: [value for own in scores if (value := own[key]) is not None] for key in scores[0]}
    return {key: float(np.mean(own)) if len(own) == len(scores) else None for key, own in known.items()}
