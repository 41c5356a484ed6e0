"""Draw the picture to look at: one row per label, real images on the left, generated ones on the right.

    python -m wcgan_tf.report
    python -m wcgan_tf.report --config configs/cifar10.py --columns 12

Writes grid.png into the folder of the run.
"""

import numpy as np
from absl import flags

from wcgan_tf import cli, files
from wcgan_tf.paths import RunPaths


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_integer("columns", 10, "Images of each kind in a row.", lower_bound=1, upper_bound=100)
    flags.DEFINE_integer("seed", 0, "Of the generated images.", lower_bound=0)


def main() -> None:
    with cli.quiet_imports():
        from wcgan_tf import datasets, pictures, sampler

    columns, dataset, hint = cli.FLAGS.columns, cli.FLAGS.config.dataset, cli.command("prepare")
    model = sampler.load(cli.model_folder(), cli.command("combine", *cli.folders()))
    model.refuse_other(dataset)
    real = [datasets.label_images(dataset, "test", label, hint).images[:columns] for label in model.labels]
    made = [np.concatenate(list(model.draw(label, columns, cli.FLAGS.seed))) for label in model.labels]
    picture = RunPaths(cli.workdir()).grid
    with files.publish(picture) as path:
        pictures.draw(list(model.labels.values()), {"real": real, "generated": made}, columns, path)
    print(f"look at {picture}")


if __name__ == "__main__":
    cli.run(main, define_flags)
