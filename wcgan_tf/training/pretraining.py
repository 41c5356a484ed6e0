"""Trains the GAN on images of all labels, from which the labels start (see `runs/pretraining.py`)."""

import shutil
from collections.abc import Callable

from wcgan_tf.config import Config
from wcgan_tf.core.console import LineWriter
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.core.signals import StopRequests
from wcgan_tf.data import mixture
from wcgan_tf.runs import pretraining
from wcgan_tf.runs.label_run import open_run
from wcgan_tf.training.trainer import Trainer

WAITING = "another process trains it; waiting for its end"


def pretrain(
    config: Config, run: RunPaths, stop: StopRequests, out: LineWriter, describe: Callable[[Exception], str]
) -> str:
    """Train it to its end, or resume it, or wait for another process that does; returns its state, as `Trainer.train`.

    Raises:
        UserError: as `Trainer.train` and `open_run`.
    """
    own, data = pretraining.own_settings(config), mixture.of_all_labels(config.dataset)

    def check() -> None:
        pretraining.is_done(config, run)  # it may have diverged while this process waited
        if not run.pretraining.saved_checkpoints():  # it may be done, but labels could not start from it
            run.pretraining.status.unlink(missing_ok=True)
            shutil.rmtree(run.pretraining.generator, ignore_errors=True)

    with open_run(own, data, run.pretraining, stop, out, describe, WAITING, check) as label_run:
        return Trainer(own).train(label_run) if label_run else "done"
