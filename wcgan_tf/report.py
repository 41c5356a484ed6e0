"""Write the report of a run: its settings and cost, and the images, scores, curves and verdicts of its labels.

    python -m wcgan_tf.report
    python -m wcgan_tf.report --config cifar10 --workdir runs/cifar10 --model saved_models/cifar10

Writes report.html, one self-contained file, and grid.png, real beside generated images, to the folder of the run, and
the run `overview` for TensorBoard.  Works during training, and before there is a model or a score.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

import wcgan_tf
from wcgan_tf import cli
from wcgan_tf.combined.manifest import find_saved_model
from wcgan_tf.core import files, unfinished
from wcgan_tf.core.console import printable
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.paths import ModelPaths, RunPaths
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import prepared
from wcgan_tf.reporting import run_overview
from wcgan_tf.runs import recorded_settings

if TYPE_CHECKING:
    from wcgan_tf.combined.sampler import Sampler

MOST_SHOWN = 24  # most labels with pictures, and warnings on the terminal; if there are more, the worst and the best


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_integer("columns", 10, "Images of each kind in a row of grid.png.", lower_bound=1, upper_bound=100)
    flags.DEFINE_integer("seed", 0, "Of the generated images.", lower_bound=0, upper_bound=cli.HIGHEST_SEED)


def main() -> None:
    config, run = cli.config(), cli.run_paths()
    recorded_settings.refuse_missing_images(run, config.dataset)
    names = prepared.label_names(config.dataset)
    if not run.labels():
        raise UserError(f"there is no run in {run.folder}; run: ", Command("launch"))
    unfinished.clear(run.folder)
    with quiet_imports():
        import tensorflow  # before the modules that import matplotlib
    from wcgan_tf.combined import sampler
    from wcgan_tf.reporting import gallery, page, tensorboard_overview

    files.refuse_to_replace(run.overview, tensorboard_overview.OWN)
    saved_model = _saved_model()
    known = run_overview.gather(run, config.dataset, names, ModelPaths(saved_model.parent))
    in_model = [own for own in known.labels if own.in_model]
    model = sampler.load(saved_model) if in_model else None
    if model:
        model.refuse_other_dataset(config.dataset)
    begun = [own for own in known.labels if own.status.state != "pending"]
    exhibits = gallery.draw_labels(_shown(begun), model, config.dataset, run, cli.FLAGS.seed)
    grid = _draw_grid(model, sorted(own.label for own in _shown(in_model)), run) if model else None
    tensorboard_overview.write(known, grid, run.overview)
    made = f"{time.strftime('%Y-%m-%d %H:%M')}, wcgan_tf {wcgan_tf.__version__}, TensorFlow {tensorflow.__version__}"
    as_in_file = cli.config_file().settings.to_dict()
    commands = page.Commands(
        again=cli.command("pipeline", overrides=run_overview.changed(known.settings, as_in_file)),
        combine=cli.command("combine", "--overwrite"),
        evaluate=cli.command("evaluate"),
    )
    # Last, so that an existing report means that all other files are written.
    warnings = [cli.describe(error) for error in known.warnings]
    files.write_text(run.report, page.render(known, exhibits, commands, warnings, made))
    for line in warnings[:MOST_SHOWN]:
        print(f"warning: {printable(line)}")
    if len(warnings) > MOST_SHOWN:
        print(f"and {len(warnings) - MOST_SHOWN} more warnings, on the page")
    print(f"look at {run.report}" + (f" and {run.grid}" if model else ""))


def _saved_model() -> Path:
    """The path of the combined model, which has to exist only if --model is given."""
    try:
        return find_saved_model(cli.model_paths().folder)
    except UserError:
        if cli.FLAGS.model:
            raise
        return cli.model_paths().saved_model


def _shown(labels: list) -> list:
    """All labels or, if they are too many, the first and the last MOST_SHOWN / 2 of them."""
    half = MOST_SHOWN // 2
    return labels if len(labels) <= MOST_SHOWN else labels[:half] + labels[-half:]


def _draw_grid(model: "Sampler", labels: list[int], run: RunPaths) -> np.ndarray:
    """Write grid.png, a row per label, real images left, generated images right; returns the generated block."""
    from wcgan_tf.combined import pictures

    columns, dataset = cli.FLAGS.columns, cli.config().dataset
    real = [prepared.label_images(dataset, "test", label).images[:columns] for label in labels]
    made = [np.concatenate(list(model.draw(label, columns, cli.FLAGS.seed))) for label in labels]
    with files.publish(run.grid) as path:
        pictures.draw([model.labels[label] for label in labels], {"real": real, "generated": made}, columns, path)
    return pictures.block(made, columns)


if __name__ == "__main__":
    cli.run(main, define_flags)
