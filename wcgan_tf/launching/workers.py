"""Processes that train labels on this machine, a fixed number at a time, each pinned to CPU cores and a GPU."""

import collections
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from wcgan_tf.core import errors, machine
from wcgan_tf.core.paths import RunPaths

ATTEMPTS = 3  # a label whose process dies is started twice more
FINAL = {errors.DONE, errors.WRONG_INPUT, errors.DIVERGED, errors.STOPPED}  # no new attempt: it would end the same way
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


class Place(NamedTuple):
    """The CPUs that a process is pinned to (none: it may use any), its GPU or None, and its number of threads."""

    cpus: frozenset[int]
    gpu: str | None
    threads: int

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        cpus = f"cpu {','.join(map(str, sorted(self.cpus)))}" if self.cpus else threads
        return cpus if self.gpu is None else f"gpu {self.gpu}, {cpus}"


def places(jobs: int, gpus: list[str]) -> list[Place]:
    """The places of `jobs` processes.

    The hardware threads of a core stay together.  If there are more processes than cores or GPUs, they share them.  If
    this process may not use all of its CPUs at a time, as by a quota, the processes are not pinned: others under such a
    limit would be pinned to the same ones.
    """
    own_gpus = [gpus[job % len(gpus)] if gpus else None for job in range(jobs)]
    allowed, by_core = machine.cpus().amount, cores()
    if allowed < sum(map(len, by_core)):
        return [Place(frozenset(), gpu, max(1, int(allowed) // jobs)) for gpu in own_gpus]
    shares = [by_core[job::jobs] or [by_core[job % len(by_core)]] for job in range(jobs)]
    pinned = [frozenset().union(*share) for share in shares]
    return [Place(cpus, gpu, len(cpus)) for cpus, gpu in zip(pinned, own_gpus, strict=True)]


def cores() -> list[frozenset[int]]:
    """The CPUs (hardware threads) that this process may use, grouped by core."""
    mine = os.sched_getaffinity(0)
    by_core = collections.defaultdict(set)
    for cpu in sorted(mine):
        siblings = Path(SIBLINGS.format(cpu))
        by_core[siblings.read_text() if siblings.exists() else cpu].add(cpu)
    return [frozenset(cpus) for cpus in by_core.values()]


class Worker(NamedTuple):
    """The process that trains a label, its place, and the number of earlier attempts."""

    process: subprocess.Popen
    place: Place
    again: int


class Workers:
    """Runs one process per label, as many at a time as there are places; restarts processes that die.

    Args:
        labels: in the order in which they are started.
        places: one per parallel process.
        command: label -> the command line of its process.
        run: paths of the run; each process writes to its label's log.
        started: called with the label and the place of each process that is started.
        ended: called with the label and its exit code when its process has ended and is not restarted.
        say: called with the label and a line about it.

    Attributes:
        running: the running workers, by label.
        ended: exit codes of ended labels, -n if signal n killed the process; FAILED if it could not be started.
        stopping: whether `stop` was called.
    """

    def __init__(
        self,
        labels: list[int],
        places: list[Place],
        command: Callable[[int], list[str]],
        run: RunPaths,
        started: Callable[[int, Place], None],
        ended: Callable[[int, int], None],
        say: Callable[[int, str], None],
    ):
        self._waiting = collections.deque((label, 0) for label in labels)
        self._free, self._jobs = list(reversed(places)), len(places)
        self._command, self._run = command, run
        self._on_start, self._on_end, self._say = started, ended, say
        self.stopping = False
        self.running: dict[int, Worker] = {}
        self.ended: dict[int, int] = {}

    @property
    def waiting(self) -> int:
        """Number of labels that wait for a place."""
        return len(self._waiting)

    def poll(self) -> None:
        """Handle processes that have ended, and start one in each free place; to be called repeatedly."""
        for label, worker in list(self.running.items()):
            if (code := worker.process.poll()) is not None:
                del self.running[label]
                self._free.append(worker.place)
                self._record_end(label, code, worker.again)
        while self._waiting and self._free:
            label, again = self._waiting.popleft()
            place = self._free.pop()
            try:
                self.running[label] = self._start(label, place, again)
            except OSError as error:
                self._free.append(place)
                text, self.ended[label] = errors.problem(error) or (str(error), errors.FAILED)
                self._say(label, f"cannot be started: {text}")

    def stop(self, kill: bool = False) -> None:
        """Start no more processes; send SIGTERM to the running ones, or SIGKILL if `kill` is set."""
        self.stopping = True
        self._waiting.clear()
        for worker in self.running.values():
            worker.process.kill() if kill else worker.process.terminate()

    def memory_hint(self, code: int) -> str:
        """What to type if the system killed a process for lack of memory; "" if something else ended it."""
        if code != -signal.SIGKILL or self.stopping:
            return ""
        fewer = f"--jobs={self._jobs // 2} or " if self._jobs > 1 else ""
        return f" (if nobody sent it, memory ran out: type {fewer}a smaller --config.train.batch_size)"

    def _record_end(self, label: int, code: int, again: int) -> None:
        if code in FINAL or again + 1 == ATTEMPTS or self.stopping:
            self.ended[label] = code
            self._on_end(label, code)
        else:
            attempt = f"attempt {again + 2} of {ATTEMPTS}"
            self._say(label, f"{ended_by(code)}{self.memory_hint(code)}; {attempt} resumes from its last checkpoint")
            self._waiting.append((label, again + 1))

    def _start(self, label: int, place: Place, again: int) -> Worker:
        """Start a label's process, pinned to its place, with its output appended to the label's log."""
        log = self._run.label(label).log
        log.parent.mkdir(parents=True, exist_ok=True)
        threads = str(min(place.threads, machine.threads()))
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": threads}
        if place.gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = place.gpu
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, place.cpus or mine)  # the process inherits it
        try:
            with log.open("ab") as file:
                process = subprocess.Popen(
                    self._command(label), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment
                )
        finally:
            os.sched_setaffinity(0, mine)
        self._on_start(label, place)
        return Worker(process, place, again)


def ended_by(code: int) -> str:
    """How a process ended, in words."""
    return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
