"""Train all labels on this machine: a process per label, as many at a time as there are GPUs, or else cores.

    python -m wcgan_tf.launch
    python -m wcgan_tf.launch --config configs/cifar10.py --labels cat,dog --jobs 2
    python -m wcgan_tf.launch --config configs/cifar10.py --failed
    python -m wcgan_tf.launch --config configs/cifar10.py --worst 3 --config.train.max_seconds=1800

The processes exchange nothing.  One that dies is tried again twice from its checkpoint and leaves the others running.
Ctrl-C, SIGTERM, SIGUSR1 or SIGHUP stops all with their checkpoints written.  Started again, all go on, and what is done
stays.  Exit code 0: all are done; 75: stopped; 1: some are not done, and the last lines of their logs are shown.
"""

import collections
import contextlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import rich.console
import rich.live
import rich.text
from absl import flags

from wcgan_tf import cli
from wcgan_tf.core import errors, files, signals
from wcgan_tf.core.console import Lines
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.launching import workers
from wcgan_tf.runs import label_status as heartbeat
from wcgan_tf.runs import settings as claims
from wcgan_tf.runs import status_table as tables
from wcgan_tf.runs.label_status import LabelState

TURN_SECONDS = 0.1
LOOK_SECONDS = 1.0  # how often the live table is drawn
LINE_SECONDS = 30.0  # how often there is a line where there is no terminal
LOG_LINES, LOG_BYTES = 5, 4096
WORDS = {errors.DONE: "done", errors.STOPPED: "stopped", errors.DIVERGED: "diverged"}


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string("labels", "", "The labels, such as 0-9,12,cat; all where not given.")
    flags.DEFINE_integer("jobs", None, "Processes at a time; one per GPU, or else per core.", lower_bound=1)
    flags.DEFINE_bool("missing", False, "Of these labels, only those that are neither done nor running.")
    flags.DEFINE_integer(
        "worst", None, "Of these labels, only so many that scored worst alone; with a larger budget.", lower_bound=1
    )
    flags.DEFINE_bool("failed", False, "Of these labels, only those that failed, diverged or went stale.")


def main() -> int:
    config, run = cli.FLAGS.config, RunPaths(cli.workdir())
    names = datasets.label_names(config.dataset, cli.command("prepare"))
    labels = datasets.parse_labels(cli.FLAGS.labels, names)
    states = {label: heartbeat.read(run.label(label).status) for label in labels}
    for group in ("missing", "failed"):
        if cli.FLAGS[group].value:
            labels = [label for label in labels if states[label].state in heartbeat.GROUPS[group]]
    if cli.FLAGS.worst:
        labels = _worst(labels, cli.FLAGS.worst, run)
        if all(claims.finished(run.label(label), config) for label in labels):
            raise UserError(
                f"the worst labels, {datasets.format_labels(labels)}, have spent their budget; "
                "type a larger one, such as --config.train.max_seconds=1800"
            )
    for label in labels:
        claims.refuse_others(run.label(label), config.to_dict())
    if not labels:
        print(f"nothing to do in {run.folder}: {tables.summary(states.values())}")
        return errors.DONE
    gpus = [] if config.train.device == "cpu" else workers.visible_gpus()
    places = workers.places(cli.FLAGS.jobs, gpus)[: len(labels)]
    held = {label: states[label] for label in labels if states[label].state == "running"}
    return Launch(labels, names, places, run, held).run()


def _worst(labels: list[int], number: int, run: RunPaths) -> list[int]:
    """Of the labels that `evaluate` scored those with the largest kernel distance."""
    evaluate = cli.command("evaluate", *cli.folders())
    by_label = files.read_json(run.scores, evaluate, ("by_label",))["by_label"]
    try:
        known = {int(label): own["scores"].get("kid", own["scores"].get("kcd")) for label, own in by_label.items()}
        return sorted(sorted(known.keys() & set(labels), key=lambda label: -known[label])[:number])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{run.scores} is damaged; run: {evaluate}") from None


