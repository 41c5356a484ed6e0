"""Train several methods on the same labels for the same time, on a core each, and score them by several rulers.

    python -m wcgan_tf.prepare --config cifar10 --classifier domain
    python benchmarks/fixed_budget.py --config cifar10 --seconds_per_label 180 --labels automobile,cat,horse --seeds 0,1
    python benchmarks/fixed_budget.py --config cifar10 --seconds_per_label 45,90,180 --methods ours,dcgan
    python benchmarks/fixed_budget.py --config cifar10 --methods ours --variant seldom:train.gp_every=8

Every method trains each label for each budget and seed.  The methods follow each other label by label, so that a
machine that slows down slows all of them.  `single` and `single_2` train one network on all labels of the data set, for
the sum of their budgets in core-seconds, and are scored on the chosen labels.  A pretraining is part of the budget:
with `train.pretraining` = 3 and ten labels, each label has 10/13 of its seconds for itself.  With fewer --labels the
pretraining is still that of all of them: the table has the core-seconds that each method took.

Every classifier is a ruler of its own: `domain` is trained on real images of this data set; `inception`, or a
SavedModel by its path, is not.  A second run does only what is missing.  Writes into --folder all runs and models,
table.md, grids.png and, of several budgets, curves.png.
"""

import copy
import itertools
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

from absl import flags
from same_budget import pictures, tables
from same_budget.methods import METHODS, Method
from same_budget.trainings import Cell, plan, run_all

from wcgan_tf import cli
from wcgan_tf.config import check_name
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.labels import format_labels, parse_labels
from wcgan_tf.core.paths import ModelPaths, RunPaths
from wcgan_tf.data import prepared
from wcgan_tf.evaluation.classifier_files import refuse_unusable
from wcgan_tf.launching import up_to_date

FLAGS = flags.FLAGS
SET_HERE = {  # setting -> the flag of this program that sets it
    "train.max_seconds": "seconds_per_label",
    "train.max_steps": "seconds_per_label",
    "train.seed": "seeds",
}


def define_flags() -> None:
    cli.define_common_flags()
    flags.DEFINE_list("methods", "ours,dcgan,wgan_gp", f"Some of {','.join(METHODS)}.")
    flags.DEFINE_multi_string("variant", [], "A further method, NAME:setting=value,...: the config file with these.")
    flags.DEFINE_list("seconds_per_label", "180", "Budgets; each is a training of its own.")
    flags.DEFINE_list("seeds", "0", "Every method is trained with each of these.")
    flags.DEFINE_string("labels", "", "Only these labels, such as 0-9,cat; all if not given.")
    flags.DEFINE_list("classifiers", "domain", "The rulers: domain, inception, or paths of SavedModels.")
    flags.DEFINE_integer("num_per_label", 1000, "Images of each label that are scored.", 10)
    flags.DEFINE_bool("accuracy", False, "Also the classification accuracy score, a minute or two for each method.")
    flags.DEFINE_integer("width", None, "Of all methods' networks, instead of their own.", 1)
    flags.DEFINE_string("folder", "runs/fixed_budget", "Where everything is written.")


def main() -> None:
    methods, folder = _methods(), Path(FLAGS.folder)
    dataset = cli.config().dataset
    labels = parse_labels(FLAGS.labels, prepared.label_names(dataset))
    for classifier in FLAGS.classifiers:
        refuse_unusable(classifier, dataset, cli.config().evaluate.split)
    budgets, seeds = _numbers("seconds_per_label", float, 0.0), _numbers("seeds", int, -1)
    common = cli.config_arguments()
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # of a closed terminal
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    cells = [_cell(*parts) for parts in itertools.product(methods, budgets, seeds)]
    run_all(plan(cells, labels), folder, common, sorted(os.sched_getaffinity(0)))
    print("scoring", flush=True)
    for cell in cells:
        score(cell, folder, common, labels)
    results = tables.read(cells, folder, FLAGS.classifiers)
    table = tables.in_markdown(results)
    (folder / "table.md").write_text(table)
    print(table)
    pictures.draw_grids(results, folder, dataset)
    print(f"look at {folder}/grids.png")
    if len(budgets) > 1:
        pictures.draw_curves(results, folder)
        print(f"look at {folder}/curves.png")


