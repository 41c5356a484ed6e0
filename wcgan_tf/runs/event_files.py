"""TensorBoard event files of a label: their tags, their order, and reading of their images."""

import re
import time
from pathlib import Path

import tensorflow as tf

from wcgan_tf.core import errors, listing

PREFIX, TIME = "events.out.tfevents.", r"[0-9]{1,18}(\.|$)"
PICTURES = "generated"  # the tag of the grids of generated images
TAGS = {  # logged value -> tag; TensorBoard groups tags by the part before the slash
    "kernel_distance": "score/kernel_distance",
    "wasserstein_estimate": "training/wasserstein_estimate",
    "critic_loss": "training/critic_loss",
    "discriminator_loss": "training/discriminator_loss",
    "generator_loss": "training/generator_loss",
    "classification_loss": "training/classification_loss",
    "gradient_penalty": "penalty/gradient_penalty",
    "gradient_norm": "penalty/gradient_norm",
    "images_per_second": "speed/images_per_second",
}


def read_images(folder: Path, tag: str) -> list[tuple[int, bytes]]:
    """The images of a tag as TensorBoard shows them: (step, PNG), in ascending order of the step.

    If a restart repeats a step, its image replaces the earlier one and the images of all later steps.
    """
    found: dict[int, bytes] = {}
    for path in _files(folder):
        try:
            for record in tf.data.TFRecordDataset(str(path)):
                event = tf.compat.v1.Event.FromString(record.numpy())
                for value in event.summary.value:
                    if value.tag == tag and len(value.tensor.string_val) > 2:  # width, height, and the images
                        found = {step: picture for step, picture in found.items() if step < event.step}
                        found[event.step] = value.tensor.string_val[2]
        except Exception as error:  # TensorFlow and protobuf raise many types for what is truncated, or no event file
            if errors.is_of_system(error):
                raise
    return list(found.items())


def delete(folder: Path) -> None:
    """Delete the event files of a training that begins anew: its pictures would go on from those."""
    for path in _files(folder):
        if not path.is_dir():
            path.unlink()


def put_before_now(folder: Path) -> None:
    """Rename event files whose time is not before now, from a clock that was ahead, to times before now.

    TensorBoard reads files in the order of the times in their names: repeated steps in new files must come last.
    """
    now, paths = int(time.time()), _files(folder)
    for place, path in enumerate(paths):
        stamp, _, rest = path.name.removeprefix(PREFIX).partition(".")
        if int(stamp) >= now:
            path.rename(path.with_name(f"{PREFIX}{now - len(paths) + place}.{rest}"))


def _files(folder: Path) -> list[Path]:
    """The event files that begin with a time, in its order."""
    return [path for path in listing.matching(folder, f"{PREFIX}*") if re.match(TIME, path.name.removeprefix(PREFIX))]
