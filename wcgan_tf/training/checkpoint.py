"""Checkpoints: the complete state that a training needs to resume."""

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from wcgan_tf.core import errors
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.training.gan import LabelGAN

KEEP = 2


def start_from(gan: LabelGAN, paths: LabelPaths) -> None:
    """Give a new GAN the weights that another training ended with: its critic, and its average as both generators.

    Raises:
        UserError: if they are damaged.
    """
    weights = {name: [own.value for own in getattr(gan, name).variables] for name in ("average", "critic")}
    path = paths.saved_checkpoints()[0]
    try:
        status = tf.train.Checkpoint(**weights).read(str(path))
        status.assert_existing_objects_matched().expect_partial()
    except Exception as error:  # TensorFlow raises many types for a truncated or foreign file
        if errors.is_of_system(error):
            raise
        raise UserError(f"{path} is damaged; delete {paths.folder} to train it anew") from None
    for variable, value in zip(gan.generator.variables, gan.average.variables, strict=True):
        variable.assign(value)


class Checkpoints(keras.callbacks.Callback):
    """Saves a checkpoint every `checkpoint_seconds` during `fit`; keeps the last two.

    It does not use `tf.train.CheckpointManager`, whose index file may be out of date after the process was killed.
    """

    def __init__(self, gan: LabelGAN, paths: LabelPaths, checkpoint_seconds: float) -> None:
        super().__init__()
        # Lists of all variables: for a Keras model, `tf.train.Checkpoint` leaves out layers that are kept in lists.
        owners = {
            "generator": gan.generator,
            "critic": gan.critic,
            "average": gan.average,
            "generator_optimizer": gan.generator_optimizer,
            "critic_optimizer": gan.critic_optimizer,
        }
        variables = {name: [variable.value for variable in owner.variables] for name, owner in owners.items()}
        self._state = tf.train.Checkpoint(**variables, step=gan.step, seconds=gan.seconds)
        self._gan, self._paths = gan, paths
        self._checkpoint_seconds = checkpoint_seconds
        self._saved_at = time.monotonic()
        self._damaged: list[Path] = []  # found by `restore`

    def restore(self, say: Callable[[str], None]) -> bool:
        """Load the newest intact checkpoint; returns whether there is one.  `say` gets a line for each damaged one.

        Raises:
            UserError: if there are checkpoints, and all are damaged.
        """
        checkpoints = self._paths.saved_checkpoints()
        for path in checkpoints:
            try:
                status = self._state.read(str(path))
                status.assert_consumed()
                status.assert_existing_objects_matched()
                return True
            except Exception as error:  # TensorFlow raises many types for a truncated or foreign file
                if errors.is_of_system(error):  # the file may be whole
                    raise
                say(f"the checkpoint {path} is damaged: {str(error).splitlines()[0]}")
                self._damaged.append(path)
        if checkpoints:
            raise UserError(
                f"all checkpoints in {self._paths.checkpoints} are damaged; delete that folder to train the label anew"
            )
        return False

    def save(self) -> None:
        """Write a checkpoint now, and delete everything else in the folder except the one before.

        TensorFlow writes an `.index` file in place, so the files are written aside; the `.index` file is moved last.
        """
        target = self._paths.checkpoint(int(self._gan.step))
        unfinished = target.parent / "unfinished"
        self._state.write(str(unfinished / target.name))
        for file in sorted(unfinished.glob(f"{target.name}.*")):  # `ckpt-6.data-00000-of-00001` before `ckpt-6.index`
            file.replace(target.parent / file.name)
        self._damaged = [path for path in self._damaged if path != target]  # as it may have been written anew
        whole = [path for path in self._paths.saved_checkpoints() if path not in self._damaged]
        keep = tuple(f"{path.name}." for path in whole[:KEEP])
        for path in self._paths.checkpoints.iterdir():
            if not path.name.startswith(keep):
                with contextlib.suppress(OSError):  # on NFS, what another process still reads
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._saved_at = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        due = time.monotonic() - self._saved_at >= self._checkpoint_seconds
        if due and not self.model.stop_training:  # trainer.py decides whether to save the last state
            self.save()
