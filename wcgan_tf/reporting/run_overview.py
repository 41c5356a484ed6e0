"""Reads a run's files for the report.  No TensorFlow: a thousand labels take seconds."""

import contextlib
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wcgan_tf.combined import manifest
from wcgan_tf.combined.manifest import LabelEntry, Manifest
from wcgan_tf.config import Dataset
from wcgan_tf.core import records
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.paths import LabelPaths, ModelPaths, RunPaths
from wcgan_tf.core.records import Record
from wcgan_tf.reporting.verdicts import Verdict, verdict
from wcgan_tf.runs import label_status, recorded_settings
from wcgan_tf.runs.label_status import Cost, LabelStatus
from wcgan_tf.runs.recorded_settings import Sections
from wcgan_tf.runs.score_report import EVALUATE, RANKED_BY, LabelScores, ScoreReport, Values, above_floor

Row = dict[str, float]


class LabelOverview(NamedTuple):
    """What the report shows of one label."""

    label: int
    name: str
    status: LabelStatus
    verdict: Verdict
    rows: list[Row]  # of its metrics.jsonl, in the order of the file, without unknown values
    # scores, real: of its generated images alone, and of real images; empty if its present weights are not scored
    scores: Row
    real: Row
    taken_for: dict[int, float]  # label from the domain classifier -> share of its generated images
    in_model: bool  # whether the combined model has its present generator
    damaged_rows: int = 0  # of its metrics.jsonl

    @property
    def distance(self) -> float | None:
        """The kernel distance of its generated images to real images; None if it is not scored."""
        return self.scores.get(RANKED_BY)

    @property
    def images_per_second(self) -> float | None:
        """Real images per second in critic steps, median over its training; None if unknown."""
        known = [row["images_per_second"] for row in self.rows if "images_per_second" in row]
        return statistics.median(known) if known else self.status.images_per_second


@dataclass(frozen=True)
class Overview:
    """What the report shows of a run."""

    folder: Path
    labels: list[LabelOverview]  # all labels, the worst first
    names: list[str]  # of all labels of the data set
    settings: Sections  # that its labels were trained with, by section; empty if no training has begun
    scores: ScoreReport | None  # over all labels; None if not those of the present generators
    classifier: str  # name of the classifier of the labels' scores; empty if they have none
    cost: Cost  # of the training, the pretraining included
    pretraining: LabelStatus
    warnings: list[Exception]  # files that are damaged, and labels that do not belong together

    @property
    def uncombined(self) -> int:
        """The number of labels that are done, and whose present generators are not in the combined model."""
        return sum(own.status.state == "done" and not own.in_model for own in self.labels)

    @property
    def pretraining_share(self) -> float:
        """The share of the cost that the pretraining has; 0 to 1."""
        total, own = self.cost, label_status.cost([self.pretraining])
        hours = total.core_hours + total.gpu_hours
        return (own.core_hours + own.gpu_hours) / hours if hours else 0.0

    def verdicts(self) -> dict[str, int]:
        """The number of labels by verdict, the most frequent first."""
        words = [label.verdict.word for label in self.labels]
        return {word: words.count(word) for word in sorted(set(words), key=lambda word: (-words.count(word), word))}


def gather(run: RunPaths, dataset: Dataset, names: list[str], model: ModelPaths) -> Overview:
    """Read the files of all labels of a run, its scores, and the manifest of its combined model."""
    warnings: list[Exception] = []
    known = _read(model.manifest, Manifest, manifest.COMBINE_ANEW, warnings)
    entries = known.entries if known else {}
    report = _read(run.scores, ScoreReport, EVALUATE, warnings)
    digests = {label: entry.weights_digest for label, entry in entries.items()}
    scored = {k: own for k, own in report.by_label.items() if own.weights_digest == digests.get(k)} if report else {}
    labels = [
        _label(label, name, run.label(label), scored.get(label), entries.get(label)) for label, name in enumerate(names)
    ]
    settings, of_labels = _settings(run, dataset, labels)
    warnings += of_labels
    together = report if report and _is_present(report, entries, labels) else None
    # The worst first: not "fine" before "fine", unscored before scored, then as `worst_first`.
    labels.sort(
        key=lambda own: (
            own.verdict.word == "fine",
            own.distance is not None,
            -above_floor(own.scores, own.real),
            own.label,
        )
    )
    before = label_status.read(run.pretraining.status)
    return Overview(
        run.folder,
        labels,
        names,
        settings,
        together,
        report.classifier.name if report and scored else "",
        label_status.cost([*(own.status for own in labels), before]),
        before,
        warnings,
    )


