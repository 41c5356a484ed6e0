"""Score a combined model: its images, and beside them real ones in their place, against the real test images.

    python -m wcgan_tf.evaluate
    python -m wcgan_tf.evaluate --config configs/cifar10.py --model saved_models/cifar10

Prints a table and writes scores.json into the folder of the run.
"""

import numpy as np
import rich.console
import rich.table

from wcgan_tf import cli, files
from wcgan_tf.paths import RunPaths


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)


def main() -> None:
    with cli.quiet_imports():
        from wcgan_tf import classifiers, datasets, metrics, sampler

    config, prepare = cli.FLAGS.config, cli.command("prepare")
    model = sampler.load(cli.model_folder(), cli.command("combine", *cli.folders()))
    model.refuse_other(config.dataset.name)
    everything = list(range(len(datasets.label_names(config.dataset, prepare))))
    train, held_out = classifiers.without_held_out(
        classifiers.real_images(config.dataset, "train", everything, prepare)
    )
    test = classifiers.real_images(config.dataset, "test", everything, prepare)
    classifier = classifiers.CLASSIFIERS[config.evaluate.classifier](config.dataset, train, test, print)

    labels, number = list(model.labels), config.evaluate.num_per_label
    samples = {
        "generated": _generated(model, labels, number, config.evaluate.seed),
        "real": _some_of_each(held_out, labels, number, config.evaluate.seed),
        "reference": _some_of_each(test, labels, None, config.evaluate.seed),
    }
    seen = {name: metrics.Seen(*classifier(images), own) for name, (images, own) in samples.items()}
    result = {
        "scores": {name: metrics.scores(seen[name], seen["reference"]) for name in ("generated", "real")},
        "images": {name: len(images) for name, (images, _) in samples.items()},
        "labels": labels,
        "by_label": _by_label(model, seen["generated"]),
        "num_per_label": number,
        "seed": config.evaluate.seed,
        "classifier": {"name": classifier.name, "digest": classifier.digest, "accuracy": classifier.accuracy},
        "cost": _cost(model.manifest["labels"]),
    }
    files.write_json(RunPaths(cli.workdir()).scores, result)
    _show(result)
    print(f"written to {RunPaths(cli.workdir()).scores}")


def _generated(model, labels: list[int], number: int, seed: int):
    images = np.concatenate([batch for label in labels for batch in model.draw(label, number, seed)])
    return images, np.repeat(labels, number)


def _some_of_each(real, labels: list[int], number: int | None, seed: int):
    """`number` real images of each label without repetition, or all where there are fewer."""
    random = np.random.default_rng(seed)
    chosen = np.concatenate([random.permutation(np.flatnonzero(real.labels == label))[:number] for label in labels])
    return real.images[chosen], real.labels[chosen]


def _by_label(model, seen) -> dict[str, dict]:
    """Of each label alone: the share of its images that the classifier recognises, and the weights that made them."""
    right = seen.logits.argmax(axis=1) == seen.labels
    return {
        str(record["label"]): {
            "scores": {"recognised": float(right[seen.labels == record["label"]].mean())},
            "weights_digest": record["weights_digest"],
        }
        for record in model.manifest["labels"]
    }


def _cost(labels: list[dict]) -> dict[str, float]:
    """What the training took: core-hours of the labels that ran on a CPU, GPU-hours of the others."""
    on_gpu = [label["seconds"] for label in labels if label["device"].startswith("GPU")]
    on_cpu = [label["seconds"] * label["threads"] for label in labels if not label["device"].startswith("GPU")]
    return {"core_hours": sum(on_cpu) / 3600, "gpu_hours": sum(on_gpu) / 3600}


def _show(result: dict) -> None:
    images, classifier, cost = result["images"], result["classifier"], result["cost"]
    table = rich.table.Table(title=f"{len(result['labels'])} labels against {images['reference']} real test images")
    for heading in ("", f"{images['generated']} generated", f"{images['real']} real (floor)"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, value in result["scores"]["generated"].items():
        table.add_row(name, f"{value:.3f}", f"{result['scores']['real'][name]:.3f}")
    hours = [f"{value:.3f} {kind.replace('_', '-')}" for kind, value in cost.items() if value]
    rich.console.Console().print(table)
    print(
        f"classifier: {classifier['name']} {classifier['digest']}, accuracy {classifier['accuracy']:.3f} on real ones"
    )
    print(f"the training of the generators took {' and '.join(hours)}")


if __name__ == "__main__":
    cli.run(main, define_flags)
