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

from wcgan_tf import cli, datasets, files, heartbeat, sources, tables
from wcgan_tf.errors import UserError
from wcgan_tf.paths import RunPaths

GROUPS = {
    "all": set(heartbeat.STATES),
    "missing": heartbeat.MISSING,
    **{state: {state} for state in heartbeat.STATES},
    "failed": heartbeat.FAILED,
}


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_bool("json", False, "Print everything that is known as JSON.")
    flags.DEFINE_enum(
        "list",
        None,
        list(GROUPS),
        "Print only the labels in this state, such as 0-4,7. missing: neither done nor running; failed: also diverged "
        "and stale.",
    )


def main() -> None:
    run = RunPaths(cli.workdir())
    names = _names(run)
    states = {label: heartbeat.read(run.label(label).status) for label in range(len(names))}
    if cli.FLAGS.list:
        chosen = [label for label, state in states.items() if state.state in GROUPS[cli.FLAGS.list]]
        print(datasets.format_labels(chosen))
    elif cli.FLAGS.json:
        labels = [{"label": label, "name": names[label], **state._asdict()} for label, state in states.items()]
        counts = {name: sum(state.state == name for state in states.values()) for name in heartbeat.STATES}
        json.dump({"workdir": str(run.folder), "counts": counts, "labels": labels}, sys.stdout, indent=1)
        print()
    else:
        console = rich.console.Console(highlight=False, soft_wrap=True)
        console.print(tables.table((label, names[label], state) for label, state in states.items()))
        for label, state in states.items():
            if state.error:
                console.print(f"label {label}: {state.error}; see {run.label(label).log}", markup=False)
        console.print(f"{run.folder}: {tables.summary(states.values())}", markup=False)


def _names(run: RunPaths) -> list[str]:
    """The names of all labels: of the data set that --config names, else of the one that the run was trained on."""
    dataset = cli.FLAGS.config.dataset
    if cli.FLAGS["config"].using_default_value and (trained := run.labels()):
        settings = files.read_json(run.label(trained[0]).config, cli.command("train", "--label=0"), ("dataset",))
        dataset = ml_collections.ConfigDict(settings["dataset"])
    try:
        return datasets.label_names(dataset, cli.command("prepare"))
    except UserError:
        if sources.kind(dataset) != "folder":
            raise
        return sources.source(dataset).label_names


if __name__ == "__main__":
    cli.run(main, define_flags)
