"""Make one conditional model of all labels' generators.

    python -m wcgan_tf.combine
    python -m wcgan_tf.combine --workdir runs/cifar10 --output saved_models/cifar10
    python -m wcgan_tf.combine --config configs/cifar10.py --partial        # of those labels that are trained
    python -m wcgan_tf.combine --config configs/cifar10.py --replace 7      # that label anew, the others as they are

Writes <output>/1/, a SavedModel that TensorFlow loads without this package, and manifest.json beside it.
"""

import ml_collections
from absl import flags

import wcgan_tf
from wcgan_tf import cli
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import ModelPaths, RunPaths
from wcgan_tf.core.progress import Count
from wcgan_tf.data import prepared as datasets
from wcgan_tf.runs import settings as claims

RECORDED = ("step", "seconds", "device", "threads")  # of each label's status, in the manifest


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_alias("output", "model")
    flags.DEFINE_string("labels", "", "Only these labels, such as 0-9,12,cat; all where not given.")
    flags.DEFINE_bool("partial", False, "Combine what is trained, even where labels are missing.")
    flags.DEFINE_string("replace", "", "Take these labels from the run, and all others from the model that is there.")
    flags.DEFINE_bool("overwrite", False, "Replace a model that is there.")


def main() -> None:
    run, output = RunPaths(cli.workdir()), ModelPaths(cli.model_folder())
    names = datasets.label_names(cli.FLAGS.config.dataset, cli.command("prepare"))
    replace = cli.FLAGS.replace.strip()
    if replace and (cli.FLAGS.labels or cli.FLAGS.partial):
        raise UserError("--replace keeps all other labels of the model; leave out --labels and --partial")
    files.refuse_to_replace(output.folder, [output.manifest.name, output.saved_model.name])
    if output.folder.exists() and not cli.FLAGS.overwrite and not replace:
        raise UserError(
            f"{output.folder} is there already; type --overwrite to replace it, or --replace=7 for one label"
        )
    wanted = datasets.parse_labels(replace or cli.FLAGS.labels, names)
    labels = _trained(run, wanted, names, partial=cli.FLAGS.partial)
    settings = _same_settings(run, labels)
    with cli.quiet_imports():
        from wcgan_tf.combined import model as conditional

    before = _before(output, names, settings) if replace else {"labels": []}
    kept = {record["label"]: record for record in before["labels"] if record["label"] not in labels}
    model = conditional.Conditional(
        ml_collections.ConfigDict(settings["model"]),
        [*labels, *kept],
        num_labels=len(names),
        resolution=settings["images"]["shape"][1],
        channels=settings["images"]["shape"][3],
    )
    if kept:
        model.take_over(output.saved_model, [record["label"] for record in before["labels"]], list(kept))
    scores = _scores(run)
    digests_before = {record["label"]: record["weights_digest"] for record in before["labels"]}
    with Count("reading the generators", len(labels)) as count:
        made = []
        for done, label in enumerate(labels, 1):
            made.append(_put(model, run, label, names[label], scores))
            count.to(done)
    manifest = _manifest(settings, names, sorted([*made, *kept.values()], key=lambda record: record["label"]))
    with files.publish(output.folder) as path:
        aside = ModelPaths(path)
        model.save(manifest, aside.saved_model)
        files.write_json(aside.manifest, {**manifest, "bytes": files.size(aside.saved_model)})
    number = f"{len(manifest['labels'])} of {len(names)} labels"
    if replace:
        print(f"put {datasets.format_labels(labels)} into {output.folder}, which has {number}")
        same = [record["label"] for record in made if record["weights_digest"] == digests_before.get(record["label"])]
        if same:
            print(f"{datasets.format_labels(same)} had these very weights before")
    else:
        print(f"combined {number} into {output.folder}")


