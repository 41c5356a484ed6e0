"""Processes that train labels on this machine, a fixed number at a time, each pinned to CPU cores and a GPU.

Each takes labels in turn, so that only the first waits for Python, TensorFlow and the tracing of the step: it reads a
label from its stdin, trains it, and writes the exit code that a process of the label's own would have to a pipe.  If
its parent is killed, it saves its label and stops.
"""

import collections
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from wcgan_tf.core import errors, machine
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.core.process import end_with_parent

ATTEMPTS = 3  # a label whose process dies is started twice more
ANSWER_BYTES = 16  # more than an exit code has
LEAVE_SECONDS = 10.0  # that a process without a label may take to end
IN_USE = 4  # the answer for a label that another process trains
LOOK_SECONDS = 5.0  # between two looks at a label that another process trains
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
    """A process that trains labels in turn, the pipe that it answers to, and its place."""

    process: subprocess.Popen[bytes]
    answers: FileIO
    place: Place

    def give(self, label: int) -> None:
        """Give it a label to train.

        Raises:
            BrokenPipeError: if the process has ended.
        """
        assert self.process.stdin
        self.process.stdin.write(f"{label}\n".encode())
        self.process.stdin.flush()

    def answer(self) -> int | None:
        """The exit code of the label that it was given; None as long as it trains it."""
        ended = self.process.poll()  # before reading, so that no answer is missed
        answer = self.answers.read(ANSWER_BYTES)  # None if there is none yet
        return int(answer) if answer else ended

    def dismiss(self) -> None:
        """Give it no more labels, and wait for its end."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.answers.close()
        try:
            self.process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Workers:
    """Runs processes that train labels in turn, as many at a time as there are places; replaces those that die.

    Args:
        labels: in the order in which they are started.
        places: one per parallel process.
        command: the command line of a process.
        run: paths of the run; what a process says is written to its label's log.
        started: called with the label and the place of its process when a label begins.
        ended: called with the label and its exit code when it has ended and is not tried again.
        say: called with the label and a line about it.
        in_use: label -> whether another process trains it, as far as that can be seen from here.

    Attributes:
        running: the processes that train labels, by label.
        ended: exit codes of ended labels, -n if signal n killed the process; FAILED if it could not be started.
        held: labels that other processes train; they are tried again when those have ended.
        stopping: whether `stop` was called.
    """

    def __init__(
        self,
        labels: list[int],
        places: list[Place],
        command: list[str],
        run: RunPaths,
        started: Callable[[int, Place], None],
        ended: Callable[[int, int], None],
        say: Callable[[int, str], None],
        in_use: Callable[[int], bool] = lambda label: False,
    ):
        self._waiting = collections.deque(labels)
        self._attempts: dict[int, int] = collections.defaultdict(lambda: 1)
        self._free, self._jobs = list(reversed(places)), len(places)
        self._idle: list[Worker] = []
        self._command, self._run = command, run
        self._on_start, self._on_end, self._say, self._in_use = started, ended, say, in_use
        self._looked = time.monotonic()
        self.held: list[int] = []
        self.stopping = False
        self.running: dict[int, Worker] = {}
        self.ended: dict[int, int] = {}

    @property
    def waiting(self) -> int:
        """Number of labels that wait for a place."""
        return len(self._waiting)

    def poll(self) -> None:
        """Handle labels that have ended, and start one in each free place; to be called repeatedly."""
        for label, worker in list(self.running.items()):
            if (code := worker.answer()) is not None:
                del self.running[label]
                self._idle.append(worker)
                self._record_end(label, code)
        self._look_at_held()
        while self._waiting and (self._idle or self._free):
            label = self._waiting.popleft()
            try:
                self._begin(label)
            except OSError as error:
                text, self.ended[label] = errors.problem(error) or (str(error), errors.FAILED)
                self._say(label, f"cannot be started: {text}")
        while self._idle:
            self._dismiss()

    def stop(self, kill: bool = False) -> None:
        """Begin no more labels; send SIGTERM to the running processes, or SIGKILL if `kill` is set."""
        self.stopping = True
        self._waiting.clear()
        self.held.clear()
        for worker in self.running.values():
            worker.process.kill() if kill else worker.process.terminate()

    def memory_hint(self, code: int) -> str:
        """What to type if the system killed a process for lack of memory; "" if something else ended it."""
        if code != -signal.SIGKILL or self.stopping:
            return ""
        fewer = f"give launch --jobs={self._jobs // 2}, or " if self._jobs > 1 else ""
        return f" (if nobody sent it, memory ran out: {fewer}type a smaller --config.train.batch_size)"

    def _record_end(self, label: int, code: int) -> None:
        attempt = self._attempts[label]
        if code == IN_USE and not self.stopping:
            self.held.append(label)
            self._say(label, "another process is training it; waiting for it")
        elif code in FINAL or attempt == ATTEMPTS or self.stopping:
            self.ended[label] = code
            self._on_end(label, code)
        else:
            self._attempts[label] = attempt + 1
            text = f"attempt {attempt + 1} of {ATTEMPTS} resumes from its last checkpoint"
            self._say(label, f"{ended_by(code)}{self.memory_hint(code)}; {text}")
            self._waiting.append(label)

    def _look_at_held(self) -> None:
        """From time to time, let the labels wait for a place that other processes have left."""
        if not self.held or time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for label in [label for label in self.held if not self._in_use(label)]:
            self.held.remove(label)
            self._waiting.append(label)

    def _begin(self, label: int) -> None:
        """Give a label to a process that has nothing to do, or to a new one.

        Raises:
            OSError: if there is no process, or the label's log cannot be written.
        """
        log = self._run.label(label).log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            while self._idle and self._idle[-1].process.poll() is not None:
                self._dismiss()
            worker = self._idle.pop() if self._idle else self._start(file)
        self._on_start(label, worker.place)
        self.running[label] = worker
        with contextlib.suppress(BrokenPipeError):  # it has died: `poll` will find out
            worker.give(label)

    def _dismiss(self) -> None:
        """End a process that has nothing to do."""
        worker = self._idle.pop()
        worker.dismiss()
        self._free.append(worker.place)

    def _start(self, log: BinaryIO) -> Worker:
        """Start a process in a free place; what it says goes to `log`, until it has a label."""
        place = self._free[-1]
        threads = str(min(place.threads, machine.threads()))
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": threads}
        if place.gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = place.gpu
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        answers = FileIO(reader)
        mine = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, place.cpus or mine)  # the process inherits it
            process = subprocess.Popen(
                [*self._command, f"--answers={writer}"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[writer],
                preexec_fn=end_with_parent,
            )
        finally:
            os.close(writer)
            os.sched_setaffinity(0, mine)
        self._free.pop()
        return Worker(process, answers, place)


def ended_by(code: int) -> str:
    """How a process ended, in words."""
    return f"killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
