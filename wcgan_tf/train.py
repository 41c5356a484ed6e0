"""Train the generator and the critic of one label, alone, on this process's own device.

    python -m wcgan_tf.train --label 3
    python -m wcgan_tf.train --config configs/cifar10.py --label cat
    srun bash -c 'python -m wcgan_tf.train --config configs/cifar10.py --label $SLURM_PROCID'

Started again, it goes on from its last checkpoint.  Ctrl-C, SIGTERM or SIGUSR1: within 10 s it writes one and ends with
exit code 75.  Exit code 1: wrong input, or a number was no longer finite; see status.json in the label's folder.
"""

import tempfile

from absl import flags

from wcgan_tf import cli, datasets, signals
from wcgan_tf.paths import RunPaths

EXIT_CODES = {"done": 0, "stopped": signals.EXIT_CODE, "diverged": 1}


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string("label", "", "The label: an index such as 3, or a name such as cat.")


def main() -> int:
    stop = signals.StopRequests()
    stop.listen()
    stop.ends_at_once(lambda: print("stopped before it began", flush=True))  # nothing is written yet
    config, hint = cli.FLAGS.config, cli.command("prepare")
    label = datasets.parse_label(cli.FLAGS.label, config.dataset, hint)
    data = datasets.label_images(config.dataset, "train", label, hint)
    paths = RunPaths(cli.workdir()).label(label)
    tempfile.tempdir = str(paths.temporary)  # before TensorFlow asks where it is, and Python tries to write to /tmp
    # Only now, when all is there: TensorFlow takes seconds to import.  Keras imports the two for a plot and a wrapper.
    with cli.quiet_imports(without=("matplotlib", "sklearn")):
        from wcgan_tf import training
    stop.ends_in_good_order()
    return EXIT_CODES[training.train_label(config, data, paths, stop)]


if __name__ == "__main__":
    cli.run(main, define_flags)
