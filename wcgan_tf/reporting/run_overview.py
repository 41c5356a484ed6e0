"""A run, gathered from its files for the report.  No TensorFlow: a thousand labels take seconds."""

import contextlib
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wcgan_tf.combined import manifest
from wcgan_tf.combined.manifest import LabelEntry, Manifest
from wcgan_tf.core import records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths, ModelPaths, RunPaths
from wcgan_tf.reporting.verdicts import Verdict, verdict
from wcgan_tf.runs import label_status, recorded_settings
from wcgan_tf.runs.label_status import Cost, LabelStatus
from wcgan_tf.runs.recorded_settings import Sections
from wcgan_tf.runs.score_report import RANKED_BY, LabelScores, ScoreReport, Values

Row = dict[str, float]


class LabelOverview(NamedTuple):
    """One label."""

    label: int
    name: str
    status: LabelStatus
    verdict: Verdict
    rows: list[Row]  # of its metrics.jsonl, in the order of their steps, without values that are not known
    # scores, real: of its generated images alone, and of real ones; empty if its present weights have none
    scores: Row
    real: Row
    taken_for: dict[int, float]  # label that the domain classifier gives its images -> share of them
    in_model: bool  # whether the model has its present generator

    @property
    def distance(self) -> float | None:
        """The kernel distance of its images to real ones; None if it has no scores."""
        return self.scores.get(RANKED_BY)

    @property
    def images_per_second(self) -> float | None:
        """Real images in critic steps, in the median over its training; None if not known."""
        known = [row["images_per_second"] for row in self.rows if "images_per_second" in row]
        return statistics.median(known) if known else self.status.images_per_second


@dataclass(frozen=True)
class Overview:
    """A run."""

    folder: Path
    labels: list[LabelOverview]  # all of them, the worst first
    names: list[str]  # of all labels of the data set
    settings: Sections  # those that its labels were trained with, by section; empty if none was begun
    scores: ScoreReport | None  # of all labels together, if they are those of the present generators
    classifier: str  # the name of the one that made the labels' scores; empty if they have none
    cost: Cost  # of the training

    def verdicts(self) -> dict[str, int]:
        """The number of labels by verdict, the most frequent first."""
        words = [label.verdict.word for label in self.labels]
        return {word: words.count(word) for word in sorted(set(words), key=lambda word: (-words.count(word), word))}


def gather(run: RunPaths, names: list[str], model: ModelPaths) -> Overview:
    """Read the files of all labels of a run."""
    known = records.read_if_whole(model.manifest, Manifest)
    entries = known.entries if known else {}
    report = records.read_if_whole(run.scores, ScoreReport)
    digests = {label: entry.weights_digest for label, entry in entries.items()}
    scored = {k: own for k, own in report.by_label.items() if own.weights_digest == digests.get(k)} if report else {}
    labels = [
        _label(label, name, run.label(label), scored.get(label), entries.get(label)) for label, name in enumerate(names)
    ]
    together = report if report and _is_present(report, entries, labels) else None
    # The worst first: labels without scores, then by their distance; equal ones by their index.
    labels.sort(key=lambda own: (own.verdict.word == "fine", own.distance is not None, -(own.distance or 0), own.label))
    return Overview(
        run.folder,
        labels,
        names,
        _settings(run),
        together,
        report.classifier.name if report and scored else "",
        label_status.cost(own.status for own in labels),
    )


def changed(settings: Sections, defaults: Sections) -> dict[str, object]:
    """The settings that are not the default ones: dotted name -> value."""
    return {
        f"{section}.{key}": value
        for section, own in settings.items()
        if section in defaults
        for key, value in own.items()
        if defaults[section].get(key) != value
    }


def read_rows(metrics: Path) -> list[Row]:
    """The rows of a metrics.jsonl that are whole: value by name, `step` and `seconds` always among them."""
    rows = []
    with contextlib.suppress(OSError):
        for line in metrics.read_bytes().splitlines():
            with contextlib.suppress(*records.DAMAGED):
                row = _known(records.decode(line, dict[str, float | None]))
                if min(row.get("step", -1), row.get("seconds", -1)) >= 0:
                    rows.append(row)
    return rows


def _label(
    label: int, name: str, paths: LabelPaths, own: LabelScores | None, entry: LabelEntry | None
) -> LabelOverview:
    """One label, with its entries in scores.json and in the model's manifest."""
    status = label_status.read(paths.status)
    in_model = entry is not None and entry.made_of(status)
    if not in_model:  # it was trained on since
        own = None
    scores, real = (_known(own.scores), _known(own.real)) if own else ({}, {})
    judged = verdict(status, scores, real)
    taken_for = own.taken_for if own else {}
    return LabelOverview(label, name, status, judged, read_rows(paths.metrics), scores, real, taken_for, in_model)


def _is_present(report: ScoreReport, entries: dict[int, LabelEntry], labels: list[LabelOverview]) -> bool:
    """Whether the scores of all labels together are those of the present generators."""
    scored = sorted(report.by_label)
    return (
        all(label in entries for label in scored)
        and report.model == manifest.weights_digest([entries[label] for label in scored])
        and len(scored) == sum(bool(own.scores) for own in labels)  # else some were trained on since
    )


def _known(values: Values) -> Row:
    """The values that are known, and not beyond all measure."""
    return {name: value for name, value in values.items() if value is not None and abs(value) <= records.LARGEST}


def _settings(run: RunPaths) -> Sections:
    """The settings of the first label that has any."""
    for label in run.labels():
        with contextlib.suppress(UserError, OSError):
            return recorded_settings.read(run.label(label)).sections()
    return {}
