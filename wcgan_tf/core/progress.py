"""How far something long has come: a bar on a terminal, a line now and then elsewhere."""

import time

import rich.console
import rich.progress

LINE_SECONDS = 10.0


class Count:
    """Counts up to `total`, or without an end where that is None, inside a `with` block; on stderr."""

    def __init__(self, title: str, total: int | None):
        self._title, self._total = title, total
        self._console = rich.console.Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total)
        self._done, self._began = 0, time.monotonic()
        self._said = self._began

    def __enter__(self) -> "Count":
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def add(self, number: int) -> None:
        """Say that `number` more are done."""
        self.to(self._done + number)

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began

    def to(self, number: int) -> None:
        """Say that `number` are done."""
        self._done = number
        self._bar.update(self._task, completed=number)
        if not self._console.is_terminal and time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            self.say(f"{number}" + (f" of {self._total}" if self._total else ""))

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(f"{self._title}: {text}", markup=False)
