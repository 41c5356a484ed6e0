"""Make one conditional model of all labels' generators.

    python -m wcgan_tf.combine
    python -m wcgan_tf.combine --config configs/cifar10.py --partial        # of those labels that are trained

Writes saved_models/<name>/1/, a SavedModel that TensorFlow loads without this package, and manifest.json beside it.
"""

from pathlib import Path

import ml_collections
from absl import flags

import wcgan_tf
from wcgan_tf import cli, files
from wcgan_tf.errors import UserError
from wcgan_tf.paths import LabelPaths, ModelPaths, RunPaths

SETTINGS = ("dataset", "model", "train", "images")
RECORDED = ("label", "name", "step", "seconds", "device", "threads")  # of each label's status, in the manifest


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_bool("partial", False, "Combine what is trained, even where labels are missing.")
    flags.DEFINE_bool("overwrite", False, "Replace a model that is there.")


def main() -> None:
    with cli.quiet_imports():
        import tensorflow as tf

        from wcgan_tf import claims, conditional, datasets, export

    run, output = RunPaths(cli.workdir()), ModelPaths(cli.model_folder())
    train = cli.command("train", f"--workdir={run.folder}", "--label=")
    if output.manifest.exists() and not cli.FLAGS.overwrite:
        raise UserError(f"{output.folder} holds a model already; type --overwrite to replace it")

    names = datasets.label_names(cli.FLAGS.config.dataset, cli.command("prepare"))
    trained = {label: run.label(label) for label in range(len(names)) if run.label(label).generator.is_dir()}
    _refuse_missing(trained, names, run.folder)
    settings = {label: files.read_json(paths.config, train + str(label), SETTINGS) for label, paths in trained.items()}
    first = settings[min(settings)]
    for label, own in settings.items():
        if differing := claims.differences(first, own):
            raise UserError(
                f"label {label} was trained otherwise than label {min(settings)}: {', '.join(differing)}; "
                "train them in work directories of their own"
            )

    weights = {label: export.read_weights(paths.generator, train + str(label)) for label, paths in trained.items()}
    _, side, _, channels = first["images"]["shape"]
    module, signatures = conditional.build(
        ml_collections.ConfigDict(first["model"]), weights, len(names), resolution=side, channels=channels
    )
    output.manifest.unlink(missing_ok=True)  # it comes last: a model without one is not there yet
    export.save(module, signatures, output.saved_model)
    files.write_json(
        output.manifest,
        {
            "dataset": first["dataset"]["name"],
            "num_labels": len(names),
            "resolution": side,
            "channels": channels,
            "latent_size": first["model"]["latent_size"],
            "model": first["model"],
            "versions": {"wcgan_tf": wcgan_tf.__version__, "tensorflow": tf.__version__},
            "labels": [_record(paths, train + str(label)) for label, paths in trained.items()],
        },
    )
    print(f"combined {len(trained)} of {len(names)} labels into {output.folder}")


def _refuse_missing(trained: dict[int, LabelPaths], names: list[str], workdir: Path) -> None:
    launch = cli.command("launch", f"--workdir={workdir}")
    missing = [label for label in range(len(names)) if label not in trained]
    if not trained:
        raise UserError(f"no label of {workdir} is trained; run: {launch}")
    if missing and not cli.FLAGS.partial:
        some = ", ".join(f"{label} ({names[label]})" for label in missing[:10])
        raise UserError(
            f"{len(missing)} labels are not trained in {workdir}: {some}{', ...' if len(missing) > 10 else ''}; "
            f"run: {launch}, or leave them out with --partial"
        )


def _record(paths: LabelPaths, hint: str) -> dict:
    status = files.read_json(paths.status, hint, RECORDED)
    return {key: status[key] for key in RECORDED}


if __name__ == "__main__":
    cli.run(main, define_flags)