def _methods() -> list[str]:
    """The names of the methods and variants, each once."""
    methods = FLAGS.methods
    if unknown := set(methods) - METHODS.keys():
        raise UserError(f"there is no method {min(unknown)!r}; type some of --methods={','.join(METHODS)}")
    methods = [*dict.fromkeys(methods), *map(_add_variant, FLAGS.variant)]
    if not methods:
        raise UserError(f"there is nothing to compare; type some of --methods={','.join(METHODS)}, or a --variant")
    return methods


def _add_variant(text: str) -> str:
    """Add a row to METHODS; returns its name."""
    name, _, settings = text.partition(":")
    pairs = [setting.split("=") for setting in settings.split(",")]
    if not name.isidentifier() or any(len(pair) != 2 for pair in pairs):
        raise UserError(f"--variant is {text!r}; type a name and settings, such as --variant=seldom:train.gp_every=8")
    if name in METHODS:
        raise UserError(f"--variant is {text!r}, but there is a method {name} already; type another name")
    for setting, _ in pairs:
        check_name(setting)
        if setting in SET_HERE:
            raise UserError(f"--variant is {text!r}, but {setting} is set by --{SET_HERE[setting]}")
    METHODS[name] = Method("the config file with other settings", dict(pairs))
    return name


def _cell(method: str, seconds: float, seed: int) -> Cell:
    config = cli.config()
    pretraining = METHODS[method].settings.get("train.pretraining", config.train.pretraining)
    try:
        pretraining = float(pretraining)
    except ValueError:
        raise UserError(f"train.pretraining of {method} is {pretraining!r}; type a number") from None
    return Cell(method, seconds, seed, pretraining, len(prepared.label_names(config.dataset)), FLAGS.width)


def _numbers(name: str, kind: type, above: float) -> list:
    """The numbers of a flag that is a list of them, each once."""
    try:
        numbers = list(dict.fromkeys(kind(text) for text in FLAGS[name].value))
    except ValueError:
        numbers = []
    if not numbers or not all(above < number < math.inf for number in numbers):
        raise UserError(f"--{name} is {','.join(FLAGS[name].value)!r}; type numbers above {above:g}, such as 1,2")
    return numbers


def score(cell: Cell, folder: Path, common: list[str], labels: list[int]) -> None:
    """Combine the labels that a method trained, and score them with every classifier, unless that is done."""
    own = folder / cell.name
    run, model = RunPaths(own / "run"), ModelPaths(own / "model")
    settings = [*common, *cell.settings(), f"--workdir={run.folder}"]
    if not up_to_date.is_combined(run, model, up_to_date.finished_labels(cli.config(), run, labels)):
        # --partial: a label that diverged has no generator.
        more = [f"--labels={format_labels(labels)}", f"--output={model.folder}", "--partial", "--overwrite"]
        program(own, "combine", *settings, *more)
    config = copy.deepcopy(cli.config())
    for place, classifier in enumerate(FLAGS.classifiers):
        output = own / tables.scores_name(classifier)
        config.evaluate.classifier, config.evaluate.num_per_label = classifier, FLAGS.num_per_label
        config.evaluate.accuracy = FLAGS.accuracy and place == 0
        if not up_to_date.is_evaluated(config, output, model):
            more = [f"--model={model.folder}", f"--classifier={classifier}", f"--output={output}"]
            accuracy = "--accuracy" if config.evaluate.accuracy else "--noaccuracy"
            program(own, "evaluate", *settings, *more, f"--num_per_label={FLAGS.num_per_label}", accuracy)


def program(folder: Path, name: str, *arguments: str) -> None:
    """Run a program of the project, which writes to a log in the folder; end if it fails."""
    command, log = [sys.executable, "-m", f"wcgan_tf.{name}", *arguments], folder / f"{name}.log"
    with log.open("w") as file:
        code = subprocess.run(command, stdout=file, stderr=file, check=False).returncode
    if code:
        sys.exit(f"error: {name} ended with exit code {code}; see {log}")


if __name__ == "__main__":
    cli.run(main, define_flags)
