"""Show the status of all labels of a run, from their files; works during training, on any machine with the files.

    python -m wcgan_tf.status
    python -m wcgan_tf.status --workdir runs/cifar10
    python -m wcgan_tf.status --workdir runs/cifar10 --json
    python -m wcgan_tf.launch --labels "$(python -m wcgan_tf.status --list=failed)"

pending: not begun.  running: its process updated the status within the last minute.  stale: no update for a minute, or
the process is gone; its machine may be down.  stopped: by a signal, resumes when started again.  diverged: a loss or a
weight is not finite.  failed: by an error, whose last line is shown.  done: its budget is spent.
"""

import json
import sys

import msgspec
from absl import flags

from wcgan_tf import cli
from wcgan_tf.config import Dataset, default_config, validate
from wcgan_tf.core.console import Console, duration
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.labels import format_labels, parse_labels
from wcgan_tf.core.paths import DatasetPaths, LabelPaths, RunPaths
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import prepared, sources
from wcgan_tf.launching import room
from wcgan_tf.runs import label_status, recorded_settings, status_table

WIDE = 1000


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string("labels", "", "Of these labels, such as 0-9,12,cat; of all if not given.")
    flags.DEFINE_bool("json", False, "Print everything that is known as JSON.")
    flags.DEFINE_enum(
        "list",
        None,
        list(label_status.GROUPS),
        "Print only the labels in this state, such as 0-4,7. missing: neither done nor running; failed: also diverged "
        "and stale.",
    )


def main() -> None:
    run = cli.run_paths()
    names = _names(run)
    labels = parse_labels(cli.FLAGS.labels, names)
    states = {label: label_status.read(run.label(label).status) for label in labels}
    if cli.FLAGS.list:
        chosen = [label for label, status in states.items() if status.state in label_status.GROUPS[cli.FLAGS.list]]
        print(format_labels(chosen))
    elif cli.FLAGS.json:
        known = [
            {**msgspec.structs.asdict(status), "label": label, "name": names[label]} for label, status in states.items()
        ]
        counts = {name: sum(status.state == name for status in states.values()) for name in label_status.STATES}
        json.dump({"workdir": str(run.folder), "counts": counts, "labels": known}, sys.stdout, indent=1)
        print()
    else:
        width = None if sys.stdout.isatty() else WIDE  # a file or a pipe has no width
        console = Console(highlight=False, soft_wrap=True, width=width)
        console.print(status_table.table((label, names[label], status) for label, status in states.items()))
        for label, status in states.items():
            if status.error:
                console.print(f"label {label}: {status.error}; see {run.label(label).log}", markup=False)
        if (before := label_status.read(run.pretraining.status)).updated:
            console.print(f"the pretraining: {_in_words(before)}; see {run.pretraining.log}", markup=False)
        console.print(f"this process may use {room.describe()}", markup=False)
        yet = "" if run.folder.is_dir() else "; there is no such folder yet"
        console.print(f"{run.folder}: {status_table.summary(states.values())}{yet}", markup=False)


def _in_words(training: label_status.LabelStatus) -> str:
    """The state of a training, and how far it is."""
    share = "" if training.state == "done" else f", {100 * training.progress:.0f} %"
    return f"{training.state}{share}, {training.step} steps and {duration(training.seconds)}"


def _names(run: RunPaths) -> list[str]:
    """The names of all labels of the data set that --config names or, if it is not there, of the run's own."""
    dataset = cli.config().dataset
    begun = (paths for label in run.labels() if (paths := run.label(label)).config.exists())
    named = cli.config_file().path and DatasetPaths.of(dataset).info.exists()
    if not named and (first := next(begun, None)):
        dataset = _trained_on(first)
    if DatasetPaths.of(dataset).info.exists():
        return prepared.label_names(dataset)
    with quiet_imports(without=()):  # the digits are part of scikit-learn
        return sources.label_names(dataset)


def _trained_on(paths: LabelPaths) -> Dataset:
    """The settings `config.dataset` that are recorded in a label's folder.

    Raises:
        UserError: if they are damaged.
    """
    settings = default_config()
    try:
        settings.dataset = Dataset(**recorded_settings.read(paths).dataset)
        validate(settings)
    except (UserError, TypeError, AttributeError):
        raise UserError(f"{paths.config} is damaged; type the run's own --config") from None
    return settings.dataset


if __name__ == "__main__":
    cli.run(main, define_flags)