def changed(settings: Sections, defaults: Sections) -> dict[str, object]:
    """The settings that differ from the defaults: dotted name -> value."""
    return {
        f"{section}.{key}": value
        for section, own in settings.items()
        if section in defaults
        for key, value in own.items()
        if defaults[section].get(key) != value
    }


def read_rows(metrics: Path) -> tuple[list[Row], int]:
    """The intact rows of a metrics.jsonl: name -> value, always with `step` and `seconds`; the number of the others.

    A row at the end that is not complete is not counted: it is being written, or a kill has left it.
    """
    rows, damaged = [], 0
    with contextlib.suppress(OSError):
        for line in metrics.read_bytes().splitlines(keepends=True):
            row = {}
            with contextlib.suppress(*records.DAMAGED):
                row = _known(records.decode(line, dict[str, float | None]))
            if min(row.get("step", -1), row.get("seconds", -1)) >= 0:
                rows.append(row)
            else:
                damaged += line.endswith(b"\n")
    return rows, damaged


def _read(path: Path, kind: type[Record], mend: Command, warnings: list[Exception]) -> Record | None:
    """Read a record; None if the file is missing, or damaged, which is added to the warnings."""
    known = records.read_if_whole(path, kind)
    if known is None and path.exists():
        warnings.append(UserError(f"{path} is damaged, or of another version; delete it and run: ", mend))
    return known


def _label(
    label: int, name: str, paths: LabelPaths, own: LabelScores | None, entry: LabelEntry | None
) -> LabelOverview:
    """One label, given its entries in scores.json and in the model's manifest, if any."""
    status = label_status.read(paths.status)
    in_model = entry is not None and entry.made_of(status)
    if not in_model:  # trained further since
        own = None
    scores, real = (_known(own.scores), _known(own.real)) if own else ({}, {})
    judged = verdict(status, scores, real)
    if judged.word == "not scored" and not in_model:
        judged = judged._replace(reason="its present generator is not in the combined model")
    taken_for = own.taken_for if own else {}
    rows, damaged_rows = read_rows(paths.metrics)
    return LabelOverview(label, name, status, judged, rows, scores, real, taken_for, in_model, damaged_rows)


def _is_present(report: ScoreReport, entries: dict[int, LabelEntry], labels: list[LabelOverview]) -> bool:
    """Whether the scores of all labels together are those of the present generators."""
    scored = sorted(report.by_label)
    return (
        all(label in entries for label in scored)
        and report.model == manifest.weights_digest([entries[label] for label in scored])
        and len(scored) == sum(bool(own.scores) for own in labels)  # else some were trained further since
    )


def _known(values: Values) -> Row:
    """The values that are known and at most records.LARGEST in magnitude."""
    return {name: value for name, value in values.items() if value is not None and abs(value) <= records.LARGEST}


def _settings(run: RunPaths, dataset: Dataset, labels: list[LabelOverview]) -> tuple[Sections, list[Exception]]:
    """The recorded settings of the first label that has readable ones; warnings about labels that do not go with it."""
    settings: Sections = {}
    warnings: list[Exception] = []
    first = 0
    for own in labels:
        paths = run.label(own.label)
        if own.damaged_rows:
            warnings.append(UserError(f"{paths.metrics} has damaged rows ({own.damaged_rows}), which are left out"))
        if not paths.config.exists():
            continue
        try:
            read = recorded_settings.read(paths).sections()
            if not settings:
                settings, first = read, own.label
            if differing := recorded_settings.differences(settings, read):
                of_both = f"label {own.label} was trained otherwise than label {first}, whose settings are shown"
                warnings.append(UserError(f"{of_both}: {', '.join(differing)}"))
            recorded_settings.refuse_other_images(paths, dataset, own.label)
        except (UserError, OSError) as error:
            warnings.append(error)
    return settings, warnings
