"""Lines for whoever looks.  A thread of their own writes them: a full pipe, a closed one, a full disk stop nothing."""

import contextlib
import queue
import threading

import rich.console

LAST_WORDS_SECONDS = 2.0


class _Console(rich.console.Console):
    def on_broken_pipe(self) -> None:
        """Not rich's way, which is to end the process."""


class Lines:
    """Prints lines in order, on stdout, as well as it can."""

    def __init__(self):
        self.console = _Console(highlight=False, soft_wrap=True)
        self._waiting: queue.SimpleQueue[str | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    def say(self, text: str) -> None:
        """Print a line as soon as those before it are out."""
        self._waiting.put(text)

    def finish(self) -> None:
        """Wait a moment for the lines that are not out yet."""
        out = threading.Event()
        self._waiting.put(out)
        out.wait(LAST_WORDS_SECONDS)

    def _write(self) -> None:
        while True:
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                item.set()
            else:
                with contextlib.suppress(OSError):  # nobody reads, or nothing more fits
                    self.console.print(item, markup=False)
                    self.console.file.flush()
