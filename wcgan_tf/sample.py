"""Draw images of any labels from a combined model.

    python -m wcgan_tf.sample
    python -m wcgan_tf.sample --model saved_models/cifar10 --labels cat,dog --num 64 --seed 1 --output cats.png
    python -m wcgan_tf.sample --model saved_models/cifar10 --num 100000 --output samples --format folder
    python -m wcgan_tf.sample --labels 3,8 --num 24 --interpolate 1 --output three.gif

Image i of a label depends on (label, seed, i) alone: the first ten are the same for any --num.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from wcgan_tf import cli
from wcgan_tf.combined.manifest import Manifest, find_saved_model
from wcgan_tf.core import files, records
from wcgan_tf.core.console import ProgressBar
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.labels import number_of_labels, parse_model_labels
from wcgan_tf.core.paths import ModelPaths
from wcgan_tf.core.process import quiet_imports

if TYPE_CHECKING:
    from wcgan_tf.combined.pictures import Batches
    from wcgan_tf.combined.sampler import Sampler

ENDINGS = {"png": ".png", "npz": ".npz", "gif": ".gif", "folder": ""}


def define_flags() -> None:
    cli.define_common_flags(model=True)
    flags.DEFINE_string("labels", "", "The labels, such as 0-9,12,cat; all that the model has if not given.")
    flags.DEFINE_integer("num", 16, "Images of each label.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Other seeds make other images.", lower_bound=0, upper_bound=cli.HIGHEST_SEED)
    flags.DEFINE_string("output", None, "The file or folder to write; samples.png, .npz, .gif or samples if not given.")
    flags.DEFINE_enum(
        "format",
        None,
        list(ENDINGS),
        "A labelled grid, arrays, an animation, or PNGs; as --output ends if not given.",
    )
    flags.DEFINE_integer(
        "interpolate",
        None,
        "Instead, --num images on the way from --seed to this seed: a strip, or a GIF.",
        lower_bound=0,
        upper_bound=cli.HIGHEST_SEED,
    )
    flags.DEFINE_float("truncation", None, "Keep latents in -t..t: the smaller, the more typical.", lower_bound=1e-3)
    flags.DEFINE_bool("overwrite", False, "Replace an output that is there.")


def main() -> None:
    kind, output = _output()
    if cli.FLAGS.truncation is not None and math.isnan(cli.FLAGS.truncation):
        raise UserError("--truncation is no number; type --truncation=1.5, say")
    if output.exists() and not cli.FLAGS.overwrite:
        raise UserError(f"{output} is there already; type --overwrite to replace it, or another --output")
    if kind == "folder":
        files.refuse_to_replace(output, ["[0-9][0-9][0-9][0-9][0-9]-*"])
    elif output.is_dir():
        raise UserError(f"{output} is a folder; name another --output")
    saved_model = find_saved_model(cli.model_paths().folder)
    if known := records.read_if_whole(ModelPaths(saved_model.parent).manifest, Manifest):
        # A wrong label is reported early; what is to be said is said below.
        parse_model_labels(cli.FLAGS.labels, known.names, list(known.entries), lambda _: None)
    with quiet_imports():
        from wcgan_tf.combined import pictures, sampler

    model = sampler.load(saved_model)
    labels = parse_model_labels(cli.FLAGS.labels, model.manifest.names, list(model.labels))
    chosen = {label: model.labels[label] for label in labels}
    number = cli.FLAGS.num
    if kind == "png" and pictures.grid_rows(len(chosen), number) > pictures.MOST_ROWS:
        raise UserError(
            f"{len(chosen)} labels of {number} images are too many for a picture, which has up to "
            f"{pictures.MOST_ROWS} rows of {pictures.COLUMNS}; type --format=folder or npz"
        )
    write = {"png": pictures.grid, "npz": pictures.arrays, "gif": pictures.animation, "folder": pictures.folder}[kind]
    with files.publish(output, durable=False) as path, ProgressBar("drawing", len(chosen) * number) as bar:
        write(chosen, number, _batches(model, bar), path)
    print(
        f"{len(chosen) * number} images of {number_of_labels(len(chosen))} in {output}{'/' if kind == 'folder' else ''}"
    )


def _output() -> tuple[str, Path]:
    """The format and the path, from --format and --output; a missing one is derived from the other."""
    kind, output = cli.FLAGS.format, cli.FLAGS.output
    ending = Path(output or "").suffix.lower()
    if output and kind is None:
        kind = next((kind for kind, own in ENDINGS.items() if own == ending), None)
        if kind is None:
            raise UserError(f"--output={output} ends in {ending}; type --format=png, npz, gif or folder")
    elif output and kind != "folder" and ending != ENDINGS[kind]:
        raise UserError(f"--output={output} does not end in {ENDINGS[kind]}; that is what --format={kind} writes")
    kind = kind or "png"
    if kind == "gif" and cli.FLAGS.interpolate is None:
        raise UserError("a GIF shows the way from one seed to another; add --interpolate=1")
    return kind, Path(output or f"samples{ENDINGS[kind]}")


def _batches(model: "Sampler", bar: ProgressBar) -> "Batches":
    """A function: label -> its images in batches, counted by the bar."""
    seed, end, number, bound = cli.FLAGS.seed, cli.FLAGS.interpolate, cli.FLAGS.num, cli.FLAGS.truncation

    def batches(label: int) -> Iterator[np.ndarray]:
        drawn = model.draw(label, number, seed, bound)
        for images in drawn if end is None else model.interpolate(label, (seed, end), number, bound):
            yield images
            bar.add(len(images))

    return batches


if __name__ == "__main__":
    cli.run(main, define_flags)
