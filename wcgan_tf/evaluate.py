"""Score a combined model against real images of a split; other real images, scored alike, give the floor.

    python -m wcgan_tf.evaluate
    python -m wcgan_tf.evaluate --config cifar10 --model saved_models/cifar10 --num_per_label 1000
    python -m wcgan_tf.evaluate --config cifar10 --classifier inception
    python -m wcgan_tf.evaluate --config cifar10 --labels cat,dog --output cats_and_dogs.json

Prints tables, and writes scores.json and TensorBoard scalars to the folder of the run; with --output, that file alone.
"""

from pathlib import Path

import rich.box
import rich.markup
import rich.table
from absl import flags

from wcgan_tf import cli
from wcgan_tf.combined.manifest import find_saved_model
from wcgan_tf.core import files, records, unfinished
from wcgan_tf.core.console import Console
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.labels import parse_model_labels
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.evaluation import enough
from wcgan_tf.evaluation.classifier_files import refuse_unusable
from wcgan_tf.runs import recorded_settings
from wcgan_tf.runs.score_report import RANKED_BY, Beside, ScoreReport, Values, worst_first

LABELS_SHOWN = 10
SHOWN = (RANKED_BY, "precision", "recall", "coverage", "nearest_train")  # scores of each label in the table
NAME_LETTERS = 16


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_string(
        "classifier", None, "domain, inception, or the path of a SavedModel that makes logits and pool_3."
    )
    flags.DEFINE_integer("num_per_label", None, "Images of each label; evaluate.num_per_label if not given.", 10)
    flags.DEFINE_string("labels", "", "Only these labels, such as 0-9,12,cat; all that the model has if not given.")
    flags.DEFINE_bool(
        "accuracy",
        None,
        "Also the classification accuracy score, for which it trains a classifier; evaluate.accuracy if not given.",
    )
    flags.DEFINE_string("output", None, "The file to write; <workdir>/scores.json if not given.")


def main() -> None:
    config = cli.config()
    recorded_settings.refuse_missing_images(cli.run_paths(), config.dataset)
    classifier = cli.FLAGS.classifier or config.evaluate.classifier
    refuse_unusable(classifier, config.dataset, config.evaluate.split)
    find_saved_model(cli.model_paths().folder)  # report a wrong path before the slow imports
    output = Path(cli.FLAGS.output) if cli.FLAGS.output else cli.run_paths().scores
    if output.is_dir():
        raise UserError(f"{output} is a folder; name a file with --output")
    output.parent.mkdir(parents=True, exist_ok=True)  # an error here comes before the work
    for folder in (output.parent, *([] if cli.FLAGS.output else [cli.run_paths().tensorboard])):
        files.refuse_read_only(folder)
    unfinished.clear(output.parent)
    with quiet_imports():
        from wcgan_tf.combined import sampler
        from wcgan_tf.evaluation import classifiers
        from wcgan_tf.evaluation.evaluator import Evaluator, write_tensorboard

    model = sampler.load(cli.model_paths().folder)
    model.refuse_other_dataset(config.dataset)
    chosen = parse_model_labels(cli.FLAGS.labels, model.manifest.names, list(model.labels))
    if small := enough.too_small(config, chosen, classifier):
        if len(small) == len(chosen):
            raise UserError(f"{enough.in_words(config, small, classifier)}; add some")
        print(f"left out: {enough.in_words(config, small, classifier)}")
    report = Evaluator(
        model,
        classifiers.load(classifier, config.dataset, print),
        config.dataset,
        [label for label in chosen if label not in small],
        config.evaluate.split,
        cli.FLAGS.num_per_label or config.evaluate.num_per_label,
        config.evaluate.seed,
        print,
        config.evaluate.accuracy if cli.FLAGS.accuracy is None else cli.FLAGS.accuracy,
    ).run()
    try:
        _show(report)  # first, so that it is shown even if the files cannot be written
    finally:  # and they are written even if it cannot be shown
        if not cli.FLAGS.output:
            write_tensorboard(report, cli.run_paths().tensorboard)
        records.write(output, report)
    print(f"written to {output}")


def _show(report: ScoreReport) -> None:
    images, classifier = report.images, report.classifier
    title = f"{len(report.labels)} labels against {images.reference} real {report.split} images"
    columns = [f"{images.generated} generated", f"{images.real} real (floor)"]
    _table(title, columns, _rows(report.scores, classifier.name))
    alone = f"mean of {report.num_per_label} images of each label alone"
    _table(alone, ["generated", "real (floor)"], _rows(report.means, classifier.name))
    if report.few:
        print("fewer than 2,048 images: a Frechet distance is more bias than distance; go by the kernel distance")
    _show_worst(report)
    known = "" if classifier.accuracy is None else f", accuracy {classifier.accuracy:.3f} on real ones"
    print(f"classifier: {classifier.name} {classifier.digest}, resize {classifier.resize}{known}")
    print(f"model {report.model}, seed {report.seed}")
    hours = {"core-hours": report.cost.core_hours, "gpu-hours": report.cost.gpu_hours}
    took = " and ".join(f"{value:.3f} {kind}" for kind, value in hours.items() if value)
    print(f"the training of the generators took {took}")
    print(f"seconds: {', '.join(f'{part} {seconds:.1f}' for part, seconds in report.seconds.items())}")


def _rows(scores: Beside, classifier: str) -> list[list[str]]:
    """Rows of a table: name, generated value and real value of each score."""
    from wcgan_tf.evaluation.scores import MEANINGS, display_name

    keys = [key for key in MEANINGS if key in scores.generated]
    return [[display_name(key, classifier), _value(scores.generated, key), _value(scores.real, key)] for key in keys]


def _value(scores: Values, key: str) -> str:
    """A score with its deviation as text; empty if it is unknown."""
    value, deviation = scores.get(key), scores.get(f"{key}_deviation")
    if value is None:
        return ""
    return f"{value:.4g}" + (f" +- {deviation:.2g}" if deviation is not None else "")


def _show_worst(report: ScoreReport) -> None:
    """Print the scores of the LABELS_SHOWN worst labels, each alone, the worst first."""
    from wcgan_tf.evaluation.scores import display_name

    ranked = [(label, report.by_label[label]) for label in worst_first(report.by_label)[:LABELS_SHOWN]]
    rows = [
        [f"{label} {own.name}"[:NAME_LETTERS], *(_value(own.scores, key) for key in SHOWN)] for label, own in ranked
    ]
    headings = [display_name(key, report.classifier.name) for key in SHOWN]
    _table(f"each label alone, the worst first, by {headings[0]} above its floor", headings, rows)


def _table(title: str, headings: list[str], rows: list[list[str]]) -> None:
    table = rich.table.Table(title=title, title_justify="left", box=rich.box.SIMPLE)
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*map(rich.markup.escape, row))
    Console().print(table)


if __name__ == "__main__":
    cli.run(main, define_flags)
