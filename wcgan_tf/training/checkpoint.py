"""Checkpoints: the complete state that a training needs to resume."""

import contextlib
import errno
import math
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from wcgan_tf.core import errors, files, listing
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.runs import recorded_settings
from wcgan_tf.training.gan import LabelGAN

KEEP = 2
IMAGES = "images/.ATTRIBUTES/VARIABLE_VALUE"  # the digest of the images in a checkpoint


def start_from(gan: LabelGAN, paths: LabelPaths, say: Callable[[str], None]) -> None:
    """Give a new GAN the weights that another training ended with: its critic, and its average as both generators.

    Takes the newest intact checkpoint; `say` gets a line for each damaged one.

    Raises:
        UserError: if none is intact.
    """
    weights = {name: [own.value for own in getattr(gan, name).variables] for name in ("average", "critic")}
    state, images = tf.train.Checkpoint(**weights), recorded_settings.read(paths).images.digest

    def load(path: str) -> Any:
        _refuse_other_images(path, images)
        return state.read(path).expect_partial()

    if not _load_newest(paths, load, lambda _, line: say(line)):
        raise UserError(f"there is no checkpoint in {paths.checkpoints}; delete {paths.folder} to train it anew")
    for variable, value in zip(gan.generator.variables, gan.average.variables, strict=True):
        variable.assign(value)


def _refuse_other_images(path: str, digest: str) -> bool:
    """Refuse the checkpoint of a training on other images; returns whether it tells of its images (older ones do not).

    Raises:
        ValueError: if it is one.
    """
    reader = tf.train.load_checkpoint(path)
    known = reader.has_tensor(IMAGES)
    if known and reader.get_tensor(IMAGES).decode() != digest:
        raise ValueError("it is of a training on other images")
    return known


def _load_newest(paths: LabelPaths, load: Callable[[str], Any], damaged: Callable[[Path, str], None]) -> bool:
    """Load the newest intact checkpoint; returns whether there is one.

    Args:
        load: path -> what TensorFlow says of the load; all that there is to load has to be in the checkpoint.
        damaged: called with the path of each damaged one, and a line about it.

    Raises:
        UserError: if there are checkpoints, and all are damaged.
    """
    checkpoints = paths.saved_checkpoints()
    for path in checkpoints:
        try:
            load(str(path)).assert_existing_objects_matched()
            return True
        except Exception as error:  # TensorFlow raises many types for a truncated or foreign file
            if errors.is_of_system(error):  # the file may be whole
                raise
            damaged(path, f"the checkpoint {path} is damaged: {str(error).splitlines()[0]}")
    if checkpoints:
        raise UserError(f"all checkpoints in {paths.checkpoints} are damaged; delete {paths.folder} to train it anew")
    return False


class Checkpoints(keras.callbacks.Callback):
    """Saves a checkpoint every `checkpoint_seconds` during `fit`; keeps the last two.

    It does not use `tf.train.CheckpointManager`, whose index file may be out of date after the process was killed.

    Args:
        images: the digest of the images; a checkpoint of a training on others counts as damaged.
    """

    def __init__(self, gan: LabelGAN, paths: LabelPaths, checkpoint_seconds: float, images: str) -> None:
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
        with tf.device("CPU"):
            digest = tf.Variable(images, trainable=False)
        self._of_older_version = tf.train.Checkpoint(**variables, step=gan.step, seconds=gan.seconds)
        self._state = tf.train.Checkpoint(**variables, step=gan.step, seconds=gan.seconds, images=digest)
        self._images = images
        self._bytes = sum(math.prod(one.shape) * one.dtype.size for own in variables.values() for one in own)
        self._gan, self._paths = gan, paths
        self._checkpoint_seconds = checkpoint_seconds
        self._saved_at = time.monotonic()
        self._damaged: list[Path] = []  # found by `restore`

    def restore(self, say: Callable[[str], None]) -> bool:
        """Load the newest intact checkpoint; returns whether there is one.  `say` gets a line for each damaged one.

        Raises:
            UserError: if there are checkpoints, and all are damaged.
        """

        def damaged(path: Path, line: str) -> None:
            say(line)
            self._damaged.append(path)

        def load(path: str) -> Any:
            state = self._state if _refuse_other_images(path, self._images) else self._of_older_version
            return state.read(path).assert_consumed()

        return _load_newest(self._paths, load, damaged)

    def refuse_full_disk(self) -> None:
        """Raise the system's error before time is spent, if there is no room for a checkpoint."""
        files.refuse_full_disk(self._paths.checkpoints, self._bytes)

    def save(self) -> None:
        """Write a checkpoint now, and delete everything else in the folder except the one before.

        TensorFlow writes an `.index` file in place, so the files are written aside; the `.index` file is moved last.

        Raises:
            UserError: if the label's folder is gone: a new one would have this checkpoint alone.
        """
        if not self._paths.config.exists():
            raise UserError(f"{self._paths.folder} was moved or deleted while its label trained; this training ends")
        target = self._paths.checkpoint(int(self._gan.step))
        unfinished = target.parent / "unfinished"
        try:
            self._state.write(str(unfinished / target.name))
        except tf.errors.OutOfRangeError as error:  # Keras would take it for the end of the data
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(target)) from error
        # `ckpt-6.data-00000-of-00001` comes before `ckpt-6.index`.
        for file in listing.matching(unfinished, f"{target.name}.*"):
            files.sync(file)
            file.replace(target.parent / file.name)
        files.sync(target.parent)
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
