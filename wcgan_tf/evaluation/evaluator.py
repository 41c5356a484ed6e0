"""Everything that `evaluate` finds out about a combined model, with all that is needed to compare it."""

import collections
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import ml_collections
import numpy as np
import tensorflow as tf

from wcgan_tf.combined.sampler import ConditionalModel
from wcgan_tf.core import files
from wcgan_tf.core.progress import Count
from wcgan_tf.data import prepared as datasets
from wcgan_tf.evaluation import accuracy, classifiers, features, seen
from wcgan_tf.evaluation import domain_classifier as domain
from wcgan_tf.evaluation import scores as scoring
from wcgan_tf.evaluation.metrics import recognised
from wcgan_tf.evaluation.seen import Seen

SPLITS = ("train", "test")
MOST_OTHERS = 20  # labels that one label's images may be written down to be taken for


class Clock:
    """Seconds that each part of a work took."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def on(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began

    def each(self, part: str, things: Iterable) -> Iterator:
        """The same things, with the time that it took to get them."""
        things = iter(things)
        while True:
            with self.on(part):
                thing = next(things, None)
            if thing is None:
                return
            yield thing


@dataclass(frozen=True)
class Evaluation:
    """Scores of a model's images, and of real ones in their place.

    Attributes:
        dataset: the settings `config.dataset`.
        labels: those that are scored.
        split: of the real images that the others are held against.
        number: images of each label.
        hint: the command that prepares the data set.
        say: gets a line where something takes long.
        accuracy: whether to train a classifier for the classification accuracy score, if there are several labels.
    """

    model: ConditionalModel
    classifier: classifiers.Classifier
    dataset: ml_collections.ConfigDict
    labels: list[int]
    split: str
    number: int
    seed: int
    hint: str
    say: Callable[[str], None]
    accuracy: bool = True
    clock: Clock = field(default_factory=Clock)

    def run(self) -> dict:
        """All scores, as they stand in scores.json; takes long, and says how far it is."""
        reference, floor = self._real()
        samples = {"generated": self._generated(), "real": floor}
        together = {kind: self._scores(scoring.Sets(own, reference), scoring.SCORES) for kind, own in samples.items()}
        alone = self._alone(samples, reference)
        if self.accuracy and len(self.labels) > 1:
            with self.clock.on("accuracy"):
                together["generated"]["accuracy"], together["real"]["accuracy"] = self._accuracy()
        records = {record["label"]: record for record in self.model.manifest["labels"]}
        return {
            "scores": together,
            "means": {kind: _means([alone[label][kind] for label in self.labels]) for kind in samples},
            "by_label": {
                str(label): {
                    "name": self.model.labels[label],
                    "scores": alone[label]["generated"],
                    "real": alone[label]["real"],
                    **self._taken_for(samples["generated"], label),
                    "weights_digest": records[label]["weights_digest"],
                    "step": records[label]["step"],
                }
                for label in self.labels
            },
            "images": {
                "reference": len(reference.keys),
                **{kind: len(own.keys) for kind, own in samples.items()},
            },
            "labels": self.labels,
            "num_per_label": self.number,
            "few": self.number * len(self.labels) < scoring.ENOUGH_FOR_FRECHET,
            "split": self.split,
            "seed": self.seed,
            "classifier": {
                "name": self.classifier.name,
                "digest": self.classifier.digest,
                "resize": self.classifier.resize,
                **self._own_accuracy(),
            },
            "real_images": datasets.digests(self.dataset, self.labels, self.hint),
            "model": files.digest_json([records[label]["weights_digest"] for label in self.labels]),
            "cost": _cost([records[label] for label in self.labels]),
            "seconds": {part: round(seconds, 2) for part, seconds in self.clock.seconds.items()},
        }

    def _real(self) -> tuple[Seen, Seen]:
        """Real images: all of the split; and of the other one, to be scored in the generated ones' place, as many of
        each label as were generated, or all where there are fewer."""
        number = sum(datasets.count(self.dataset, split, label) for split in SPLITS for label in self.labels)
        reference, floor = [], []
        with Count("looking at real images", number) as count, self.clock.on("real images"):
            for label in self.labels:
                real = {split: self._real_of(split, label, count.add) for split in SPLITS}
                others = real["train" if self.split == "test" else "test"]
                if self.classifier.own_labels and self.split == "test":
                    others = others.at(domain.held_out(others.places))
                reference.append(real[self.split])
                floor.append(others.at(np.arange(len(others.keys)) < self.number))  # their order is random
        return seen.join(reference), seen.join(floor)

    def _real_of(self, split: str, label: int, done: Callable[[int], None] = lambda _: None) -> Seen:
        return features.real(self.dataset, split, label, self.classifier, self.hint, done)

    def _generated(self) -> Seen:
        parts = []
        with Count("looking at generated images", self.number * len(self.labels)) as count:
            for label in self.labels:
                batches = self.clock.each("drawing", self.model.draw(label, self.number, self.seed))
                parts.append(features.look(self.classifier, batches, label, count.add))
            self.clock.seconds["looking"] = count.seconds - self.clock.seconds["drawing"]
        return seen.join(parts)

    def _scores(self, sets: scoring.Sets, table, unseen: Seen | None = None) -> dict[str, float]:
        with self.clock.on("scores"):
            values = scoring.scores(sets, table, self.classifier.own_labels, unseen)
            return scoring.named(values, self.classifier.name)

    def _alone(self, samples: dict[str, Seen], reference: Seen) -> dict[int, dict[str, dict[str, float]]]:
        """label -> kind -> the scores of that label alone."""
        alone = {}
        with Count("scoring each label alone", len(self.labels)) as count:
            for label in self.labels:
                train, test = self._real_of("train", label), self._real_of("test", label)
                alone[label] = {
                    kind: self._scores(
                        scoring.Sets(own.of(label), reference.of(label), train),
                        scoring.SCORES_ALONE,
                        test if kind == "real" else None,
                    )
                    for kind, own in samples.items()
                }
                count.add(1)
        return alone

    def _accuracy(self) -> tuple[float, float]:
        """The classification accuracy score, and what the same network reaches that has seen real images."""
        self.say("training a classifier on generated images, for the classification accuracy score")
        images = [datasets.label_images(self.dataset, "test", label, self.hint).images for label in self.labels]
        looks = domain.images_seen(sum(datasets.count(self.dataset, "train", label) for label in self.labels))
        flip = self.dataset.flip
        own = accuracy.classification_accuracy(self.model, self.labels, images, looks, flip, self.seed)
        taught = self.classifier
        if not taught.own_labels:
            taught = classifiers.load("domain", self.dataset, self.hint, self.say)
        test = seen.join([features.real(self.dataset, "test", label, taught, self.hint) for label in self.labels])
        places = np.searchsorted(self.labels, test.labels)
        return own, recognised(test.logits[:, self.labels], places)

    def _taken_for(self, generated: Seen, label: int) -> dict[str, dict[str, float]]:
        """What the classifier takes a label's images for: label -> share of them, the most frequent first."""
        if not self.classifier.own_labels:
            return {}
        taken = collections.Counter(generated.of(label).logits.argmax(axis=1).tolist())
        return {"taken_for": {str(other): number / taken.total() for other, number in taken.most_common(MOST_OTHERS)}}

    def _own_accuracy(self) -> dict[str, float]:
        if not self.classifier.own_labels:
            return {}
        test = seen.join([self._real_of("test", label) for label in self.labels])
        return {"accuracy": recognised(test.logits, test.labels)}


