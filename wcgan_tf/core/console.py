"""Terminal output: lines, progress bars, durations.  A thread writes lines: a full pipe or disk blocks nothing."""

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rich.console
import rich.live
import rich.progress

from wcgan_tf.core.process import is_stdout

LAST_WORDS_SECONDS = 2.0
LINE_SECONDS = 10.0  # between two lines of a ProgressBar without a terminal


class Console(rich.console.Console):
    @property
    def is_terminal(self) -> bool:
        """Whether the file is a terminal; rich would trust FORCE_COLOR, and draw bars into a file."""
        return self.file.isatty()

    def on_broken_pipe(self) -> None:
        """Do nothing; rich would end the process."""


class LineWriter:
    """Prints lines in order on stdout or stderr, and appends them to log files; ignores a stream that fails."""

    def __init__(self, stderr: bool = False) -> None:
        self.console = Console(stderr=stderr, highlight=False, soft_wrap=True)
        self._waiting: queue.SimpleQueue[tuple[str, Path | None] | threading.Event] = queue.SimpleQueue()
        self._moving: rich.live.Live | rich.progress.Progress | None = None
        threading.Thread(target=self._write, daemon=True).start()

    def say(self, text: str, log: Path | None = None) -> None:
        """Queue a line for printing and, if given, for a log file."""
        self._waiting.put((text, log))

    @contextlib.contextmanager
    def show(self, moving: rich.live.Live | rich.progress.Progress) -> Iterator[None]:
        """Draw a bar or a table below the lines during this block; nothing without a terminal."""
        if not self.console.is_terminal:
            yield
            return
        self.finish()  # a line printed later would break the drawing
        self._moving = moving
        with contextlib.suppress(OSError):  # a closed terminal is no error
            moving.start()
        try:
            yield
        finally:
            self._moving = None
            with contextlib.suppress(OSError):
                moving.stop()

    def finish(self) -> None:
        """Stop drawing, and wait up to LAST_WORDS_SECONDS until the queued lines are printed."""
        if self._moving:
            with contextlib.suppress(OSError):
                self._moving.stop()
        out = threading.Event()
        self._waiting.put(out)
        out.wait(LAST_WORDS_SECONDS)

    def _write(self) -> None:
        while True:
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            text, log = item
            with contextlib.suppress(OSError):  # a closed pipe or a full disk
                self.console.print(text, markup=False)
                self.console.file.flush()
            if log:
                append_to_log(log, text)


def append_to_log(log: Path, text: str) -> None:
    """Append lines to a log file; does nothing if it cannot be written, or if stdout already writes to it."""
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8", errors="replace") as file:
        if not is_stdout(file.fileno()):
            file.write(f"{text}\n")


def print_now(text: str) -> None:
    """Print a line, also if a pipe or a file collects them."""
    print(text, flush=True)


def print_error(text: str) -> None:
    """Print a line on stderr, beside what a program prints for others to read."""
    print(text, file=sys.stderr, flush=True)


class ProgressBar:
    """Progress towards `total` (None: unknown) on stderr: a bar on a terminal, else a line per LINE_SECONDS."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title, self._total, self._out = title, total, LineWriter(stderr=True)
        self._bar = bar(self._out, rich.progress.MofNCompleteColumn(), rich.progress.TimeRemainingColumn())
        self._task = self._bar.add_task(title, total=total)
        self._shown = self._out.show(self._bar)
        self._done, self._said = 0, time.monotonic()

    def __enter__(self) -> "ProgressBar":
        self._shown.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._shown.__exit__(*error)
        self._out.finish()

    def add(self, number: int) -> None:
        """Report that `number` more items are done."""
        self.to(self._done + number)

    def to(self, number: int) -> None:
        """Report that `number` items are done in all."""
        self._done = number
        self._bar.update(self._task, completed=number)
        if not self._out.console.is_terminal and time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            self.say(f"{number}" + (f" of {self._total}" if self._total else ""))

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._out.say(f"{self._title}: {text}")


def bar(out: LineWriter, *columns: rich.progress.ProgressColumn) -> rich.progress.Progress:
    """A progress bar: the task's description, the bar, then `columns`; `out.show` draws it."""
    description = rich.progress.TextColumn("{task.description}", markup=False)
    return rich.progress.Progress(description, rich.progress.BarColumn(), *columns, console=out.console)


def printable(text: str) -> str:
    """The text with `?` for each unprintable character, so that it stays on one line of a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def duration(seconds: float | None) -> str:
    """A duration in words: `9 s`, `12 min 5 s`, `3 h 20 min`; empty if it is None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
