"""config.json: the settings recorded with a label's run, which a restart must match."""

import dataclasses
from typing import Any

import msgspec

from wcgan_tf.config import Config, Dataset, default_config
from wcgan_tf.core import records
from wcgan_tf.core.errors import DamagedError, UserError
from wcgan_tf.core.labels import label_title
from wcgan_tf.core.paths import DatasetPaths, LabelPaths, RunPaths, is_saved_model, saved_weights
from wcgan_tf.data import prepared
from wcgan_tf.data.prepared import LabelImages
from wcgan_tf.runs import label_status

# The settings that may change on a restart.  The others of these sections define the model.
MAY_CHANGE = {
    "dataset": {"bit_depth", "root", "val_labels", "tfds_dir", "data_dir"},
    "model": set(),
    "train": {
        "max_steps",
        "max_seconds",
        "checkpoint_seconds",
        "eval_seconds",
        "after_divergence",
        "steps_per_execution",
        "jit_compile",
        "device",
    },
}
Sections = dict[str, dict[str, Any]]


class TrainingImages(msgspec.Struct, frozen=True):
    """The shape [n, H, W, C] and the digest of the training images."""

    shape: tuple[int, int, int, int]
    digest: str


class RecordedSettings(msgspec.Struct, frozen=True):
    """All settings of a label's training, by section, and its images."""

    dataset: dict[str, Any]
    model: dict[str, Any]
    train: dict[str, Any]
    images: TrainingImages
    evaluate: dict[str, Any] = {}

    def sections(self) -> Sections:
        """The settings by section, as `config.to_dict()`."""
        return {"dataset": self.dataset, "model": self.model, "train": self.train, "evaluate": self.evaluate}


def record(paths: LabelPaths, config: Config, data: LabelImages) -> None:
    """Record the settings in the label's folder, after a check that they match those of a training in it.

    One without a checkpoint may be followed by one with other settings, for which its divergence does not count.

    Raises:
        UserError: naming the settings that differ.
    """
    images = TrainingImages(data.images.shape, data.digest)
    refuse_different(paths, config.to_dict(), images)
    before = records.read_if_whole(paths.config, RecordedSettings)
    if before and (before.images != images or differences(before.sections(), config.to_dict())):
        paths.divergence.unlink(missing_ok=True)
    records.write(paths.config, RecordedSettings(**config.to_dict(), images=images))


def refuse_different(paths: LabelPaths, settings: Sections, images: TrainingImages | None = None) -> None:
    """Check that a training with a checkpoint in the label's folder has these settings and, if given, these images.

    Raises:
        UserError: naming the settings that differ; DamagedError if they cannot be read.
    """
    if not paths.saved_checkpoints() and not paths.generator.is_dir():
        return
    before = read(paths)
    differing = differences(before.sections(), settings)
    if images and before.images != images:
        differing.append("other training images")
    if differing:
        raise UserError(
            f"{paths.folder} holds a training with other settings: {', '.join(differing)}; "
            "type another --workdir, or delete that folder"
        )


def refuse_lost_checkpoints(paths: LabelPaths) -> None:
    """Refuse to train from the first step where there is a generator: the next stop would replace it.

    Raises:
        UserError: if there is a generator, and no checkpoint to go on from.
    """
    if is_saved_model(paths.generator) and not paths.saved_checkpoints():
        raise UserError(
            f"{paths.folder} has a generator, but no checkpoint to go on from; to train it anew, delete that folder"
        )


def refuse_mixed(run: RunPaths, settings: Sections) -> None:
    """Check that the first label that has begun has these settings: `combine` takes only labels that agree.

    Raises:
        UserError: naming the settings that differ.
    """
    for label in run.labels():
        if records.read_if_whole(run.label(label).config, RecordedSettings):
            refuse_different(run.label(label), settings)
            return


def refuse_missing_images(run: RunPaths, dataset: Dataset) -> None:
    """Check that the data set is prepared where the settings say, if the run was trained on images that are elsewhere.

    Raises:
        UserError: naming the setting that finds them.
    """
    if DatasetPaths.of(dataset).info.exists():
        return
    for label in run.labels():
        if known := records.read_if_whole(run.label(label).config, RecordedSettings):
            there = str(known.dataset.get("data_dir", ""))
            if DatasetPaths.of(dataclasses.replace(dataset, data_dir=there)).info.exists():
                raise UserError(f"{run.folder} was trained on images in {there}; add --config.dataset.data_dir={there}")
            return


def read(paths: LabelPaths) -> RecordedSettings:
    """Read the settings recorded in the label's folder.

    Raises:
        DamagedError: if they are missing or damaged.
    """
    recorded = records.read_if_whole(paths.config, RecordedSettings)
    if recorded is None:
        raise DamagedError(
            f"{paths.config}, which tells what is in {paths.folder}, is missing or damaged; "
            "put it back, or delete that folder to train the label anew"
        )
    return recorded


def refuse_other_images(paths: LabelPaths, dataset: Dataset, label: int) -> None:
    """Check that the label was trained on the images that are prepared now, as far as its record is there.

    Raises:
        DamagedError: if it was not: the label's name may have been another one, too.
    """
    if is_of_other_images(paths, dataset, label):
        title = label_title(label, prepared.label_names(dataset)[label])
        raise DamagedError(
            f"{paths.folder} was trained on other images than those of {title} now; type another --workdir, or "
            "delete that folder to train the label anew"
        )


def is_of_other_images(paths: LabelPaths, dataset: Dataset, label: int) -> bool:
    """Whether the label was trained on other images than those that are prepared now; False if there are none.

    Raises:
        UserError: if the record of either is damaged.
    """
    there = prepared.exists(dataset, "train", label)
    return there and read(paths).images.digest != prepared.digest(dataset, "train", label)


def finished(paths: LabelPaths, config: Config) -> bool:
    """Whether the label is done, its generator is exported, and its budget is spent."""
    status, train = label_status.read(paths.status), config.train
    steps_spent = train.max_steps and status.step >= train.max_steps
    seconds_spent = train.max_seconds and status.seconds >= train.max_seconds
    exported = is_saved_model(paths.generator) and saved_weights(paths.generator).with_suffix(".index").is_file()
    return status.state == "done" and exported and bool(steps_spent or seconds_spent)


def model_settings(settings: Sections) -> Sections:
    """Only the settings that define a model, by section."""
    return {
        section: {key: value for key, value in settings[section].items() if key not in may_change}
        for section, may_change in MAY_CHANGE.items()
    }


def differences(before: Sections, now: Sections) -> list[str]:
    """The model-defining settings that differ, each as `section.key (value there, value here)`.

    A setting that is newer than a run has its default there: that is what was done before there was the setting.
    """
    defaults = default_config().to_dict()
    there, here = ({section: defaults[section] | own[section] for section in MAY_CHANGE} for own in (before, now))
    return [
        f"{section}.{key} ({there[section][key]} there, {here[section][key]} here)"
        for section, may_change in MAY_CHANGE.items()
        for key in defaults[section]
        if key not in may_change and there[section][key] != here[section][key]
    ]
