"""The status of labels as a table and as one line.  No TensorFlow."""

import collections
import datetime
from collections.abc import Iterable

import rich.table
import rich.text

from wcgan_tf.core.labels import number_of_labels
from wcgan_tf.runs.label_status import STATES, LabelStatus

COLORS = {"running": "cyan", "starting": "cyan", "done": "green", "failed": "red", "diverged": "red", "stale": "yellow"}


def table(rows: Iterable[tuple[int, str, LabelStatus]]) -> rich.table.Table:
    """A table with a row for each (label, name, status)."""
    shown = rich.table.Table(box=None, pad_edge=False, header_style="bold")
    for title in ("label", "name", "state"):
        shown.add_column(title, no_wrap=title != "name")  # on a narrow terminal, only `name` and `where` shrink
    for title in ("step", "spent", "left", "W estimate", "images/s"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("where")
    for label, name, state in rows:
        color = COLORS.get(state.state, "default")
        shown.add_row(
            str(label),
            _cut(name),
            rich.text.Text(state.state, style=color),
            str(state.step) if state.step else "",
            _hours_minutes_seconds(state.seconds or None),
            _hours_minutes_seconds(state.seconds_left() if state.state == "running" else None),
            "" if state.wasserstein_estimate is None else f"{state.wasserstein_estimate:.3f}",
            "" if state.images_per_second is None else f"{state.images_per_second:.0f}",
            _cut(" ".join(filter(None, (state.host, state.device)))),
        )
    return shown


def _cut(text: str) -> rich.text.Text:
    """A cell whose text ends in an ellipsis if the column is too narrow."""
    return rich.text.Text(text, no_wrap=True, overflow="ellipsis")


def _hours_minutes_seconds(seconds: float | None) -> str:
    """A duration as `h:mm:ss`, such as `0:12:05`; empty if it is None."""
    return "" if seconds is None else str(datetime.timedelta(seconds=round(seconds)))


def summary(states: Iterable[LabelStatus]) -> str:
    """The number of labels in each state: `10 labels: 2 running, 8 done`."""
    counts: collections.Counter[str] = collections.Counter(state.state for state in states)
    parts = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return f"{number_of_labels(counts.total())}: {parts}"
