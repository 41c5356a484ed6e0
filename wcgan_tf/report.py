"""Draw the picture to look at: one row per label, real images on the left, generated ones on the right.

    python -m wcgan_tf.report
    python -m wcgan_tf.report --config configs/cifar10.py --columns 12

Writes grid.png into the folder of the run.
"""

from pathlib import Path

import numpy as np
from absl import flags

from wcgan_tf import cli, files
from wcgan_tf.paths import RunPaths

CELL_INCHES = 0.42
DOTS_PER_INCH = 160
ENLARGED_SIDE = 48  # smaller images are enlarged smoothly to this: large square pixels hide a shape from the eye


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_integer("columns", 10, "Images of each kind in a row.", lower_bound=1, upper_bound=100)
    flags.DEFINE_integer("seed", 0, "Of the generated images.", lower_bound=0)


def main() -> None:
    with cli.quiet_imports():
        from wcgan_tf import conditional, datasets

    columns, dataset, hint = cli.FLAGS.columns, cli.FLAGS.config.dataset, cli.command("prepare")
    model = conditional.load(cli.model_folder(), cli.command("combine", *cli.folders()))
    model.refuse_other(dataset.name)
    real = [datasets.label_images(dataset, "test", label, hint).images[:columns] for label in model.labels]
    made = [model.draw(label, columns, cli.FLAGS.seed) for label in model.labels]
    picture = RunPaths(cli.workdir()).grid
    with files.publish(picture) as path:
        _draw(list(model.labels.values()), {"real": real, "generated": made}, columns, path)
    print(f"look at {picture}")


def _draw(names: list[str], sides: dict[str, list[np.ndarray]], columns: int, path: Path) -> None:
    """One row per name; each side a block of `columns` images with its title above."""
    from matplotlib.figure import Figure  # not pyplot, which wants a display and keeps figures

    figure = Figure(figsize=((2 * columns + 3) * CELL_INCHES, (len(names) + 1) * CELL_INCHES), dpi=DOTS_PER_INCH)
    for title, axes in zip(sides, figure.subplots(1, 2), strict=True):
        picture = _block(sides[title], columns)
        axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
        if title == "real":
            for row, name in enumerate(names):
                middle = 1 - (row + 0.5) / len(names)
                axes.text(-0.02, middle, name[:20], transform=axes.transAxes, ha="right", va="center", parse_math=False)
    figure.tight_layout()
    figure.savefig(path, format="png", bbox_inches="tight")


def _block(rows: list[np.ndarray], columns: int) -> np.ndarray:
    """The rows, uint8 [n <= columns, H, W, C] each, as one picture; short rows end in white."""
    from wcgan_tf.images import enlarge, tile

    missing = [np.full((columns - len(row), *row.shape[1:]), 255, np.uint8) for row in rows]
    images = np.concatenate([part for pair in zip(rows, missing, strict=True) for part in pair])
    factor = max(1, ENLARGED_SIDE // images.shape[1])
    return tile(enlarge(images, factor), columns, gap=factor)


if __name__ == "__main__":
    cli.run(main, define_flags)
