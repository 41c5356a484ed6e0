"""Show how the labels of a run are, from the labels' own files; works while they train, anywhere.

    python -m wcgan_tf.status
    python -m wcgan_tf.status --workdir runs/cifar10
    python -m wcgan_tf.status --workdir runs/cifar10 --json
    python -m wcgan_tf.launch --labels "$(python -m wcgan_tf.status --list=failed)"

pending: not begun.  running: it gave a sign of life within the last minute.  stale: it did not, and did not say goodbye
either; its machine may be down.  stopped: asked to stop, goes on when started again.  diverged: a number was no longer
finite.  failed: an error; its last line is shown.  done.
"""

import json
import sys

import ml_collections
import rich.console
from absl import flags

from wcgan_tf import cli, config
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths, LabelPaths, RunPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.data import sources
from wcgan_tf.runs import label_status as heartbeat
from wcgan_tf.runs import settings as claims
from wcgan_tf.runs import status_table as tables

WIDE = 1000


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string("labels", "", "Of these labels, such as 0-9,12,cat; of all where not given.")
    flags.DEFINE_bool("json", False, "Print everything that is known as JSON.")
    flags.DEFINE_enum(
        "list",
        None,
        list(heartbeat.GROUPS),
        "Print only the labels in this state, such as 0-4,7. missing: neither done nor running; failed: also diverged "
        "and stale.",
    )


def main() -> None:
    run = RunPaths(cli.workdir())
    names = _names(run)
    labels = datasets.parse_labels(cli.FLAGS.labels, names)
    states = {label: heartbeat.read(run.label(label).status) for label in labels}
    if cli.FLAGS.list:
        chosen = [label for label, state in states.items() if state.state in heartbeat.GROUPS[cli.FLAGS.list]]
        print(datasets.format_labels(chosen))
    elif cli.FLAGS.json:
        known = [{"label": label, "name": names[label], **state._asdict()} for label, state in states.items()]
        counts = {name: sum(state.state == name for state in states.values()) for name in heartbeat.STATES}
        json.dump({"workdir": str(run.folder), "counts": counts, "labels": known}, sys.stdout, indent=1)
        print()
    else:
        width = None if sys.stdout.isatty() else WIDE  # a file has no width
        console = rich.console.Console(highlight=False, soft_wrap=True, width=width)
        console.print(tables.table((label, names[label], state) for label, state in states.items()))
        for label, state in states.items():
            if state.error:
                console.print(f"label {label}: {state.error}; see {run.label(label).log}", markup=False)
        yet = "" if run.folder.is_dir() else "; there is no such folder yet"
        console.print(f"{run.folder}: {tables.summary(states.values())}{yet}", markup=False)


def _names(run: RunPaths) -> list[str]:
    """The names of all labels: of the data set that --config names, else of the one that the run was trained on."""
    dataset = cli.FLAGS.config.dataset
    begun = (paths for label in run.labels() if (paths := run.label(label)).config.exists())
    if cli.FLAGS["config"].using_default_value and (first := next(begun, None)):
        dataset = _trained_on(first)
    if DatasetPaths.of(dataset).info.exists():
        return datasets.label_names(dataset, cli.command("prepare"))
    with cli.quiet_imports(without=()):  # the digits are scikit-learn's
        return sources.label_names(dataset)


def _trained_on(paths: LabelPaths) -> ml_collections.ConfigDict:
    """The settings `config.dataset` of the label in this folder."""
    settings = config.default_config()
    try:
        settings.dataset.update(claims.trained_with(paths)["dataset"])
        config.validate(settings)
    except (UserError, TypeError, KeyError, AttributeError):
        raise UserError(f"{paths.config} is damaged; type the run's own --config") from None
    return settings.dataset


if __name__ == "__main__":
    cli.run(main, define_flags)