class Launch(workers.Watcher):
    """Trains labels, and shows how far they are.

    Args:
        labels, names: which to train, and the names of all there are.
        places: of the processes.
        run: their folders.
        held: of these labels, those that other processes are training; they are left to them.
    """

    def __init__(
        self,
        labels: list[int],
        names: list[str],
        places: list[workers.Place],
        run: RunPaths,
        held: dict[int, LabelState],
    ):
        self._labels, self._names, self._places, self._run, self._held = labels, names, places, run, held
        self._out = Lines()
        free = [label for label in labels if label not in held]
        self._workers = workers.Workers(free, places, _command, run, self)
        self._stops = 0  # signals that came

    def run(self) -> int:
        """Train all labels, or until a signal comes; returns the exit code."""
        signals.handle(self._on_signal)
        self._out.say(f"training {_labels(len(self._labels))} in {self._run.folder}, {len(self._places)} at a time")
        for label, state in self._held.items():
            self.said(label, f"another process is training it: {state.pid} on {state.host}")
        try:
            if self._out.console.is_terminal:
                live = rich.live.Live(console=self._out.console, auto_refresh=False)
                with self._out.above(live):
                    self._train(lambda: self._draw(live), LOOK_SECONDS)
            else:
                self._train(lambda: self._out.say(self._line()), LINE_SECONDS)
        finally:
            self._workers.stop()  # whatever went wrong here: they save
        return self._end()

    def _draw(self, live: rich.live.Live) -> None:
        with contextlib.suppress(OSError):  # the terminal was closed
            live.update(self._picture(), refresh=True)

    def _on_signal(self, number, frame) -> None:
        self._stops += 1

    def _train(self, show: Callable[[], None], every_seconds: float) -> None:
        """Keep the workers at work until none is left, and show how far they are."""
        answered, shown = 0, time.monotonic()
        self._workers.turn()
        while self._workers.running:
            time.sleep(TURN_SECONDS)
            if self._stops > answered:
                answered = self._stops
                self._stop(kill=answered > 1)
            self._workers.turn()
            if time.monotonic() - shown >= every_seconds:
                shown = time.monotonic()
                show()
        show()

    def _stop(self, kill: bool) -> None:
        self._workers.stop(kill)
        if not kill:
            count = _labels(len(self._workers.running))
            self._out.say(f"stopping: {count} to be saved first (Ctrl-C again ends all without)")

    def said(self, label: int, text: str) -> None:
        """A line about a label."""
        name = self._names[label]
        self._out.say(f"label {label}" + (f" ({name})" if name != str(label) else "") + f": {text}")

    def started(self, label: int, place: workers.Place) -> None:
        if not self._out.console.is_terminal:
            self.said(label, f"started on {place}")

    def ended(self, label: int, code: int) -> None:
        paths = self._run.label(label)
        state = heartbeat.read(paths.status)
        if code in (errors.DONE, errors.STOPPED):
            self.said(label, f"{WORDS[code]} after {state.step} steps and {tables.duration(state.seconds)}")
        elif self._stopped(code):
            self.said(label, f"{workers.ended_by(code)}; the same command goes on from its last checkpoint")
        else:
            self.said(label, f"{workers.ended_by(code)}; the last lines of {paths.log}:")
            for line in _last_lines(paths.log):
                self._out.say(f"    {line}")

    def _stopped(self, code: int) -> bool:
        """Whether a label ended because it was asked to: also one that was killed, or that could not answer yet."""
        return code == errors.STOPPED or (code < 0 and self._workers.stopping)

    def _state(self, label: int) -> LabelState:
        """How a label at work is; of its file only what this process wrote."""
        worker = self._workers.running[label]
        state = heartbeat.read(self._run.label(label).status)
        return state if state.pid == worker.process.pid else LabelState("starting", device=str(worker.place))

    def _line(self) -> str:
        """How far all are: `2 running, 3 done, 5 waiting; about 4 min 0 s left`."""
        running = [self._state(label) for label in self._workers.running]
        ended = collections.Counter(
            "stopped" if self._stopped(code) else WORDS.get(code, "failed") for code in self._workers.ended.values()
        )
        counts = {"running": len(running), **ended, "waiting": self._workers.waiting}
        parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        left = self._seconds_left(running)
        return f"{self._run.folder}: {parts}" + (f"; about {tables.duration(left)} left" if left else "")

    def _seconds_left(self, running: list[LabelState]) -> float | None:
        """Until all are done, if the labels that wait take as long as those that run; None where that is not known."""
        known = [state for state in running if state.progress > 0.0]
        if not known:
            return None
        each = statistics.median(state.seconds / state.progress for state in known)
        left = sum(state.seconds_left() or 0.0 for state in known) + each * (
            self._workers.waiting + len(running) - len(known)
        )
        return left / len(self._places)

    def _picture(self) -> rich.console.Group:
        """The labels at work as a table, and how far all are."""
        room = max(1, self._out.console.height - 3)
        rows = [(label, self._names[label], self._state(label)) for label in sorted(self._workers.running)[:room]]
        line = rich.text.Text(self._line())
        return rich.console.Group(tables.table(rows), line) if rows else rich.console.Group(line)

    def _end(self) -> int:
        """Say how it all ended; returns the exit code."""
        unfinished = [label for label in self._labels if self._workers.ended.get(label) != errors.DONE]
        folder = self._run.folder
        if self._stops and unfinished:
            self._out.say("stopped; the same command goes on from here")
        elif not unfinished:
            self._out.say(f"trained {_labels(len(self._labels))} in {folder}")
        self._out.finish()
        if not unfinished:
            return errors.DONE
        if self._stops:
            return errors.STOPPED
        again = cli.command("launch", *cli.folders(), f"--labels={datasets.format_labels(unfinished)}")
        text = (
            f"{len(unfinished)} of {_labels(len(self._labels))} did not finish (see above); to try again, run: {again}"
        )
        return cli.show_line(text, errors.FAILED)


def _command(label: int) -> list[str]:
    """The process that trains a label."""
    arguments = [*cli.config_arguments(), f"--workdir={cli.workdir()}", f"--label={label}"]
    return [sys.executable, "-m", "wcgan_tf.train", *arguments]


def _labels(count: int) -> str:
    return f"{count} label" + ("" if count == 1 else "s")


def _last_lines(log: Path) -> list[str]:
    """The end of a log, as far as it can be read."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
        return file.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    return []


if __name__ == "__main__":
    cli.run(main, define_flags)
