"""The run `overview` in TensorBoard: all labels in one place, rewritten by each report.

Its curves have the same tags as the labels' own curves, so that one card shows both.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from wcgan_tf.core import files
from wcgan_tf.core.console import printable
from wcgan_tf.evaluation.scores import display_name
from wcgan_tf.reporting import charts
from wcgan_tf.reporting.run_overview import Overview
from wcgan_tf.runs.event_files import TAGS
from wcgan_tf.runs.score_report import RANKED_BY

POINTS = 100  # at most, of a curve over all labels
SPREAD = ("lower_tenth", "", "upper_tenth")  # runs of the three curves in `overview`, which itself has the median
OWN = ["events.out.tfevents.*", *filter(None, SPREAD)]  # all that the run's folder may contain
ROWS = 50  # most labels in the table


def write(run: Overview, grid: np.ndarray | None, folder: Path) -> None:
    """Replace `folder`: the table of labels, the curves over all labels and, if given, the grid uint8 [h, w, C]."""
    with files.publish(folder, durable=False) as aside:
        with tf.summary.create_file_writer(str(aside)).as_default(0):
            tf.summary.text("labels, the worst first", _table(run))
            if grid is not None:
                tf.summary.image("generated, a row per label", grid[None])
        curves = {tag: _spread(run, name) for name, tag in TAGS.items()}
        for quantile, place in enumerate(SPREAD):
            with tf.summary.create_file_writer(str(aside / place)).as_default():
                for tag, (steps, values) in curves.items():
                    for step, value in zip(steps, values[quantile], strict=True):
                        tf.summary.scalar(tag, value, int(step))


def _spread(run: Overview, name: str) -> tuple[np.ndarray, np.ndarray]:
    """10 %, 50 % and 90 % quantiles of a value over all labels, by step: steps [k] and values [3, k]."""
    lines = [line for own in run.labels if len(line := charts.points(own.rows, "step", name))]
    if not lines:
        return np.empty([0]), np.empty([3, 0])
    longest = int(max(line[-1, 0] for line in lines))
    return charts.spread(lines, min(POINTS, longest + 1))


def _table(run: Overview) -> str:
    """The counts of the verdicts and the ROWS worst labels, in Markdown."""
    counts = ", ".join(f"{number} {word}" for word, number in run.verdicts().items())
    head = ["label", "name", "verdict", "why", "steps", display_name(RANKED_BY, run.classifier), "coverage"]
    rows = [
        [
            str(own.label),
            _escaped(own.name),
            own.verdict.word,
            _escaped(own.verdict.reason),
            str(own.status.step),
            "" if own.distance is None else f"{own.distance:.3g}",
            f"{own.scores['coverage']:.2f}" if "coverage" in own.scores else "",
        ]
        for own in run.labels[:ROWS]
    ]
    lines = [head, ["---"] * len(head), *rows]
    return f"{counts}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Text escaped for a table cell in Markdown."""
    special = "\\`*_{}[]()<>#+-!|&~"
    return "".join(f"&#{ord(letter)};" if letter in special else letter for letter in printable(text))
