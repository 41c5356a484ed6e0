"""Train one GAN on images of all labels, once; the training of each label starts from it.

    python -m wcgan_tf.pretrain --config cifar10

`launch`, `pipeline` and the Slurm scripts do this first if the config asks for it (train.pretraining), and so does
`train` if nobody has done it.  Labels only read its weights, from <workdir>/pretraining/.

Started again, it resumes from its last checkpoint.  Signals and exit codes are those of `train`.
"""

from absl import flags

from wcgan_tf import cli
from wcgan_tf.core import errors, signals
from wcgan_tf.core.console import LineWriter
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import prepared
from wcgan_tf.runs import pretraining


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_bool("needed", False, "Only print whether there is something to do: yes or no.")


def main() -> int:
    config, run = cli.config(), cli.run_paths()
    if cli.FLAGS.needed and not DatasetPaths.of(config.dataset).info.exists():  # as before a job that prepares it
        print("yes" if config.train.pretraining else "no")
        return errors.DONE
    labels = range(len(prepared.label_names(config.dataset)))
    needed = pretraining.is_needed(config, run, labels, compare_images=True)
    if cli.FLAGS.needed:
        print("yes" if needed else "no")
        return errors.DONE
    if not needed:
        why = "done before, or no label begins anew" if config.train.pretraining else "train.pretraining is 0"
        print(f"nothing to pretrain in {run.folder}: {why}")
        return errors.DONE
    stop = signals.StopRequests()
    stop.listen()
    stop.ends_at_once(lambda: print("stopped before it began", flush=True))  # nothing is written yet
    out = LineWriter()
    with quiet_imports():
        from wcgan_tf.training.pretraining import pretrain
    try:
        return errors.EXIT_CODES[pretrain(config, run, stop, out, cli.describe)]
    finally:
        out.finish()


if __name__ == "__main__":
    cli.run(main, define_flags)