def write_tensorboard(result: dict, folder: Path) -> None:
    """The scores as scalars, at the step that the labels have on average; a second time in place of the first."""
    suffix = f".{result['model']}-{result['classifier']['digest']}"
    before = list(folder.glob(f"events.*{suffix}"))
    step = int(np.mean([own["step"] for own in result["by_label"].values()]))
    with tf.summary.create_file_writer(str(folder), filename_suffix=suffix).as_default(step):
        for kind, title in (("scores", "score, all labels"), ("means", "score, mean of each label alone")):
            for name, value in result[kind]["generated"].items():
                tf.summary.scalar(f"{title}/{name}", value)
    for path in before:
        path.unlink()


def _means(scores: list[dict[str, float]]) -> dict[str, float]:
    """The mean over the labels of each score."""
    return {name: float(np.mean([own[name] for own in scores])) for name in scores[0]}


def _cost(labels: list[dict]) -> dict[str, float]:
    """What the training took: core-hours of the labels that ran on a CPU, GPU-hours of the others."""
    on_gpu = [label["seconds"] for label in labels if label["device"].startswith("GPU")]
    on_cpu = [label["seconds"] * label["threads"] for label in labels if not label["device"].startswith("GPU")]
    return {"core_hours": sum(on_cpu) / 3600, "gpu_hours": sum(on_gpu) / 3600}
