"""Time without that in which this process was stopped: SIGSTOP, Ctrl-Z, `scontrol suspend`, a paused container."""

import functools
import threading
import time

PERIOD_SECONDS = 0.5
SHORTEST_SECONDS = 5.0  # of a pause; a shorter one counts as time: the machine may be busy


class _Clock:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked, self._paused = time.monotonic(), 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def now(self) -> float:
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= SHORTEST_SECONDS:  # this process did nothing, not even in the thread that looks
                self._paused += now - self._looked
            self._looked = now
            return now - self._paused

    def _look(self) -> None:
        while True:
            time.sleep(PERIOD_SECONDS)
            self.now()


@functools.cache
def _clock() -> _Clock:
    return _Clock()


def monotonic() -> float:
    """Seconds as `time.monotonic`, which stand still while this process is stopped, from the first call on."""
    return _clock().now()
