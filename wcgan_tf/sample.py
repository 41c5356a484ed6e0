"""Draw images of any labels from a combined model.

    python -m wcgan_tf.sample
    python -m wcgan_tf.sample --model saved_models/cifar10 --labels cat,dog --num 64 --seed 1 --output cats.png
    python -m wcgan_tf.sample --model saved_models/cifar10 --num 100000 --output samples --format folder
    python -m wcgan_tf.sample --labels 3,8 --num 24 --interpolate 1 --output three.gif

Image i of a label depends on (label, seed, i) alone: the first ten are the same whatever --num is.
"""

import math
from pathlib import Path

from absl import flags

from wcgan_tf import cli
from wcgan_tf.combined import manifest as manifests
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.progress import Count

HIGHEST_SEED = 2**63 - 1  # of an int64
ENDINGS = {"png": ".png", "npz": ".npz", "gif": ".gif", "folder": ""}


def define_flags() -> None:
    cli.define_common_flags(model=True)
    flags.DEFINE_string("labels", "", "The labels, such as 0-9,12,cat; all that the model has where not given.")
    flags.DEFINE_integer("num", 16, "Images of each label.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Other seeds make other images.", lower_bound=0, upper_bound=HIGHEST_SEED)
    flags.DEFINE_string(
        "output", None, "The file or folder to write; samples.png, .npz, .gif or samples where not given."
    )
    flags.DEFINE_enum(
        "format",
        None,
        list(ENDINGS),
        "A labelled grid, arrays, an animation, or PNGs; as --output ends where not given.",
    )
    flags.DEFINE_integer(
        "interpolate",
        None,
        "Instead, --num images on the way from --seed to this seed: a strip, or a GIF.",
        lower_bound=0,
        upper_bound=HIGHEST_SEED,
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
    combine = cli.command("combine", *cli.folders())
    if known := manifests.labels_beside(manifests.saved_model(cli.model_folder(), combine)):
        manifests.chosen_labels(cli.FLAGS.labels, *known)  # a mistyped one is said at once
    with cli.quiet_imports():
        from wcgan_tf.combined import outputs, sampler

    model = sampler.load(cli.model_folder(), combine)
    labels = manifests.chosen_labels(cli.FLAGS.labels, model.names, list(model.labels))
    chosen = {label: model.names[label] for label in labels}
    number = cli.FLAGS.num
    if kind == "png" and outputs.grid_rows(len(chosen), number) > outputs.MOST_ROWS:
        raise UserError(
            f"{len(chosen)} labels of {number} images are too many for a picture, which has up to "
            f"{outputs.MOST_ROWS} rows of {outputs.COLUMNS}; type --format=folder or npz"
        )
    write = {"png": outputs.grid, "npz": outputs.arrays, "gif": outputs.animation, "folder": outputs.folder}[kind]
    with files.publish(output) as path, Count("drawing", len(chosen) * number) as count:
        write(chosen, number, _counted(_batches(model), count), path)
    of = "1 label" if len(chosen) == 1 else f"{len(chosen)} labels"
    print(f"{len(chosen) * number} images of {of} in {output}{'/' if kind == 'folder' else ''}")


def _output() -> tuple[str, Path]:
    """What to write, and where to: --format and --output, each told from the other where it is not given."""
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


def _batches(model):
    """label -> its images in batches."""
    seed, number, bound = cli.FLAGS.seed, cli.FLAGS.num, cli.FLAGS.truncation
    if cli.FLAGS.interpolate is None:
        return lambda label: model.draw(label, number, seed, bound)
    return lambda label: model.between(label, (seed, cli.FLAGS.interpolate), number, bound)


def _counted(batches, count: Count):
    """The same batches; says how many images have come."""
    done = 0

    def counted(label):
        nonlocal done
        for images in batches(label):
            yield images
            done += len(images)
            count.to(done)

    return counted


if __name__ == "__main__":
    cli.run(main, define_flags)
