"""Images as one picture with the labels' names beside them."""

from pathlib import Path

import numpy as np

from wcgan_tf.core.images import enlarge, tile

CELL_INCHES = 0.42
DOTS_PER_INCH = 160
ENLARGED_SIDE = 48  # smaller images are enlarged smoothly to this: large square pixels hide a shape from the eye
NAME_LETTERS = 20


def draw(names: list[str], sides: dict[str, list[np.ndarray]], columns: int, path: Path) -> None:
    """A row per name and, in each, a block of `columns` images of every side, with the side's title above.

    Args:
        sides: title -> a row of images for each name, uint8 [n <= columns, H, W, C].
        path: of the PNG.
    """
    from matplotlib.figure import Figure  # not pyplot, which wants a display and keeps figures

    size = ((len(sides) * columns + 3) * CELL_INCHES, (len(names) + 1) * CELL_INCHES)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH)
    for place, (title, rows) in enumerate(sides.items()):
        axes = figure.add_subplot(1, len(sides), place + 1)
        axes.imshow(block(rows, columns).squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
        for row, name in enumerate(names if place == 0 else []):
            middle = 1 - (row + 0.5) / len(names)
            shown = name[:NAME_LETTERS]
            axes.text(-0.02, middle, shown, transform=axes.transAxes, ha="right", va="center", parse_math=False)
    figure.tight_layout()
    figure.savefig(path, format="png", bbox_inches="tight")


def block(rows: list[np.ndarray], columns: int) -> np.ndarray:
    """The rows, uint8 [n <= columns, H, W, C] each, as one picture [h, w, C]; short rows end in white."""
    missing = [np.full((columns - len(row), *row.shape[1:]), 255, np.uint8) for row in rows]
    images = np.concatenate([part for pair in zip(rows, missing, strict=True) for part in pair])
    factor = max(1, ENLARGED_SIDE // images.shape[1])
    return tile(enlarge(images, factor), columns, gap=factor)
