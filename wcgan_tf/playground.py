"""What the demo page shows: images of a combined model as pieces of HTML, everything inside them."""

import html

import numpy as np

from wcgan_tf.combined.sampler import ConditionalModel
from wcgan_tf.reporting import gallery

COLUMNS = 8


def images(model: ConditionalModel, labels: list[int], number: int, seed: int, truncation: float | None) -> str:
    """Images of each label, `number` of them, in rows of COLUMNS."""
    return "".join(
        _figure(np.concatenate(list(model.draw(label, number, seed, truncation))), model.labels[label], "images")
        for label in labels
    )


def way(
    model: ConditionalModel, labels: list[int], number: int, seeds: tuple[int, int], truncation: float | None
) -> str:
    """`number` images of each label on the way from the first image of one seed to that of another."""
    return "".join(
        _figure(np.concatenate(list(model.between(label, seeds, number, truncation))), model.labels[label], "the way")
        for label in labels
    )


def _figure(drawn: np.ndarray, name: str, what: str) -> str:
    """Images uint8 [n, H, W, C] above the name of their label."""
    columns = min(COLUMNS, len(drawn))
    rows = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
    shown = html.escape(name)
    return (
        f'<figure><img src="{gallery.strip(rows, columns)}" alt="{what} of {shown}">'
        f"<figcaption>{shown}</figcaption></figure>"
    )
