"""Train the generator and the critic of one label, alone, on this process's own device.

    python -m wcgan_tf.train --label 3
    python -m wcgan_tf.train --config configs/cifar10.py --label cat
    srun bash -c 'python -m wcgan_tf.train --config configs/cifar10.py --label $SLURM_PROCID'

Started again, it goes on from its last checkpoint.  Ctrl-C or SIGTERM: it writes one and ends with exit code 75.
Exit code 1: wrong input, or a number was no longer finite; see status.json in the label's folder.
"""

from absl import flags

from wcgan_tf import cli, datasets
from wcgan_tf.paths import RunPaths

EXIT_CODES = {"done": 0, "stopped": 75, "diverged": 1}  # 75: EX_TEMPFAIL, start it again


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string("label", "", "The label: an index such as 3, or a name such as cat.")


def main() -> int:
    config, hint = cli.FLAGS.config, cli.command("prepare")
    label = datasets.parse_label(cli.FLAGS.label, config.dataset, hint)
    data = datasets.label_images(config.dataset, "train", label, hint)
    with cli.quiet_imports():  # only now, when all is there: TensorFlow takes seconds to import
        from wcgan_tf import training
    return EXIT_CODES[training.train_label(config, data, RunPaths(cli.workdir()).label(label))]


if __name__ == "__main__":
    cli.run(main, define_flags)
