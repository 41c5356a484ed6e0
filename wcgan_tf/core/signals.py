"""Requests to stop (SIGINT, SIGTERM, SIGUSR1, SIGHUP): end at once if there is nothing to save, else set a flag."""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from wcgan_tf.core.errors import STOPPED

WANTED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
FAREWELL_SECONDS = 5.0
AGAIN_SECONDS = 0.5  # a terminal that is closed sends several signals at once


def handle(handler: Callable) -> None:
    """Install a handler for these signals, from the main thread; not for SIGHUP if nohup ignores it."""
    for number in WANTED:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


class StopCount:
    """A handler of signals that counts the requests to stop: signals within AGAIN_SECONDS are one."""

    def __init__(self) -> None:
        self.number = 0
        self._last = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last >= AGAIN_SECONDS:
            self.number, self._last = self.number + 1, now


class StopRequests:
    """Receives the signals that ask this process to stop.

    Python runs a signal handler between two of its own instructions, so not during a compilation, which may take
    minutes.  Therefore a thread also waits for signals: after `ends_at_once`, it calls `farewell` and ends the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._farewell: Callable[[], None] | None = None
        self.received = False

    def listen(self) -> None:
        """Start to receive the signals, from the main thread, for the rest of this process."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        handle(lambda *_: None)  # only with a handler does Python write the number to the pipe
        threading.Thread(target=self._watch, args=(reader,), daemon=True).start()

    def ends_at_once(self, farewell: Callable[[], None]) -> None:
        """From now on a signal calls `farewell` and ends the process with STOPPED: there is nothing to save."""
        with self._lock:
            self._farewell = farewell
            self._end_if_asked()

    def ends_in_good_order(self) -> None:
        """From now on a signal only sets `received`."""
        with self._lock:
            self._farewell = None

    def _watch(self, reader: int) -> None:
        while number := os.read(reader, 1):
            if number[0] in WANTED:
                with self._lock:
                    self.received = True
                    self._end_if_asked()

    def _end_if_asked(self) -> None:
        if self.received and self._farewell:
            farewell = threading.Thread(target=self._say_farewell, args=(self._farewell,), daemon=True)
            farewell.start()
            farewell.join(FAREWELL_SECONDS)  # end even if a full pipe or a hanging disk blocks it
            os._exit(STOPPED)

    @staticmethod
    def _say_farewell(farewell: Callable[[], None]) -> None:
        with contextlib.suppress(Exception):
            farewell()
