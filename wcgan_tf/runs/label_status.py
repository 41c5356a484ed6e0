"""status.json: written by a label's own process while it trains, read by every other program.

No TensorFlow: a thousand labels are read in a moment.
"""

import contextlib
import os
import platform
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from wcgan_tf.core import records
from wcgan_tf.core.console import printable
from wcgan_tf.core.records import Amount, Count, Number, Share

BEAT_SECONDS = 10.0  # a living process writes at least so often, and while it trains
SOONEST_SECONDS, SOONEST_SHARE = 1.0, 0.1  # at most so often, and the less often the longer it has lived
STALE_SECONDS = 60.0  # after so long without a beat it is taken for dead

STATES = ("pending", "running", "stale", "stopped", "diverged", "failed", "done")
FAILED = {"stale", "diverged", "failed"}
GROUPS = {  # what a user may ask for
    "all": set(STATES),
    "missing": {"pending", "stopped", *FAILED},
    **{state: {state} for state in STATES},
    "failed": FAILED,
}


class LabelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """status.json: the state of a label, and what is known of its training.

    "pending": not begun; "running": at work; "stale": it was running, and has not been heard of for a minute, or its
    process on this machine is gone; "stopped": asked to stop, goes on when started again; "diverged": a loss or a
    weight is not finite; "failed": an error; "done".  "starting" is only in the table of `launch`.
    """

    state: Literal["pending", "running", "stale", "stopped", "diverged", "failed", "done", "starting"] = "pending"
    label: int = -1  # -1 if not known
    name: str = ""
    step: Count = 0  # of training, over all starts of the label
    seconds: Amount = 0.0  # of training, over all starts
    progress: Share = 0.0  # the spent share of its budget
    images_per_second: Amount | None = None  # real images in critic steps
    wasserstein_estimate: Number | None = None  # the last one; None for DC-GAN
    best_kernel_distance: Number | None = None  # of the weights that scored best while training
    best_step: Count | None = None
    host: str = ""  # where it trains, such as node7
    device: str = ""  # such as GPU:0
    threads: Count = 0  # CPU threads of its process
    pid: Count = 0  # of its process on that host; 0 if not known
    job: str = ""  # of Slurm
    updated: Amount = 0.0  # when the file was written, in seconds since the epoch
    error: str = ""  # why it failed, in one line

    def seconds_left(self) -> float | None:
        """Of training, as far as can be told from the spent share."""
        return self.seconds * (1.0 - self.progress) / self.progress if self.progress > 0.0 else None


def read(status: Path) -> LabelStatus:
    """Read a label's status.json; "pending" if there is none, or it is damaged."""
    known = records.read_if_whole(status, LabelStatus)
    if known is None:
        return LabelStatus()
    heard = abs(time.time() - known.updated) <= STALE_SECONDS  # by a clock that is wrong it may be in the future
    stale = known.state == "running" and (not heard or (known.host == host() and _gone(known.pid)))
    shown = {name: printable(getattr(known, name)) for name in ("host", "device", "error")}
    return msgspec.structs.replace(known, state="stale" if stale else known.state, **shown)


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
    """Writes a label's status.json while this process trains it, from a thread of its own.

    Args:
        status: the file.
        label, name: of the label.
    """

    def __init__(self, status: Path, label: int, name: str) -> None:
        self._file, before = status, read(status)
        self._status = LabelStatus(
            state="running",
            label=label,
            name=name,
            step=before.step,
            seconds=before.seconds,
            progress=before.progress,
            host=host(),
            pid=os.getpid(),
            job=os.environ.get("SLURM_JOB_ID", ""),
        )
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._write()  # an error here is for the user to mend; a later one must not end a training
        threading.Thread(target=self._beat, daemon=True).start()

    def note(self, **values: Any) -> None:
        """Set fields of the status; it is written at once, or with the next beat if the last one was just before."""
        with self._lock, contextlib.suppress(OSError):
            self._status = msgspec.structs.replace(self._status, **values)
            soonest = max(SOONEST_SECONDS, SOONEST_SHARE * (self._written - self._began))
            if time.monotonic() - self._written >= soonest:
                self._write()

    def end(self, state: str, error: str = "") -> None:
        """Write the last state: "done", "stopped", "diverged" or "failed"."""
        self._ended.set()
        with self._lock, contextlib.suppress(OSError):
            self._status = msgspec.structs.replace(self._status, state=state, error=error)
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        records.write(self._file, msgspec.structs.replace(self._status, updated=time.time()))

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with self._lock, contextlib.suppress(OSError):
                if not self._ended.is_set():
                    self._write()


def host() -> str:
    """The name of this machine: of the node, as Slurm calls it, or its own."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()


class Cost(msgspec.Struct, frozen=True):
    """What a training took: core-hours of labels that ran on a CPU, GPU-hours of the others."""

    core_hours: float = 0.0
    gpu_hours: float = 0.0


def cost(labels: Iterable) -> Cost:
    """The cost of the training of labels, of which each has `seconds`, `device` and `threads`."""
    labels = list(labels)
    on_gpu = [own.seconds for own in labels if own.device.startswith("GPU")]
    on_cpu = [own.seconds * own.threads for own in labels if not own.device.startswith("GPU")]
    return Cost(sum(on_cpu) / 3600, sum(on_gpu) / 3600)
