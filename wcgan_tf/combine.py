"""Combine the generators of all labels into one conditional model.

    python -m wcgan_tf.combine
    python -m wcgan_tf.combine --workdir runs/cifar10 --output saved_models/cifar10
    python -m wcgan_tf.combine --config cifar10 --partial        # only the trained labels
    python -m wcgan_tf.combine --config cifar10 --replace 7      # update label 7, keep the others

Writes <output>/1/, a SavedModel that TensorFlow loads without this package, and manifest.json beside it.
"""

from typing import TYPE_CHECKING

import msgspec
from absl import flags

import wcgan_tf
from wcgan_tf import cli
from wcgan_tf.combined.manifest import LabelEntry, Manifest, PretrainingEntry
from wcgan_tf.config import Model
from wcgan_tf.core import files, folder_lock, records, unfinished
from wcgan_tf.core.console import ProgressBar, print_now
from wcgan_tf.core.errors import Command, DamagedError, UserError
from wcgan_tf.core.labels import format_labels, number_of_labels, parse_labels
from wcgan_tf.core.paths import ModelPaths, RunPaths, graph
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import prepared
from wcgan_tf.runs import label_status, recorded_settings
from wcgan_tf.runs.label_status import UNKNOWN, LabelStatus, Trained
from wcgan_tf.runs.recorded_settings import RecordedSettings
from wcgan_tf.runs.score_report import EVALUATE, LabelScores, ScoreReport

if TYPE_CHECKING:
    from wcgan_tf.combined.model import ConditionalModel


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_alias("output", "model")
    flags.DEFINE_string("labels", "", "Only these labels, such as 0-9,12,cat; all if not given.")
    flags.DEFINE_bool("partial", False, "Combine what is trained, even if labels are missing.")
    flags.DEFINE_string("replace", "", "Take these labels from the run, and all others from the model that is there.")
    flags.DEFINE_bool("overwrite", False, "Replace a model that is there.")


def main() -> None:
    output = cli.model_paths()
    recorded_settings.refuse_missing_images(cli.run_paths(), cli.config().dataset)
    waiting = f"another process writes {output.folder}; waiting for it"
    with folder_lock.lock_beside(output.folder, print_now, waiting):
        unfinished.clear(output.folder.parent)
        _refuse_to_replace(output, cli.FLAGS.replace.strip())
        _combine(cli.run_paths(), output, cli.FLAGS.replace.strip())


def _combine(run: RunPaths, output: ModelPaths, replace: str) -> None:
    names = prepared.label_names(cli.config().dataset)
    wanted = parse_labels(replace or cli.FLAGS.labels, names)
    labels = _trained(run, wanted, names, partial=cli.FLAGS.partial)
    labels, settings = _same_settings(run, labels)
    before = _before(output, names, settings) if replace else []
    kept = [entry for entry in before if entry.label not in labels]
    scores = records.read(run.scores, ScoreReport, EVALUATE).by_label if run.scores.exists() else {}
    while True:
        model = _empty(settings, [*labels, *(entry.label for entry in kept)], len(names))
        if kept:
            model.copy_weights(output.saved_model, [entry.label for entry in before], [entry.label for entry in kept])
        made, damaged = _fill(model, run, labels, names, scores)
        if not damaged:
            break
        labels = _without(damaged, labels)
    entries = sorted([*made, *kept], key=lambda entry: entry.label)
    manifest = _manifest(settings, names, entries, label_status.read(run.pretraining.status))
    with files.publish(output.folder) as path:
        aside = ModelPaths(path)
        model.save(manifest, aside.saved_model)
        size, digest = files.size(aside.saved_model), files.digest_file(graph(aside.saved_model))
        records.write(aside.manifest, msgspec.structs.replace(manifest, bytes=size, graph_digest=digest))
    number = f"{len(manifest.labels)} of {number_of_labels(len(names))}"
    if early := [label for label in labels if label_status.read(run.label(label).status).state != "done"]:
        print(f"labels that have not spent their budget: {format_labels(early)}")
    if not replace:
        print(f"combined {number} into {output.folder}")
        return
    print(f"put {format_labels(labels)} into {output.folder}, which has {number}")
    digests = {(entry.label, entry.weights_digest) for entry in before}
    if same := [entry.label for entry in made if (entry.label, entry.weights_digest) in digests]:
        print(f"{format_labels(same)} had these very weights before")


def _empty(settings: RecordedSettings, labels: list[int], num_labels: int) -> "ConditionalModel":
    """A model of these labels, whose weights are still 0."""
    with quiet_imports():
        from wcgan_tf.combined.model import ConditionalModel

    _, side, _, channels = settings.images.shape
    return ConditionalModel(Model(**settings.model), labels, num_labels, side, channels)


def _fill(
    model: "ConditionalModel", run: RunPaths, labels: list[int], names: list[str], scores: dict[int, LabelScores]
) -> tuple[list[LabelEntry], dict[int, DamagedError]]:
    """Copy the labels' weights into the model; returns their entries, and what is wrong with damaged labels."""
    made, damaged = [], {}
    with ProgressBar("reading the generators", len(labels)) as bar:
        for label in labels:
            try:
                made.append(_add(model, run, label, names[label], scores))
            except DamagedError as error:
                damaged[label] = error
            bar.add(1)
    return made, damaged


def _without(damaged: dict[int, DamagedError], labels: list[int]) -> list[int]:
    """The labels that are not damaged, if they are enough for --partial; says which are left out.

    Raises:
        UserError: otherwise, naming the damaged ones.
    """
    intact = [label for label in labels if label not in damaged]
    if cli.FLAGS.partial and intact:
        for label, error in damaged.items():
            print(f"left out: label {label}: {cli.describe(error)}")
        return intact
    first = next(iter(damaged.values()))
    more = f"labels {format_labels(list(damaged))} cannot be taken; the first: " if len(damaged) > 1 else ""
    way_out = ", or leave out what cannot be taken with --partial" if intact and not cli.FLAGS.replace else ""
    raise UserError(more, *first.parts, way_out)