def _trained(run: RunPaths, wanted: list[int], names: list[str], *, partial: bool) -> list[int]:
    """Those of the labels that have a generator; an error where some have none, unless it is to be `partial`."""
    trained = [label for label in wanted if run.label(label).generator.is_dir()]
    if missing := [label for label in wanted if label not in trained]:
        launch = cli.command("launch", f"--workdir={run.folder}", f"--labels={datasets.format_labels(missing)}")
        some = ", ".join(f"{label} ({names[label]})" for label in missing[:10])
        if not run.folder.is_dir():
            raise UserError(f"there is no run in {run.folder}; name its --workdir, or run: {launch}")
        if len(missing) == len(names):
            raise UserError(f"no label of {run.folder} is trained; run: {launch}")
        if not trained or not partial:
            are = "1 label is" if len(missing) == 1 else f"{len(missing)} labels are"
            raise UserError(
                f"{are} not trained in {run.folder}: {some}{', ...' if len(missing) > 10 else ''}; "
                f"run: {launch}{', or leave them out with --partial' if trained else ''}"
            )
    return trained


def _same_settings(run: RunPaths, labels: list[int]) -> dict:
    """The settings that the labels were trained with.

    Raises:
        UserError: where they differ, naming the settings.
    """
    first = claims.trained_with(run.label(labels[0]))
    for label in labels[1:]:
        own = claims.trained_with(run.label(label))
        if differing := claims.differences(first, own):
            raise UserError(
                f"label {label} was trained otherwise than label {labels[0]}: {', '.join(differing)}; "
                "train them in work directories of their own"
            )
    return first


def _before(output: ModelPaths, names: list[str], settings: dict) -> dict:
    """The manifest of the model that is there, if it can keep its other labels.

    Raises:
        UserError: where there is none, or it was made of other labels or with other settings.
    """
    keys = ("names", "settings", "labels")
    before = files.read_json(output.manifest, cli.command("combine", *cli.folders()), keys)
    try:
        differing = claims.differences(before["settings"], settings)
        [(record["label"], record["weights_digest"]) for record in before["labels"]]
    except (TypeError, KeyError, AttributeError):
        raise UserError(f"{output.manifest} is damaged; combine all labels anew, with --overwrite") from None
    if before["names"] != names:
        differing.append("other labels")
    if differing:
        raise UserError(f"{output.folder} was trained otherwise than {cli.workdir()}: {', '.join(differing)}")
    return before


def _put(model, run: RunPaths, label: int, name: str, scores: dict) -> dict:
    """Put a label's generator into the model; returns what is known of it."""
    from wcgan_tf.models import generator_export as export

    hint = cli.command("train", f"--workdir={run.folder}", f"--label={label}")
    paths = run.label(label)
    weights = export.read_weights(paths.generator, hint)
    model.put(label, weights)
    status = files.read_json(paths.status, hint, RECORDED)
    digest = files.digest_json([files.digest(values) for values in weights])
    return {
        "label": label,
        "name": name,
        **{key: status[key] for key in RECORDED},
        **({"best_step": status["best_step"]} if "best_step" in status else {}),
        "settings_digest": files.digest_json(claims.model_settings(claims.trained_with(paths))),
        "weights_digest": digest,
        "scores": scores.get((str(label), digest), {}),
    }


def _scores(run: RunPaths) -> dict[tuple[str, str], dict]:
    """What `evaluate` wrote, if it did: label and digest of the weights -> the scores."""
    if not run.scores.exists():
        return {}
    evaluate = cli.command("evaluate", *cli.folders())
    by_label = files.read_json(run.scores, evaluate, ("by_label",))["by_label"]
    try:
        return {(label, own["weights_digest"]): own["scores"] for label, own in by_label.items()}
    except (TypeError, KeyError, AttributeError):
        raise UserError(f"{run.scores} is damaged; delete it and run: {evaluate}") from None


def _manifest(settings: dict, names: list[str], labels: list[dict]) -> dict:
    import tensorflow as tf

    return {
        "dataset": settings["dataset"]["name"],
        "num_labels": len(names),
        "names": names,
        "resolution": settings["images"]["shape"][1],
        "channels": settings["images"]["shape"][3],
        "latent_size": settings["model"]["latent_size"],
        "settings": claims.model_settings(settings),
        "versions": {"wcgan_tf": wcgan_tf.__version__, "tensorflow": tf.__version__},
        "labels": labels,
    }


if __name__ == "__main__":
    cli.run(main, define_flags)
