"""Trains labels on this machine and shows progress: a live table on a terminal, else a line every 30 seconds."""

import collections
import contextlib
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import rich.console
import rich.live
import rich.text

from wcgan_tf.core import errors, files, signals
from wcgan_tf.core.console import LineWriter, duration
from wcgan_tf.core.labels import label_title, number_of_labels
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.launching import gpus, workers
from wcgan_tf.runs import label_status, status_table
from wcgan_tf.runs.label_status import LabelStatus

TURN_SECONDS = 0.1
LOOK_SECONDS = 1.0  # between two updates of the live table
LINE_SECONDS = 30.0  # between two progress lines without a terminal
LOG_LINES, LOG_BYTES = 5, 4096
WORDS = {errors.DONE: "done", errors.STOPPED: "stopped", errors.DIVERGED: "diverged"}


class Launcher:
    """Trains labels in parallel processes, and shows their progress.

    Args:
        labels: to train, in this order.
        names: of all labels of the data set.
        places: CPUs and GPU of each parallel process.
        command: the command line of a process that trains labels (see `workers.py`).
        run: paths of the run.
        held: labels that other processes train now; it waits for them.
        asked: counts the requests to stop, those of before included.
    """

    def __init__(
        self,
        labels: list[int],
        names: list[str],
        places: list[workers.Place],
        command: list[str],
        run: RunPaths,
        held: list[int],
        asked: signals.StopCount,
    ) -> None:
        self._labels, self._names, self._places, self._run = labels, names, places, run
        self._out = LineWriter()
        free = [label for label in labels if label not in held]
        self._workers = workers.Workers(
            free, places, command, run, self._started, self._ended, self._say, self._trains_elsewhere
        )
        self._workers.held.extend(held)
        self._asked = asked
        self._before = {label: self._read_status(label) for label in labels}
        self._told, self._done_before = False, 0

    def run(self) -> tuple[list[int], bool]:
        """Train until all labels end or a signal comes; returns the unfinished labels, and whether a signal came."""
        signals.handle(self._asked)
        self._out.say(
            f"training {number_of_labels(len(self._labels))} in {self._run.folder}, {len(self._places)} at a time"
        )
        for label in self._workers.held:
            status = self._read_status(label)
            self._say(label, f"another process is training it: {status.pid} on {status.host}; waiting for it")
        live = rich.live.Live(console=self._out.console, auto_refresh=False)
        try:
            with self._out.show(live):
                if self._out.console.is_terminal:
                    self._train(lambda: self._draw(live), LOOK_SECONDS)
                else:
                    self._train(lambda: self._out.say(self._summary()), LINE_SECONDS)
        finally:
            self._workers.stop()  # also after an error here: each worker saves a checkpoint
        unfinished = [label for label in self._labels if self._workers.ended.get(label) != errors.DONE]
        if not unfinished:
            self._out.say(self._in_words())
        elif self._asked.number:
            self._out.say("stopped; the same command resumes")
        self._out.finish()
        return unfinished, self._asked.number > 0

    def _in_words(self) -> str:
        """What came of it, if all labels are done."""
        before, all_of_them = self._done_before, number_of_labels(len(self._labels))
        if before == len(self._labels):
            return f"{all_of_them} in {self._run.folder}: done before"
        trained = number_of_labels(len(self._labels) - before)
        return f"trained {trained} in {self._run.folder}" + (f"; {before} of {all_of_them} before" if before else "")

    def _draw(self, live: rich.live.Live) -> None:
        with contextlib.suppress(OSError):  # the terminal was closed
            live.update(self._table(), refresh=True)

    def _train(self, show: Callable[[], None], every_seconds: float) -> None:
        """Run the workers until all labels have ended; calls `show` every `every_seconds` and once at the end."""
        answered, shown = 0, time.monotonic()
        self._workers.poll()
        while self._workers.running or self._workers.held:
            time.sleep(TURN_SECONDS)
            if self._asked.number > answered:
                answered = self._asked.number
                self._stop(kill=answered > 1)
            self._workers.poll()
            if time.monotonic() - shown >= every_seconds:
                shown = time.monotonic()
                show()
        show()

    def _stop(self, kill: bool) -> None:
        self._workers.stop(kill)
        if not kill:
            count = number_of_labels(len(self._workers.running))
            self._out.say(f"stopping: {count} to be saved first (Ctrl-C again ends all without)")

    def _say(self, label: int, text: str) -> None:
        self._out.say(f"{label_title(label, self._names[label])}: {text}")

    def _trains_elsewhere(self, label: int) -> bool:
        return self._read_status(label).state == "running"

    def _started(self, label: int, place: workers.Place) -> None:
        if not self._out.console.is_terminal:
            self._say(label, f"started with {place}")

    def _ended(self, label: int, code: int) -> None:
        paths = self._run.label(label)
        status = self._read_status(label)
        self._compare_device(label, status)
        if code in (errors.DONE, errors.STOPPED):
            is_before = code == errors.DONE and status == self._before[label]  # no time tells: a clock may be set back
            self._done_before += is_before
            before = " before" if is_before else ""
            self._say(label, f"{WORDS[code]}{before} after {status.step} steps and {duration(status.seconds)}")
        elif self._was_stopped(code):
            self._say(label, f"{workers.ended_by(code)}; the same command resumes it from its last checkpoint")
        else:
            self._say(
                label, f"{workers.ended_by(code)}{self._workers.memory_hint(code)}; the last lines of {paths.log}:"
            )
            for line in _last_lines(paths.log) or _why_empty(paths.log):
                self._out.say(f"    {line}")

    def _compare_device(self, label: int, status: LabelStatus) -> None:
        """Say once that labels train on the CPU although their processes were given GPUs."""
        given = any(place.gpu for place in self._places)
        if given and not self._told and status != self._before[label] and status.device.startswith("CPU"):
            self._told = True
            self._say(label, f"{gpus.unseen()}; so will the others")

    def _was_stopped(self, code: int) -> bool:
        """Whether a stop request ended a label; also by SIGKILL, or by SIGTERM before the label's handler is set."""
        return code == errors.STOPPED or (code < 0 and self._workers.stopping)

    def _status(self, label: int) -> LabelStatus:
        """The status of a running label; "starting" until its worker has written one."""
        worker = self._workers.running[label]
        status = self._read_status(label)
        starting = LabelStatus(state="starting", device=str(worker.place))
        return status if status.pid == worker.process.pid else starting

    def _read_status(self, label: int) -> LabelStatus:
        """The status of a label; "pending" if it cannot be read now: that must not end the launcher."""
        with contextlib.suppress(OSError):
            return label_status.read(self._run.label(label).status)
        return LabelStatus()

    def _summary(self) -> str:
        """The progress of all labels: `2 running, 3 done, 5 waiting; about 4 min 0 s left`."""
        running = {label: self._status(label) for label in self._workers.running}
        for label, status in running.items():
            self._compare_device(label, status)
        ended = collections.Counter(
            "stopped" if self._was_stopped(code) else WORDS.get(code, "failed") for code in self._workers.ended.values()
        )
        counts = {"running": len(running), **ended, "waiting": self._workers.waiting}
        counts["in other processes"] = len(self._workers.held)
        parts = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "nothing to train here"
        left = self._seconds_left(list(running.values()))
        return f"{self._run.folder}: {parts}" + (f"; about {duration(left)} left" if left else "")

    def _seconds_left(self, running: list[LabelStatus]) -> float | None:
        """Estimated time until all labels end, if waiting ones take the median of the running ones; None if unknown."""
        known = [status for status in running if status.progress > 0.0]
        if not known:
            return None
        each = statistics.median(status.seconds / status.progress for status in known)
        left = sum(status.seconds_left() or 0.0 for status in known) + each * (
            self._workers.waiting + len(running) - len(known)
        )
        return left / len(self._places)

    def _table(self) -> rich.console.Group:
        """A table of the running labels, as many as fit on the terminal, and the progress of all labels."""
        room = max(1, self._out.console.height - 3)
        rows = [(label, self._names[label], self._status(label)) for label in sorted(self._workers.running)[:room]]
        summary = rich.text.Text(self._summary())
        return rich.console.Group(status_table.table(rows), summary) if rows else rich.console.Group(summary)


def _last_lines(log: Path) -> list[str]:
    """The last LOG_LINES lines of a log; empty if it cannot be read."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
        return file.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    return []


def _why_empty(log: Path) -> list[str]:
    """What kept a log from being written, if it is known."""
    try:
        files.refuse_full_disk(log.parent, LOG_BYTES)
    except OSError as error:
        text, _ = errors.problem(error) or (str(error), errors.FAILED)
        return [text]
    return []
