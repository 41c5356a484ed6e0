"""All that is known of a run, gathered from its files for the report.  No TensorFlow: a thousand take seconds."""

import contextlib
import json
import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wcgan_tf.combined import manifest as manifests
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths, ModelPaths, RunPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.reporting.verdicts import Verdict, verdict
from wcgan_tf.runs import label_status as heartbeat
from wcgan_tf.runs import settings as claims
from wcgan_tf.runs.label_status import LabelState

LARGEST = 2.0**53  # a number beyond it is damage, and no chart shows it
DISTANCES = ("kid", "kcd")  # the scores that labels are ranked by: the first that is there


class LabelOverview(NamedTuple):
    """What is known of a label.

    Attributes:
        rows: those of its metrics.jsonl, in the order of their steps; values that are no numbers are left out.
        scores, real: of its generated images alone, and of real ones; empty where its present weights have none.
        taken_for: what the domain classifier takes its images for: label -> share.
        threads: of its process, 0 where not known.
        in_model: whether the model has its present generator.
    """

    label: int
    name: str
    state: LabelState
    verdict: Verdict
    rows: list[dict[str, float]]
    scores: dict[str, float]
    real: dict[str, float]
    taken_for: dict[int, float]
    threads: int
    in_model: bool

    @property
    def distance(self) -> float | None:
        """The kernel distance of its images to real ones; None where it has no scores."""
        return next((self.scores[name] for name in DISTANCES if name in self.scores), None)

    @property
    def images_per_second(self) -> float | None:
        """Real images in critic steps, in the median over its training; None where not known."""
        known = [row["images_per_second"] for row in self.rows if "images_per_second" in row]
        return statistics.median(known) if known else self.state.images_per_second


class Totals(NamedTuple):
    """The scores of all labels together.

    Attributes:
        together: name -> (of generated images, of real ones or None).
        alone: the same, of each label alone, in the mean.
        labels: how many they are.
        generated, real, reference: numbers of images.
        classifier: its name and digest.
        split: of the images that the others are held against.
    """

    together: dict[str, tuple[float, float | None]]
    alone: dict[str, tuple[float, float | None]]
    labels: int
    generated: int
    real: int
    reference: int
    classifier: str
    split: str


@dataclass(frozen=True)
class Overview:
    """A run.

    Attributes:
        labels: all of them, the worst first.
        names: of all labels of the data set.
        settings: those that its labels were trained with; empty where none was begun.
        totals: of all scored labels together, where these are scores of their present generators; else None.
        core_hours, gpu_hours: that the training took.
    """

    folder: Path
    labels: list[LabelOverview]
    names: list[str]
    settings: dict
    totals: "Totals | None"
    core_hours: float
    gpu_hours: float

    def verdicts(self) -> dict[str, int]:
        """How many labels have which verdict, the most frequent first."""
        words = [label.verdict.word for label in self.labels]
        return {word: words.count(word) for word in sorted(set(words), key=lambda word: (-words.count(word), word))}


def gather(run: RunPaths, names: list[str], model: ModelPaths) -> Overview:
    """Look at all labels of a run."""
    records = manifests.records(model)
    by_label, totals = _scores(run, records)
    labels = [
        _label(label, name, run.label(label), by_label.get(label, {}), records.get(label, {}))
        for label, name in enumerate(names)
    ]
    hours = {"CPU": 0.0, "GPU": 0.0}
    for own in labels:
        kind = "GPU" if own.state.device.startswith("GPU") else "CPU"
        hours[kind] += own.state.seconds * (1 if kind == "GPU" else own.threads) / 3600
    if totals and totals.labels != sum(bool(own.scores) for own in labels):
        totals = None  # some were trained on since
    ranked = sorted(labels, key=_worst_first)
    return Overview(run.folder, ranked, names, _settings(run), totals, hours["CPU"], hours["GPU"])


def changed(settings: dict, defaults: dict) -> dict[str, object]:
    """The settings that are not the default ones: dotted name -> value."""
    return {
        f"{section}.{key}": value
        for section, own in settings.items()
        if section in defaults and isinstance(own, dict)
        for key, value in own.items()
        if defaults[section].get(key) != value
    }


def _worst_first(label: LabelOverview) -> tuple:
    """Labels without scores first, then by their distance; equal ones by their index."""
    distance = label.distance
    return (label.verdict.word == "fine", distance is not None, -(distance or 0.0), label.label)


def _label(label: int, name: str, paths: LabelPaths, own: dict, record: dict) -> LabelOverview:
    """What is known of a label, whose entry in scores.json is `own`, and in the model's manifest `record`."""
    state, status = heartbeat.read(paths.status), files.known_json(paths.status)
    in_model = bool(record) and manifests.same_weights(record, status)
    if not in_model:  # it was trained on since
        own = {}
    generated, real = _numbers(own.get("scores")), _numbers(own.get("real"))
    shares = _numbers(own.get("taken_for"))
    taken = {int(other): share for other, share in shares.items() if re.fullmatch(datasets.INDEX, other)}
    rows = read_rows(paths.metrics)
    judged = verdict(state, generated, real)
    threads = max(0, int(_numbers(status).get("threads", 0)))
    return LabelOverview(label, name, state, judged, rows, generated, real, taken, threads, in_model)


def read_rows(metrics: Path) -> list[dict[str, float]]:
    """The rows of a metrics.jsonl: numbers by name, `step` and `seconds` always among them."""
    rows = []
    with contextlib.suppress(OSError):
        for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                row = _numbers(json.loads(line))
                if min(row.get("step", -1), row.get("seconds", -1)) >= 0:
                    rows.append(row)
    return rows


def _scores(run: RunPaths, records: dict[int, dict]) -> tuple[dict[int, dict], Totals | None]:
    """What `evaluate` wrote of those weights that the model has: label -> its entry; and of all labels together.

    Of scores that cannot be read there is nothing to show.
    """
    try:
        scores = files.known_json(run.scores)
        digests = {label: record.get("weights_digest") for label, record in records.items()}
        scored = {int(label): own for label, own in scores["by_label"].items()}
        present = {label: own for label, own in scored.items() if own["weights_digest"] == digests.get(label)}
        model_digest = files.digest_json([digests.get(label) for label in sorted(scored)])
        return present, _totals(scores) if scores["model"] == model_digest else None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return {}, None


def _totals(scores: dict) -> Totals:
    """The scores of all labels together, checked: others than numbers are left out."""
    counts = scores["images"]
    return Totals(
        together=_beside(scores["scores"]),
        alone=_beside(scores["means"]),
        labels=len(scores["by_label"]),
        generated=int(counts["generated"]),
        real=int(counts["real"]),
        reference=int(counts["reference"]),
        classifier=f"{scores['classifier']['name']} {scores['classifier']['digest']}",
        split=str(scores["split"]),
    )


def _beside(scores: dict) -> dict[str, tuple[float, float | None]]:
    """Each score of generated images, and that of real ones."""
    real = _numbers(scores["real"])
    return {name: (value, real.get(name)) for name, value in _numbers(scores["generated"]).items()}


def _numbers(values) -> dict[str, float]:
    """Those values of a JSON object that are numbers, and not beyond all measure."""
    if not isinstance(values, dict):
        return {}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST
    }


def _settings(run: RunPaths) -> dict:
    for label in run.labels():
        with contextlib.suppress(UserError, OSError):
            return claims.trained_with(run.label(label))
    return {}
