"""The results of fixed_budget.py: read from its folders, and as tables in Markdown, one for each ruler and budget."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from same_budget.trainings import Cell

from wcgan_tf.core import records
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.reporting.verdicts import verdict
from wcgan_tf.runs import label_status
from wcgan_tf.runs.score_report import EVALUATE, Beside, ScoreReport

ALONE = ("kernel_distance", "frechet_distance", "precision", "recall", "density", "coverage")
TOGETHER = ("classifier_score", "kernel_distance", "frechet_distance", "recognised", "accuracy")


@dataclass(frozen=True)
class Result:
    """The scores of a cell by each classifier, and what became of its labels."""

    cell: Cell
    reports: dict[str, ScoreReport]  # by classifier
    diverged: float  # shares of its labels, 0..1
    collapsed: float
    steps: float  # mean of its labels
    core_seconds: float  # of all its training, also of labels that are not scored


def scores_name(classifier: str) -> str:
    """The name of the file with the scores by a classifier."""
    return f"scores-{re.sub(r'[^A-Za-z0-9_]+', '_', classifier).strip('_')}.json"


def read(cells: list[Cell], folder: Path, classifiers: list[str]) -> list[Result]:
    """Read the scores of all cells."""
    return [_read(cell, folder / cell.name, classifiers) for cell in cells]


def _read(cell: Cell, folder: Path, classifiers: list[str]) -> Result:
    reports = {name: records.read(folder / scores_name(name), ScoreReport, EVALUATE) for name in classifiers}
    first, run = next(iter(reports.values())), RunPaths(folder / "run")
    words, trained = [], [label_status.read(run.pretraining.status)]
    for label in run.labels():
        status, own = label_status.read(run.label(label).status), first.by_label.get(label)
        words.append(verdict(status, own.scores if own else {}, own.real if own else {}).word)
        trained.append(status)
    steps = float(np.mean([own.step for own in first.by_label.values()]))
    diverged, collapsed = (words.count(word) / len(words) for word in ("diverged", "collapsed"))
    return Result(cell, reports, diverged, collapsed, steps, 3600.0 * label_status.cost(trained).core_hours)


def in_markdown(results: list[Result]) -> str:
    """A table for each budget and classifier: mean and standard deviation over the seeds, and real images."""
    parts = []
    for seconds in sorted({result.cell.seconds for result in results}):
        own = [result for result in results if result.cell.seconds == seconds]
        parts += [_table(own, classifier) for classifier in own[0].reports]
    return "\n".join(parts)


def _table(results: list[Result], classifier: str) -> str:
    with quiet_imports():
        from wcgan_tf.evaluation.scores import display_name

    methods = list(dict.fromkeys(result.cell.method for result in results))
    by_method = {name: [result for result in results if result.cell.method == name] for name in methods}
    report, number = results[0].reports[classifier], len(by_method[methods[0]])
    names = ", ".join(own.name for own in report.by_label.values())
    lines = [
        f"{names}: {results[0].cell.seconds:g} s each, {number} seed{'s' if number > 1 else ''}, "
        f"{report.num_per_label} images of each, classifier {classifier}",
        "",
        f"| | {' | '.join(methods)} | real |",
        "|---|" + "---:|" * (len(methods) + 1),
    ]

    def add(title: str, value: Callable[[Result], float | None], real: float | None = None) -> None:
        cells = [_spread([value(result) for result in by_method[name]]) for name in methods]
        if any(cells):
            lines.append(f"| {title} | {' | '.join(cells)} | {_spread([real])} |")

    def add_scores(keys: tuple[str, ...], kind: str, beside: Callable[[ScoreReport], Beside]) -> None:
        for key in keys:
            real = beside(report).real.get(key)
            value = lambda result, key=key: beside(result.reports[classifier]).generated.get(key)  # noqa: E731
            add(f"{display_name(key, classifier)}, {kind}", value, real)

    add_scores(ALONE, "mean of the labels", lambda report: report.means)
    add_scores(TOGETHER, "all together", lambda report: report.scores)
    add("steps per label", lambda result: result.steps)
    add("core-seconds of all training", lambda result: result.core_seconds)
    add("share diverged", lambda result: result.diverged)
    add("share collapsed", lambda result: result.collapsed)
    return "\n".join(lines) + "\n"


def _spread(values: list[float | None]) -> str:
    """The mean of the values, with their standard deviation if there are several; empty if one is None."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return ""
    deviation = f" ± {np.std(known, ddof=1):.2g}" if len(known) > 1 else ""
    return f"{np.mean(known):.4g}{deviation}"
