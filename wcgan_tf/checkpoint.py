"""Going on where a run stopped: everything that training needs in one checkpoint, or a refusal."""

import time

import keras
import ml_collections
import tensorflow as tf

from wcgan_tf import files
from wcgan_tf.datasets import LabelImages
from wcgan_tf.errors import UserError
from wcgan_tf.paths import LabelPaths

# What a run may change when it goes on.  All else makes the model what it is.
MAY_CHANGE = {
    "dataset": {"root", "tfds_dir", "data_dir"},
    "model": set(),
    "train": {"max_steps", "max_seconds", "checkpoint_seconds", "steps_per_execution", "jit_compile", "device"},
}


def claim(paths: LabelPaths, config: ml_collections.ConfigDict, data: LabelImages) -> None:
    """Write the settings into the label's folder, or refuse to go on where they are not those of what is there.

    Raises:
        UserError: naming the settings that differ.
    """
    settings = {**config.to_dict(), "images": {"shape": list(data.images.shape), "digest": data.digest}}
    if paths.config.exists() and tf.train.latest_checkpoint(paths.checkpoints):
        before = files.read_json(paths.config, "the same command again")
        differing = differences(before, settings)
        if before["images"] != settings["images"]:
            differing.append("other training images")
        if differing:
            raise UserError(
                f"{paths.folder} holds a training with other settings: {', '.join(differing)}; "
                "type another --workdir, or delete that folder"
            )
    files.write_json(paths.config, settings)


def differences(before: dict, now: dict) -> list[str]:
    """The settings that make a model what it is and are not the same in both, in words."""
    return [
        f"{section}.{key} ({before[section].get(key)} there, {now[section][key]} here)"
        for section, may_change in MAY_CHANGE.items()
        for key in now[section]
        if key not in may_change and before[section].get(key) != now[section][key]
    ]


class Checkpoints(keras.callbacks.Callback):
    """Saves every `checkpoint_seconds` while `fit` runs; keeps the last two."""

    def __init__(self, gan, paths: LabelPaths, checkpoint_seconds: float):
        super().__init__()
        state = tf.train.Checkpoint(
            generator=gan.generator,
            critic=gan.critic,
            average=gan.average,
            generator_optimizer=gan.generator_optimizer,
            critic_optimizer=gan.critic_optimizer,
            step=gan.step,
            seconds=gan.seconds,
        )
        self._gan = gan
        self._manager = tf.train.CheckpointManager(state, str(paths.checkpoints), max_to_keep=2)
        self._checkpoint_seconds = checkpoint_seconds
        self._saved_at = time.monotonic()

    def restore(self) -> bool:
        """Load the newest checkpoint; whether there was one."""
        latest = self._manager.latest_checkpoint
        if latest:
            try:
                self._manager.checkpoint.restore(latest).assert_consumed()
            except Exception as error:  # TensorFlow raises many kinds for a file that is cut or not its own
                raise UserError(
                    f"the checkpoint {latest} is damaged ({str(error).splitlines()[0]}); "
                    f"delete {self._manager.directory} to train the label anew"
                ) from None
        return latest is not None

    def save(self) -> None:
        """Write a checkpoint now."""
        self._manager.save(checkpoint_number=int(self._gan.step))
        self._saved_at = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        due = time.monotonic() - self._saved_at >= self._checkpoint_seconds
        if due and not self.model.stop_training:  # whether the last state is worth keeping is not known here
            self.save()