def _refuse_to_replace(output: ModelPaths, replace: str) -> None:
    """Refuse contradictory flags, and an existing model that must not be replaced."""
    if replace and (cli.FLAGS.labels or cli.FLAGS.partial):
        raise UserError("--replace keeps all other labels of the model; leave out --labels and --partial")
    files.refuse_to_replace(output.folder, [output.manifest.name, output.saved_model.name, *folder_lock.OWN])
    if output.folder.exists() and not cli.FLAGS.overwrite and not replace:
        raise UserError(
            f"{output.folder} is there already; type --overwrite to replace it, or --replace=7 for one label"
        )


def _trained(run: RunPaths, wanted: list[int], names: list[str], *, partial: bool) -> list[int]:
    """The wanted labels that have a generator.

    Raises:
        UserError: if some have none and `partial` is not set, or if none has one.
    """
    trained = [label for label in wanted if run.label(label).generator.is_dir()]
    if missing := [label for label in wanted if label not in trained]:
        launch = Command("launch", f"--labels={format_labels(missing)}")
        some = ", ".join(f"{label} ({names[label]})" for label in missing[:10])
        if not run.folder.is_dir():
            raise UserError(f"there is no run in {run.folder}; name its --workdir, or run: ", launch)
        if len(missing) == len(names):
            raise UserError(f"no label of {run.folder} is trained; run: ", launch)
        if not trained or not partial:
            are = f"{number_of_labels(len(missing))} {'is' if len(missing) == 1 else 'are'}"
            raise UserError(
                f"{are} not trained in {run.folder}: {some}{', ...' if len(missing) > 10 else ''}; run: ",
                launch,
                ", or leave them out with --partial" if trained else "",
            )
    return trained


def _same_settings(run: RunPaths, labels: list[int]) -> tuple[list[int], RecordedSettings]:
    """The labels whose settings are whole, and those settings, which are the same for all.

    Raises:
        UserError: if they differ, naming the settings; or if some are damaged, without --partial.
    """
    known, damaged = {}, {}
    for label in labels:
        try:
            known[label] = recorded_settings.read(run.label(label))
        except DamagedError as error:
            damaged[label] = error
    if damaged:
        labels = _without(damaged, labels)
    first = known[labels[0]]
    for label in labels[1:]:
        if differing := recorded_settings.differences(first.sections(), known[label].sections()):
            raise UserError(
                f"label {label} was trained otherwise than label {labels[0]}: {', '.join(differing)}; "
                "train them in work directories of their own"
            )
    return labels, first


def _before(output: ModelPaths, names: list[str], settings: RecordedSettings) -> list[LabelEntry]:
    """The entries of the existing model, whose other labels are kept.

    Raises:
        UserError: if there is none, or if its label names or its settings differ.
    """
    before = records.read(output.manifest, Manifest, Command("combine", "--overwrite"))
    differing = recorded_settings.differences(before.settings, settings.sections())
    if before.names != names:
        differing.append("other labels")
    if differing:
        raise UserError(f"{output.folder} was trained otherwise than {cli.run_paths().folder}: {', '.join(differing)}")
    return before.labels


def _add(model: "ConditionalModel", run: RunPaths, label: int, name: str, scores: dict[int, LabelScores]) -> LabelEntry:
    """Copy a label's weights into the model; returns its entry in the manifest."""
    from wcgan_tf.models.generator_export import read_weights, weights_digest

    train, paths = Command("train", f"--label={label}"), run.label(label)
    weights = read_weights(paths.generator, train)
    if not model.has_room_for(weights):
        raise DamagedError(
            f"{paths.generator} is of other networks than {paths.config} tells; delete it and run: ", train
        )
    model.set_weights(label, weights)
    if paths.trained.exists():
        made = records.read(paths.trained, Trained, train)
    else:
        made = Trained.of(records.read(paths.status, LabelStatus, train))
    digest = weights_digest(weights)
    if made.label not in (UNKNOWN, label) or made.weights_digest not in ("", digest):
        raise DamagedError(
            f"{paths.generator} has weights of another training; delete it, or the link to it, and run: ", train
        )
    recorded_settings.refuse_other_images(paths, cli.config().dataset, label)
    own = scores.get(label)
    return LabelEntry(
        label=label,
        name=name,
        step=made.step,
        seconds=made.seconds,
        best_step=made.best_step,
        device=made.device,
        threads=made.threads,
        settings_digest=files.digest_json(recorded_settings.model_settings(recorded_settings.read(paths).sections())),
        weights_digest=digest,
        scores=own.scores if own and own.weights_digest == digest else {},
    )


def _manifest(
    settings: RecordedSettings, names: list[str], labels: list[LabelEntry], pretraining: LabelStatus
) -> Manifest:
    import tensorflow as tf

    _, side, _, channels = settings.images.shape
    return Manifest(
        dataset=settings.dataset["name"],
        num_labels=len(names),
        names=names,
        resolution=side,
        channels=channels,
        latent_size=settings.model["latent_size"],
        settings=recorded_settings.model_settings(settings.sections()),
        versions={"wcgan_tf": wcgan_tf.__version__, "tensorflow": tf.__version__},
        labels=labels,
        pretraining=(
            PretrainingEntry(pretraining.step, pretraining.seconds, pretraining.device, pretraining.threads)
            if settings.train.get("pretraining") and pretraining.state == "done"
            else None
        ),
    )


if __name__ == "__main__":
    cli.run(main, define_flags)
