"""Whose a label's folder is: the settings of what is trained there, and whether anything is left to do."""

import contextlib
import re

import ml_collections

from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.data.prepared import LabelImages
from wcgan_tf.runs import label_status as heartbeat

# What a run may change when it goes on.  All else makes the model what it is.
MAY_CHANGE = {
    "dataset": {"root", "tfds_dir", "data_dir"},
    "model": set(),
    "train": {
        "max_steps",
        "max_seconds",
        "checkpoint_seconds",
        "eval_seconds",
        "steps_per_execution",
        "jit_compile",
        "device",
    },
}


def claim(paths: LabelPaths, config: ml_collections.ConfigDict, data: LabelImages) -> None:
    """Write the settings into the label's folder, or refuse to go on where they are not those of what is there.

    Raises:
        UserError: naming the settings that differ.
    """
    settings = {**config.to_dict(), "images": {"shape": list(data.images.shape), "digest": data.digest}}
    refuse_others(paths, settings)
    files.write_json(paths.config, settings)


def refuse_others(paths: LabelPaths, settings: dict) -> None:
    """Refuse to go on where the label's folder holds a training with other settings.

    Args:
        settings: all of them; and where it has "images", the shape and digest of the training images.

    Raises:
        UserError: naming the settings that differ.
    """
    if not kept(paths):
        return
    before = trained_with(paths)
    differing = differences(before, settings)
    if before["images"] != settings.get("images", before["images"]):
        differing.append("other training images")
    if differing:
        raise UserError(
            f"{paths.folder} holds a training with other settings: {', '.join(differing)}; "
            "type another --workdir, or delete that folder"
        )


def trained_with(paths: LabelPaths) -> dict:
    """The settings of what was begun in the label's folder, as `claim` wrote them.

    Raises:
        UserError: where they are missing or damaged.
    """
    sections = (*MAY_CHANGE, "images")
    with contextlib.suppress(UserError):
        settings = files.read_json(paths.config, "", sections)
        if all(isinstance(settings[section], dict) for section in sections):
            return settings
    raise UserError(
        f"{paths.config}, which tells what is in {paths.folder}, is missing or damaged; "
        "put it back, or delete that folder to train the label anew"
    )


def finished(paths: LabelPaths, config: ml_collections.ConfigDict) -> bool:
    """Whether the label is done, its generator is there, and no budget is left."""
    state = heartbeat.read(paths.status)
    train = config.train
    steps_spent = train.max_steps and state.step >= train.max_steps
    seconds_spent = train.max_seconds and state.seconds >= train.max_seconds
    exported = [paths.generator / "saved_model.pb", paths.generator / "variables" / "variables.index"]
    return state.state == "done" and all(path.is_file() for path in exported) and bool(steps_spent or seconds_spent)


def kept(paths: LabelPaths) -> list[str]:
    """The label's checkpoints, the newest first; found by their files, whatever else there may be damaged."""
    found = (re.fullmatch(r"ckpt-([0-9]{1,16})\.index", path.name) for path in paths.checkpoints.glob("*.index"))
    steps = sorted((int(match[1]) for match in found if match), reverse=True)
    return [str(paths.checkpoints / f"ckpt-{step}") for step in steps]


def model_settings(settings: dict) -> dict:
    """Of all settings those that make a model what it is."""
    return {
        section: {key: value for key, value in settings[section].items() if key not in may_change}
        for section, may_change in MAY_CHANGE.items()
    }


def differences(before: dict, now: dict) -> list[str]:
    """The settings that make a model what it is and are not the same in both, in words."""
    return [
        f"{section}.{key} ({before[section].get(key)} there, {now[section][key]} here)"
        for section, may_change in MAY_CHANGE.items()
        for key in now[section]
        if key not in may_change and before[section].get(key) != now[section][key]
    ]
