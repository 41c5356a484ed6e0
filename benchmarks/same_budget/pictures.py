"""Pictures of fixed_budget.py: generated images side by side, and the distances over the budgets."""

import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from same_budget.tables import Result

from wcgan_tf.config import Dataset
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import prepared

COLUMNS = 8  # images of a label by a method
SCORE = "kernel_distance"


def draw_grids(results: list[Result], folder: Path, dataset: Dataset) -> None:
    """Draw real images and those of all methods side by side, a row per label: largest budget, first seed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_imports():
        from wcgan_tf.combined import pictures, sampler

    longest = max(result.cell.seconds for result in results)
    shown = [own.cell for own in results if own.cell.seconds == longest and own.cell.seed == results[0].cell.seed]
    models = {cell.method: sampler.load(folder / cell.name / "model") for cell in shown}
    labels = next(iter(models.values())).labels
    sides = {"real": [prepared.label_images(dataset, "test", label).images[:COLUMNS] for label in labels]}
    sides |= {
        method: [np.concatenate(list(model.draw(label, COLUMNS, 0))) for label in labels]
        for method, model in models.items()
    }
    pictures.draw(list(labels.values()), sides, COLUMNS, folder / "grids.png")


def draw_curves(results: list[Result], folder: Path) -> None:
    """Plot the mean kernel distance of the labels over seconds and over steps, a row per classifier."""
    classifiers = list(results[0].reports)
    methods = list(dict.fromkeys(result.cell.method for result in results))
    figure = Figure(figsize=(9, 3.2 * len(classifiers)), dpi=120)
    for place, axes in enumerate(figure.subplots(len(classifiers), 2, squeeze=False).flat):
        classifier, over_steps = classifiers[place // 2], place % 2 == 1
        for turn, method in enumerate(methods):
            own = [result for result in results if result.cell.method == method]
            points = np.array([_point(result, classifier, over_steps) for result in own])
            axes.plot(*points.T, "o", color=f"C{turn}", alpha=0.5)
            budgets = np.array([result.cell.seconds for result in own])
            means = np.array([points[budgets == budget].mean(axis=0) for budget in np.unique(budgets)])
            axes.plot(*means.T, color=f"C{turn}", label=method)
        axes.set_xscale("log")
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set_xlabel("steps per label" if over_steps else "seconds per label")
        axes.set_ylabel(f"kernel distance,\n{Path(classifier).name}")
        axes.tick_params(axis="x", which="minor", labelsize=5)  # within a decade their numbers would overlap
        axes.grid(visible=True, alpha=0.3)
    figure.axes[0].legend()
    figure.tight_layout()
    figure.savefig(folder / "curves.png")


def _point(result: Result, classifier: str, over_steps: bool) -> tuple[float, float]:
    spent = result.steps if over_steps else result.cell.seconds
    return spent, result.reports[classifier].means.generated[SCORE] or 0.0
