"""How a label is: status.json, written by the label's own process while it lives, read by whoever wants to know.

No TensorFlow: a thousand labels are read in a moment.
"""

import contextlib
import os
import platform
import threading
import time
from pathlib import Path
from typing import NamedTuple

from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError

BEAT_SECONDS = 10.0  # a living process writes at least so often, and while it trains
SOONEST_SECONDS, SOONEST_SHARE = 1.0, 0.1  # at most so often, and the less often the longer it has lived
LARGEST = 1e100  # no number in the file is so large, nor infinite
STALE_SECONDS = 60.0  # after so long without a beat it is taken for dead

STATES = ("pending", "running", "stale", "stopped", "diverged", "failed", "done")
FAILED = {"stale", "diverged", "failed"}
GROUPS = {  # what a user may ask for
    "all": set(STATES),
    "missing": {"pending", "stopped", *FAILED},
    **{state: {state} for state in STATES},
    "failed": FAILED,
}


class LabelState(NamedTuple):
    """What is known of a label.

    Attributes:
        state: one of STATES.  "pending": it was never begun; "running": it lives; "stale": it was running, and has not
            been heard of for a minute, or its process on this machine is gone; "stopped": it was asked to stop, and
            goes on when started again.  In the table of `launch` also "starting".
        step, seconds: of training, over all runs of the label.
        progress: the share of its budget that is spent, 0..1.
        images_per_second: real images in critic steps; None where not known yet.
        wasserstein_estimate: the last one; None where not known, and for DC-GAN.
        host, device: where it trains, such as node7 and GPU:0.
        pid: of its process on that host; 0 where not known.
        updated: when the file was written, in seconds since the epoch.
        error: why it failed, in one line; empty where it did not.
    """

    state: str = "pending"
    step: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    images_per_second: float | None = None
    wasserstein_estimate: float | None = None
    host: str = ""
    device: str = ""
    pid: int = 0
    updated: float = 0.0
    error: str = ""

    def seconds_left(self) -> float | None:
        """Of training, as far as can be told from what is behind it."""
        return self.seconds * (1.0 - self.progress) / self.progress if self.progress > 0.0 else None


def read(status: Path) -> LabelState:
    """The state of the label whose status.json this is; "pending" where there is none, or none that can be read."""
    try:
        known = files.read_json(status, "", ("state", "updated"))
        state = LabelState(**{name: _checked(name, known[name]) for name in LabelState._fields if name in known})
    except (UserError, OSError, ValueError):
        return LabelState()
    heard = abs(time.time() - state.updated) <= STALE_SECONDS  # by a clock that is wrong it may be in the future
    if state.state == "running" and (not heard or (state.host == host() and _gone(state.pid))):
        return state._replace(state="stale")
    return state


def _checked(name: str, value):
    """A value of status.json, if it is one that `LabelState` may have."""
    default = LabelState._field_defaults[name]
    if isinstance(default, str):
        good = isinstance(value, str) and (name != "state" or value in STATES)
        value = "".join(letter if letter.isprintable() else "?" for letter in str(value))  # it goes to a terminal
    elif value is None:
        good = default is None
    else:
        kinds = int if type(default) is int else (int, float)
        good = isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < LARGEST
        good = good and (value >= 0 or name == "wasserstein_estimate") and (value <= 1 or name != "progress")
    if not good:
        raise ValueError(f"{name} is {value!r}")
    return value


def _gone(pid: int) -> bool:
    """Whether there is no such process on this machine."""
    try:
        os.kill(pid or os.getpid(), 0)  # asks, and does nothing to it
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        return False
    return False


class Heartbeat:
    """Keeps a label's status.json true while this process is at work on it, from a thread of its own.

    Args:
        status: the file.
        label, name: of the label.
    """

    def __init__(self, status: Path, label: int, name: str):
        self._file, before = status, read(status)
        self._values: dict = {
            "label": label,
            "name": name,
            "state": "running",
            "step": before.step,
            "seconds": before.seconds,
            "progress": before.progress,
            "host": host(),
            "pid": os.getpid(),
            "job": os.environ.get("SLURM_JOB_ID", ""),
        }
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._write()  # an error here is the user's to mend; later ones do not end a training that goes well
        threading.Thread(target=self._beat, daemon=True).start()

    def note(self, **values) -> None:
        """Take down what is known now; it is written at once, or with the next beat where one was not long before."""
        with self._lock, contextlib.suppress(OSError):
            self._values.update(values)
            soonest = max(SOONEST_SECONDS, SOONEST_SHARE * (self._written - self._began))
            if time.monotonic() - self._written >= soonest:
                self._write()

    def end(self, state: str, error: str = "") -> None:
        """Write the last state: "done", "stopped", "diverged" or "failed"."""
        self._ended.set()
        with self._lock, contextlib.suppress(OSError):
            self._values.update(state=state, error=error)
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        files.write_json(self._file, {**self._values, "updated": time.time()})

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with self._lock, contextlib.suppress(OSError):
                if not self._ended.is_set():
                    self._write()


def host() -> str:
    """The name of this machine: of the node, as Slurm calls it, or its own."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()
