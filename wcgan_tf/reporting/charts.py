"""The charts of a report, legible on a light and on a dark page."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wcgan_tf.reporting.run_overview import LabelOverview

GREY = "#808894"  # legible on white and on black
BLUE = "#3b82c4"
TAB = colormaps["tab20"].colors  # type: ignore[attr-defined]
COLORS = [color for color in (*TAB[::2], *TAB[1::2]) if len({round(part, 2) for part in color}) > 1]  # no grey
NAMED = 12  # with more labels, the lines have no names
MOST_CELLS = 40  # labels in a confusion matrix or bar chart; with more it is illegible
BEGINNING = 0.2  # share of a curve's points, the first ones, that may lie outside the axes
POINTS = 200  # at which the quantiles over the labels are computed
NAME_LETTERS = 14
WIDTH, DOTS_PER_INCH = 5.6, 180  # width in inches; text stays legible on a phone

Rows = list[dict[str, float]]


def curves(labels: list[LabelOverview], name: str, title: str) -> Figure | None:
    """A value of each label over its seconds of training; with more than 2 labels, also median and middle 80 %.

    Returns None if no label has such a value.
    """
    known = {own.label: (own.name, line) for own in labels if len(line := points(own.rows, "seconds", name))}
    if not known:
        return None
    figure, axes = _figure(WIDTH, 3.3)
    few, faint = len(known) <= NAMED, max(0.05, min(0.6, 20.0 / len(known)))  # keeps many lines apart
    for place, label in enumerate(sorted(known)):
        text, line = known[label]
        style = {"color": COLORS[place], "label": _cut(text)} if few else {"color": BLUE, "alpha": faint}
        axes.plot(*line.T, linewidth=1.2 if few else 0.6, marker="." if len(line) == 1 else None, **style)
    if len(known) > 2:
        seconds, (low, middle, high) = spread([line for _, line in known.values()], POINTS)
        axes.fill_between(seconds, low, high, color=GREY, alpha=0.25, linewidth=0, label="middle 80 %")
        axes.plot(seconds, middle, color=GREY, linewidth=2.2, linestyle="--", label="median")
    axes.set_xlabel("seconds of training")
    axes.set_title(title, loc="left", color=GREY)
    axes.set_ylim(_limits([line[:, 1] for _, line in known.values()]))
    if few or len(known) > 2:
        _legend(axes)
    return figure


def _limits(lines: list[np.ndarray]) -> tuple[float, float]:
    """Limits of the y axis, without the first points: their large values would flatten the rest."""
    lowest, highest = np.percentile(np.concatenate([line[int(BEGINNING * len(line)) :] for line in lines]), [1, 99])
    room = 0.15 * (highest - lowest) or 1.0
    return lowest - room, highest + room


def points(rows: Rows, across: str, name: str) -> np.ndarray:
    """The values `across` and `name` of all rows that have `name`, float [n, 2]."""
    return np.array([(row[across], row[name]) for row in rows if name in row]).reshape(-1, 2)


def spread(lines: list[np.ndarray], number: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles over lines float [n, 2], up to their median end: places float [k], k <= number, and values [3, k].

    The three rows are the 10 %, 50 % and 90 % quantiles, at places where more than half of the lines have a value.
    """
    across = np.linspace(0.0, np.median([line[-1, 0] for line in lines]), number)
    values = np.stack([np.interp(across, line[:, 0], line[:, 1], left=np.nan, right=np.nan) for line in lines])
    enough = np.isfinite(values).sum(axis=0) > len(lines) / 2
    quantiles = np.nanpercentile(values[:, enough], [10, 50, 90], axis=0) if enough.any() else np.empty([3, 0])
    return across[enough], quantiles


def confusion(labels: list[LabelOverview], names: list[str]) -> Figure | None:
    """Which labels the domain classifier gives to each label's images; None if unknown or above MOST_CELLS labels."""
    rows = sorted((own for own in labels if own.taken_for), key=lambda own: own.label)
    if not rows or len(names) > MOST_CELLS:
        return None
    shares = np.array([[own.taken_for.get(column, 0.0) for column in range(len(names))] for own in rows])
    side = 1.6 + 0.42 * len(names)
    figure, axes = _figure(side + 0.6, 1.5 + 0.42 * len(rows))
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            color = "white" if share > 0.5 else "#203040"
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color=color)
    _ticks(axes.set_yticks, [own.name for own in rows])
    _ticks(axes.set_xticks, names, rotation=60, ha="right")
    axes.set_ylabel("asked for")
    axes.set_title("taken for, in %", loc="left", color=GREY)
    axes.tick_params(length=0)
    return figure


def speeds(labels: list[LabelOverview]) -> Figure | None:
    """The real images per second of each label's process; None if unknown."""
    known = [(own, own.images_per_second) for own in labels if own.images_per_second]
    if not known:
        return None
    if len(known) > MOST_CELLS:
        figure, axes = _figure(WIDTH, 3.0)
        axes.hist([speed for _, speed in known], bins=40, color=BLUE)
        axes.set_xlabel("real images per second")
        axes.set_ylabel("processes")
    else:
        known.sort(key=lambda pair: -pair[0].label)
        figure, axes = _figure(WIDTH, 0.8 + 0.24 * len(known))
        axes.barh(range(len(known)), [speed for _, speed in known], color=BLUE)
        _ticks(axes.set_yticks, [own.name for own, _ in known])
        axes.set_xlabel("real images per second")
    axes.set_title("images/s of each process", loc="left", color=GREY)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with grey axes on a transparent background."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    figure.patch.set_alpha(0.0)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    for spine in ("left", "bottom"):
        axes.spines[spine].set_color(GREY)
    axes.tick_params(colors=GREY, labelsize=9)
    axes.xaxis.label.set_color(GREY)
    axes.yaxis.label.set_color(GREY)
    return figure, axes


def _legend(axes: Axes) -> None:
    legend = axes.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, labelcolor=GREY, fontsize=8, handlelength=1.4
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _ticks(setter: Callable, names: list[str], **style: Any) -> None:
    """Set a name at each tick of an axis; names are not parsed as math text."""
    setter(range(len(names)), [_cut(name) for name in names], parse_math=False, **style)


def _cut(name: str) -> str:
    """A name cut to NAME_LETTERS, not starting with an underscore: matplotlib omits such names from a legend."""
    shown = name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…"
    return f"\u200b{shown}" if shown.startswith("_") else shown
