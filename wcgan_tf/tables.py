"""How all labels are, as a table and as a line.  No TensorFlow."""

import collections
from collections.abc import Iterable

import rich.markup
import rich.table

from wcgan_tf.heartbeat import STATES, LabelState

COLORS = {"running": "cyan", "starting": "cyan", "done": "green", "failed": "red", "diverged": "red", "stale": "yellow"}


def table(rows: Iterable[tuple[int, str, LabelState]]) -> rich.table.Table:
    """A row for each (label, name, state)."""
    shown = rich.table.Table(box=None, pad_edge=False, header_style="bold")
    for title in ("label", "name", "state"):
        shown.add_column(title, no_wrap=True)
    for title in ("step", "spent", "left", "W estimate", "images/s"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("where", no_wrap=True)
    for label, name, state in rows:
        color = COLORS.get(state.state, "default")
        shown.add_row(
            str(label),
            rich.markup.escape(name),
            f"[{color}]{state.state}[/]",
            str(state.step) if state.step else "",
            duration(state.seconds) if state.seconds else "",
            duration(state.seconds_left()) if state.state == "running" else "",
            "" if state.wasserstein_estimate is None else f"{state.wasserstein_estimate:.3f}",
            "" if state.images_per_second is None else f"{state.images_per_second:.0f}",
            rich.markup.escape(" ".join(filter(None, (state.host, state.device)))),
        )
    return shown


def summary(states: Iterable[LabelState]) -> str:
    """How many labels are in which state: `10 labels: 2 running, 8 done`."""
    counts = collections.Counter(state.state for state in states)
    parts = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    return f"{counts.total()} label{'' if counts.total() == 1 else 's'}: {parts}"


def duration(seconds: float | None) -> str:
    """A length of time: `9 s`, `12 min 5 s`, `3 h 20 min`; empty where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
