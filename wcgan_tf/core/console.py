"""Lines for whoever looks, and for the log.  A thread of their own writes them: a full pipe or disk stops nothing."""

import contextlib
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import rich.console
import rich.live
import rich.progress

LAST_WORDS_SECONDS = 2.0


class _Console(rich.console.Console):
    def on_broken_pipe(self) -> None:
        """Not rich's way, which is to end the process."""


class Lines:
    """Prints lines in order, on stdout and into log files, as well as it can."""

    def __init__(self):
        self.console = _Console(highlight=False, soft_wrap=True)
        self._waiting: queue.SimpleQueue[tuple[str, Path | None] | threading.Event] = queue.SimpleQueue()
        self._moving: rich.live.Live | rich.progress.Progress | None = None
        threading.Thread(target=self._write, daemon=True).start()

    def say(self, text: str, log: Path | None = None) -> None:
        """Print a line as soon as those before it are out, and add it to a log file."""
        self._waiting.put((text, log))

    @contextlib.contextmanager
    def above(self, moving: rich.live.Live | rich.progress.Progress) -> Iterator[None]:
        """Draw a bar or a table on the terminal inside this block, below all lines."""
        self.finish()  # a line that is still on its way would end in the middle of it
        self._moving = moving
        with contextlib.suppress(OSError):  # as for lines: a terminal that was closed stops nothing
            moving.start()
        try:
            yield
        finally:
            self._moving = None
            with contextlib.suppress(OSError):
                moving.stop()

    def finish(self) -> None:
        """Give the terminal back, and wait a moment for the lines that are not out yet."""
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
            with contextlib.suppress(OSError):  # nobody reads, or nothing more fits
                self.console.print(text, markup=False)
                self.console.file.flush()
            if log:
                append(log, text)


def append(log: Path, text: str) -> None:
    """Add lines to a log file, as well as it can; not where stdout is that file already."""
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8", errors="replace") as file:
        if not _is_stdout(file.fileno()):
            file.write(f"{text}\n")


def _is_stdout(descriptor: int) -> bool:
    return os.path.samestat(os.fstat(descriptor), os.fstat(1))
