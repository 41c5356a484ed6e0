"""Train several methods on the same labels for the same time, on one core each, and score them.

    python -m wcgan_tf.prepare --config configs/cifar10.py --classifier domain
    python benchmarks/fixed_budget.py --config configs/cifar10.py --seconds_per_label 180 --labels cat,dog,automobile
    python benchmarks/fixed_budget.py --methods ours,dcgan --width 64 --folder runs/fixed_budget_64

Unknown arguments, such as --config.dataset.data_dir=..., go to every program.  A second run does only what is missing.
Writes into --folder a run and a model of each method, table.md, grids.png and curves.png.  To add a method, add a row
to METHODS.
"""

import argparse
import itertools
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wcgan_tf.core.process import quiet_imports
from wcgan_tf.reporting.run_overview import changed

CONFIGS = Path(__file__).parent.parent / "configs"


def difference(config: str, base: str) -> dict[str, object]:
    """The settings of one config file that differ from another's: dotted name -> value."""
    own, others = (runpy.run_path(str(CONFIGS / name))["get_config"]().to_dict() for name in (config, base))
    return changed(own, others)


METHODS: dict[str, dict] = {  # what differs from the config file
    "ours": {},
    "dcgan": difference("cifar10_dcgan.py", "cifar10.py"),  # Radford et al. 2016, arXiv 1511.06434
    "wgan_gp": {  # Gulrajani et al. 2017, arXiv 1704.00028, algorithm 1
        "model.batch_deviation": "false",
        "train.critic_steps": 5,
        "train.gp_weight": 10.0,
        "train.gp_every": 1,
        "train.batch_size": 64,
        "train.generator_learning_rate": 1e-4,
        "train.critic_learning_rate": 1e-4,
        "train.learning_rate_decay": "linear",
        "train.ema_decay": 0.0,
    },
}
SCORES = (
    "classifier_score",
    "kernel_distance",
    "frechet_distance",
    "precision",
    "recall",
    "density",
    "coverage",
    "recognised",
    "accuracy",
)
CURVE_POINTS = 12
COLUMNS = 8
STYLES = ("-", "--", ":", "-.")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--config", default="configs/cifar10.py")
    arguments.add_argument("--seconds_per_label", type=float, default=180.0)
    arguments.add_argument("--methods", default=",".join(METHODS))
    arguments.add_argument("--labels", default="")
    arguments.add_argument("--width", type=int, help="of all methods' networks; the config file's if not given")
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--num_per_label", type=int, default=1000)
    arguments.add_argument("--folder", type=Path, default=Path("runs/fixed_budget"))
    chosen, others = arguments.parse_known_args()
    methods = chosen.methods.split(",")
    if unknown := set(methods) - METHODS.keys():
        sys.exit(f"error: there is no method {min(unknown)}; type some of {','.join(METHODS)}")
    for method in methods:
        train_and_score(method, chosen, others)
    results = {method: json.loads((chosen.folder / f"{method}.json").read_text()) for method in methods}
    table = show(results, chosen.seconds_per_label)
    (chosen.folder / "table.md").write_text(table)
    print(table)
    draw_grids(methods, chosen, others)
    draw_curves(methods, chosen.folder)
    print(f"look at {chosen.folder}/grids.png and {chosen.folder}/curves.png")


def train_and_score(method: str, chosen: argparse.Namespace, others: list[str]) -> None:
    run, model, scores = (chosen.folder / name for name in (method, f"{method}_model", f"{method}.json"))
    settings = {
        **METHODS[method],
        "train.max_seconds": chosen.seconds_per_label,
        "train.eval_seconds": chosen.seconds_per_label / CURVE_POINTS,
        **({"model.width": chosen.width} if chosen.width else {}),
    }
    common = [f"--config={chosen.config}", *others, *(f"--config.{name}={value}" for name, value in settings.items())]
    labels = [f"--labels={chosen.labels}"] if chosen.labels else []
    program("launch", *common, f"--workdir={run}", f"--jobs={chosen.jobs}", *labels)
    if not scores.exists():
        program("combine", *common, f"--workdir={run}", f"--output={model}", "--overwrite", *labels)
        number = f"--num_per_label={chosen.num_per_label}"
        program("evaluate", *common, f"--workdir={run}", f"--model={model}", number, f"--output={scores}")


def program(name: str, *arguments: str) -> None:
    """Run a program of the project; end if it fails."""
    command = [sys.executable, "-m", f"wcgan_tf.{name}", *arguments]
    print("$", " ".join(command[1:]), flush=True)
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)


def show(results: dict[str, dict], seconds: float) -> str:
    """A table in Markdown: each score of each method, and of real images."""
    with quiet_imports():
        from wcgan_tf.evaluation.scores import display_name

    first = next(iter(results.values()))
    together, means = (
        {**{name: result[kind]["generated"] for name, result in results.items()}, "floor": first[kind]["real"]}
        for kind in ("scores", "means")
    )
    names = ", ".join(own["name"] for own in first["by_label"].values())
    rows = [
        f"{names}: {seconds:g} s each, {first['num_per_label']} images of each against {first['images']['reference']} "
        f"real {first['split']} images",
        "",
        "| | " + " | ".join(together) + " |",
        "|---" * (len(together) + 1) + "|",
    ]
    name = lambda score: display_name(score, first["classifier"]["name"])  # noqa: E731
    rows += [_row(name(score), [own.get(score, np.nan) for own in together.values()]) for score in SCORES]
    for score in ("kernel_distance", "frechet_distance", "coverage"):
        rows.append(_row(f"{name(score)}, mean of the labels", [own[score] for own in means.values()]))
    steps = [np.mean([own["step"] for own in result["by_label"].values()]) for result in results.values()]
    return "\n".join([*rows, _row("steps", [*steps, np.nan])]) + "\n"


def _row(title: str, values: list[float]) -> str:
    return f"| {title} | " + " | ".join("" if np.isnan(value) else f"{value:.4g}" for value in values) + " |"


def draw_grids(methods: list[str], chosen: argparse.Namespace, others: list[str]) -> None:
    """Draw images of all methods side by side, a row per label."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_imports():
        from wcgan_tf.combined import pictures, sampler

    models = {method: sampler.load(chosen.folder / f"{method}_model") for method in methods}
    labels = next(iter(models.values())).labels
    sides = {
        method: [np.concatenate(list(model.draw(label, COLUMNS, 0))) for label in labels]
        for method, model in models.items()
    }
    pictures.draw(list(labels.values()), sides, COLUMNS, chosen.folder / "grids.png")


def draw_curves(methods: list[str], folder: Path) -> None:
    """Plot the kernel distance of each label over its training time."""
    figure = Figure(figsize=(8, 4), dpi=120)
    axes = figure.add_subplot()
    for place, method in enumerate(methods):
        for turn, file in enumerate(sorted((folder / method).glob("labels/*/metrics.jsonl"))):
            rows = [json.loads(row) for row in file.read_text().splitlines()]
            points = [
                (row["seconds"], row["kernel_distance"]) for row in rows if row.get("kernel_distance") is not None
            ]
            new = [next(same) for _, same in itertools.groupby(points, key=lambda point: point[1])]
            name = f"{method}, {json.loads((file.parent / 'status.json').read_text())['name']}"
            axes.plot(
                *np.array(new).reshape(-1, 2).T, STYLES[turn % len(STYLES)], marker=".", color=f"C{place}", label=name
            )
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("kcd to held-out real images")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    figure.savefig(folder / "curves.png")


if __name__ == "__main__":
    main()
