"""status.json: written by a label's own process during training, read by all other programs.

No TensorFlow, so that the status of a thousand labels is read fast.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from wcgan_tf.core import machine, records
from wcgan_tf.core.console import printable
from wcgan_tf.core.process import is_gone
from wcgan_tf.core.records import Amount, Count, Number, Share

BEAT_SECONDS = 10.0  # longest time between two writes of a running process
SOONEST_SECONDS, SOONEST_SHARE = 1.0, 0.1  # shortest time: the larger of this and this share of the age
STALE_SECONDS = 60.0  # a process without a write for this time counts as dead

UNKNOWN = -1  # a label
STATES = ("pending", "running", "stale", "stopped", "diverged", "failed", "done")
FAILED = {"stale", "diverged", "failed"}
GROUPS = {  # groups of states that a user can select
    "all": set(STATES),
    "missing": {"pending", "stopped", *FAILED},
    **{state: {state} for state in STATES},
    "failed": FAILED,
}


class LabelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """status.json: the state of a label and of its training.

    "pending": not started; "running"; "stale": was running, but has not written for STALE_SECONDS, or its process on
    this host is gone; "stopped": stopped on request, a restart continues; "diverged": a loss or a weight is not finite;
    "failed": an error; "done".  "starting" occurs only in the table of `launch`.
    """

    state: Literal["pending", "running", "stale", "stopped", "diverged", "failed", "done", "starting"] = "pending"
    label: int = UNKNOWN
    name: str = ""
    step: Count = 0  # of training, over all starts of the label
    seconds: Amount = 0.0  # of training, over all starts
    progress: Share = 0.0  # spent share of the budget
    images_per_second: Amount | None = None  # real images in critic steps
    wasserstein_estimate: Number | None = None  # the last one; None for DC-GAN
    best_kernel_distance: Number | None = None  # of the best weights during training
    best_step: Count | None = None
    host: str = ""  # where it trains, such as node7
    device: str = ""  # such as GPU:0
    threads: Count = 0  # CPU threads of its process
    pid: Count = 0  # of its process on that host; 0 if not known
    job: str = ""  # of Slurm
    updated: Amount = 0.0  # when the file was written, in seconds since the epoch
    error: str = ""  # why it failed, in one line

    def seconds_left(self) -> float | None:
        """The estimated seconds of training that are left; None if no budget is spent yet."""
        return self.seconds * (1.0 - self.progress) / self.progress if self.progress > 0.0 else None


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """training.json: the training of an exported generator; the other fields are those of the status at its export."""

    label: int = UNKNOWN  # as in runs that are older than the field
    weights_digest: str = ""  # of the generator's weights; "" if not known
    step: Count = 0
    seconds: Amount = 0.0
    best_step: Count | None = None
    device: str = ""
    threads: Count = 0

    @classmethod
    def of(cls, status: LabelStatus) -> "Trained":
        """The training that a status tells of."""
        return cls(**{name: getattr(status, name) for name in cls.__struct_fields__ if name != "weights_digest"})


def read(status: Path) -> LabelStatus:
    """Read a label's status.json, with "stale" if it applies; "pending" without the file, "failed" if it is damaged."""
    try:
        there, known = status.exists(), records.read_if_whole(status, LabelStatus)
    except PermissionError as error:
        return LabelStatus(state="failed", error=f"{status.name} cannot be read: {error.strerror}")
    if known is None and there:
        what_to_do = "it is a folder; delete it" if status.is_dir() else "the label's next start writes it anew"
        return LabelStatus(state="failed", error=f"{status.name} is damaged; {what_to_do}")
    if known is None:
        return LabelStatus()
    heard = abs(time.time() - known.updated) <= STALE_SECONDS  # abs: a wrong clock may put it into the future
    stale = known.state == "running" and (not heard or (known.host == machine.host() and is_gone(known.pid)))
    shown = {name: printable(getattr(known, name)) for name in ("host", "device", "error")}
    return msgspec.structs.replace(known, state="stale" if stale else known.state, **shown)


class Heartbeat:
    """Writes `status`, a label's status.json, from a thread while this process trains the label."""

    def __init__(self, status: Path, label: int, name: str) -> None:
        self._file, before = status, read(status)
        self._status = LabelStatus(
            state="running",
            label=label,
            name=name,
            step=before.step,
            seconds=before.seconds,
            progress=before.progress,
            best_kernel_distance=before.best_kernel_distance,
            best_step=before.best_step,
            device=before.device,
            threads=before.threads,
            host=machine.host(),
            pid=os.getpid(),
            job=os.environ.get("SLURM_JOB_ID", ""),
        )
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._write()  # an error here is for the user to fix; a later one must not end a training
        threading.Thread(target=self._beat, daemon=True).start()

    def note(self, **values: Any) -> None:
        """Set fields of the status; written at once, or with the next write if the last one is too recent."""
        with self._lock, contextlib.suppress(OSError):
            self._status = msgspec.structs.replace(self._status, **values)
            soonest = max(SOONEST_SECONDS, SOONEST_SHARE * (self._written - self._began))
            if time.monotonic() - self._written >= soonest:
                self._write()

    def trained(self) -> Trained:
        """The training up to now."""
        return Trained.of(self._status)

    def end(self, state: str, error: str = "") -> None:
        """Write the final state: "done", "stopped", "diverged" or "failed"."""
        self._ended.set()
        with self._lock, contextlib.suppress(OSError):
            self._status = msgspec.structs.replace(self._status, state=state, error=error)
            self._write(durable=True)

    def _write(self, durable: bool = False) -> None:
        self._written = time.monotonic()
        records.write(self._file, msgspec.structs.replace(self._status, updated=time.time()), durable)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            with self._lock, contextlib.suppress(OSError):
                if not self._ended.is_set():
                    self._write()


class Cost(msgspec.Struct, frozen=True):
    """The cost of training: core-hours of labels trained on a CPU, GPU-hours of the others."""

    core_hours: float = 0.0
    gpu_hours: float = 0.0


def cost(labels: Iterable) -> Cost:
    """The cost of training these labels, each with `seconds`, `device` and `threads`."""
    labels = list(labels)
    on_gpu = [own.seconds for own in labels if own.device.startswith("GPU")]
    on_cpu = [own.seconds * own.threads for own in labels if not own.device.startswith("GPU")]
    return Cost(sum(on_cpu) / 3600, sum(on_gpu) / 3600)
