"""Score a combined model: its images, and beside them real ones in their place, against real ones of a split.

    python -m wcgan_tf.evaluate
    python -m wcgan_tf.evaluate --config configs/cifar10.py --model saved_models/cifar10 --num_per_label 1000
    python -m wcgan_tf.evaluate --config configs/cifar10.py --classifier inception
    python -m wcgan_tf.evaluate --config configs/cifar10.py --labels cat,dog --output cats_and_dogs.json

Prints tables, and writes scores.json and TensorBoard's scalars into the folder of the run.
"""

from pathlib import Path

import rich.box
import rich.console
import rich.markup
import rich.table
from absl import flags

from wcgan_tf import cli
from wcgan_tf.combined import manifest as manifests
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import RunPaths

LABELS_SHOWN = 10
SHOWN = ("precision", "recall", "coverage", "nearest_train")  # of each label, beside the kernel distance
NAME_LETTERS = 16


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_string(
        "classifier", None, "domain, inception, or the path of a SavedModel that makes logits and pool_3."
    )
    flags.DEFINE_integer("num_per_label", None, "Images of each label; evaluate.num_per_label where not given.", 10)
    flags.DEFINE_string("labels", "", "Only these labels, such as 0-9,12,cat; all that the model has where not given.")
    flags.DEFINE_bool(
        "accuracy",
        None,
        "Also the classification accuracy score, for which it trains a classifier; evaluate.accuracy where not given.",
    )
    flags.DEFINE_string("output", None, "The file to write; <workdir>/scores.json where not given.")


def main() -> None:
    config, prepare, combine = cli.FLAGS.config, cli.command("prepare"), cli.command("combine", *cli.folders())
    manifests.saved_model(cli.model_folder(), combine)  # a mistyped one is said at once
    output = _output()
    with cli.quiet_imports():
        from wcgan_tf.combined import sampler
        from wcgan_tf.evaluation import classifiers
        from wcgan_tf.evaluation import evaluator as evaluation

    model = sampler.load(cli.model_folder(), combine)
    model.refuse_other(config.dataset)
    labels = manifests.chosen_labels(cli.FLAGS.labels, model.names, list(model.labels))
    classifier = classifiers.load(
        cli.FLAGS.classifier or config.evaluate.classifier, config.dataset, prepare, say=print
    )
    if classifier.own_labels and config.evaluate.split == "train":
        raise UserError("the domain classifier was trained on the split `train`; type --config.evaluate.split=test")
    result = evaluation.Evaluation(
        model,
        classifier,
        config.dataset,
        labels,
        config.evaluate.split,
        cli.FLAGS.num_per_label or config.evaluate.num_per_label,
        config.evaluate.seed,
        prepare,
        print,
        config.evaluate.accuracy if cli.FLAGS.accuracy is None else cli.FLAGS.accuracy,
    ).run()
    _show(result)  # first, so that it is seen whatever becomes of the files
    evaluation.write_tensorboard(result, RunPaths(cli.workdir()).tensorboard)
    files.write_json(output, result)
    print(f"written to {output}")


def _output() -> Path:
    """Where the scores go; what cannot be written to is said before the work."""
    output = Path(cli.FLAGS.output) if cli.FLAGS.output else RunPaths(cli.workdir()).scores
    if output.is_dir():
        raise UserError(f"{output} is a folder; name a file with --output")
    output.parent.mkdir(parents=True, exist_ok=True)
    return output


def _show(result: dict) -> None:
    images = result["images"]
    title = f"{len(result['labels'])} labels against {images['reference']} real {result['split']} images"
    _table(title, [f"{images['generated']} generated", f"{images['real']} real (floor)"], _rows(result["scores"]))
    alone = f"mean of {result['num_per_label']} images of each label alone"
    _table(alone, ["generated", "real (floor)"], _rows(result["means"]))
    if result["few"]:
        print("fewer than 2,048 images: a Frechet distance is more bias than distance; go by the kernel distance")
    _show_worst(result["by_label"])
    classifier, cost = result["classifier"], result["cost"]
    known = f", accuracy {classifier['accuracy']:.3f} on real ones" if "accuracy" in classifier else ""
    print(f"classifier: {classifier['name']} {classifier['digest']}, resize {classifier['resize']}{known}")
    print(f"model {result['model']}, seed {result['seed']}")
    hours = [f"{value:.3f} {kind.replace('_', '-')}" for kind, value in cost.items() if value]
    print(f"the training of the generators took {' and '.join(hours)}")
    print(f"seconds: {', '.join(f'{part} {seconds:.1f}' for part, seconds in result['seconds'].items())}")


def _rows(scores: dict[str, dict[str, float]]) -> list[list[str]]:
    """Each score with its deviation, generated and real."""
    names = [name for name in scores["generated"] if not name.endswith("_deviation")]
    return [[name, *(_value(own, name) for own in scores.values())] for name in names]


def _value(scores: dict[str, float], name: str) -> str:
    if name not in scores:
        return ""
    deviation = scores.get(f"{name}_deviation")
    return f"{scores[name]:.4g}" + (f" +- {deviation:.2g}" if deviation is not None else "")


def _show_worst(by_label: dict[str, dict]) -> None:
    """The labels alone, the worst first."""
    kernel = next(name for name in ("kid", "kcd") if name in next(iter(by_label.values()))["scores"])
    worst = sorted(by_label.items(), key=lambda item: -item[1]["scores"][kernel])[:LABELS_SHOWN]
    shown = [kernel, *SHOWN]
    rows = [
        [f"{label} {own['name']}"[:NAME_LETTERS], *(_value(own["scores"], name) for name in shown)]
        for label, own in worst
    ]
    _table(f"each label alone, the worst {kernel} first", shown, rows)


def _table(title: str, headings: list[str], rows: list[list[str]]) -> None:
    table = rich.table.Table(title=title, title_justify="left", box=rich.box.SIMPLE)
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*map(rich.markup.escape, row))
    rich.console.Console().print(table)


if __name__ == "__main__":
    cli.run(main, define_flags)
