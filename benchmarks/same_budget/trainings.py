"""The trainings of a comparison, and the processes that do them, each on cores of its own."""

import itertools
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from same_budget.methods import METHODS

from wcgan_tf.core import errors

SINGLE = Path(__file__).with_name("single.py")
ENDED = {errors.DONE, errors.DIVERGED}  # a training that diverges is a result


@dataclass(frozen=True)
class Cell:
    """A method with a budget per label and a seed: what is scored."""

    method: str
    seconds: float  # of a label, its share of the pretraining included
    seed: int
    pretraining: float  # as the setting
    labels: int  # number of labels of the data set
    width: int | None = None  # of the networks; None: the method's own

    @property
    def name(self) -> str:
        return f"{self.method}-{self.seconds:g}s-seed{self.seed}"

    @property
    def own_seconds(self) -> float:
        """Of a label without its share of the pretraining."""
        return self.seconds * self.labels / (self.labels + self.pretraining)

    def settings(self) -> list[str]:
        """The flags that differ from the config file."""
        chosen = {"train.max_seconds": self.own_seconds, "train.max_steps": 0, "train.seed": self.seed}
        width = {"model.width": self.width, "model.critic_width": 0} if self.width else {}
        return [f"--config.{name}={value}" for name, value in (METHODS[self.method].settings | chosen | width).items()]


@dataclass(frozen=True)
class Training:
    """A process."""

    cell: Cell
    title: str
    program: tuple[str, ...]  # its arguments, without settings and folder
    core_seconds: float
    cores: int = 1


def plan(cells: list[Cell], labels: list[int]) -> list[list[Training]]:
    """Lists of trainings, of which each needs those before it.

    The methods follow each other label by label: a slow hour is slow for every method.
    """
    alone = [cell for cell in cells if not METHODS[cell.method].together]
    return [
        [
            Training(cell, "pretraining", ("-m", "wcgan_tf.pretrain"), cell.pretraining * cell.own_seconds)
            for cell in alone
            if cell.pretraining
        ],
        [
            Training(cell, f"label {label}", ("-m", "wcgan_tf.train", f"--label={label}"), cell.own_seconds)
            for cells_of_seed in _by_budget_and_seed(alone)
            for label in labels
            for cell in cells_of_seed
        ],
        *(
            [
                Training(cell, "all labels", (str(SINGLE),), cell.seconds * cell.labels, cores)
                for cell in cells
                if METHODS[cell.method].together and METHODS[cell.method].cores == cores
            ]
            for cores in (1, 2)
        ),
    ]


def _by_budget_and_seed(cells: list[Cell]) -> list[list[Cell]]:
    key = lambda cell: (cell.seconds, cell.seed)  # noqa: E731
    return [list(some) for _, some in itertools.groupby(sorted(cells, key=key), key=key)]


def run_all(trainings: list[list[Training]], folder: Path, common: list[str], cores: list[int]) -> None:
    """Run every training on its own cores, as many at a time as there are cores for; print a line for each."""
    free: queue.Queue[int] = queue.Queue()
    for core in cores:
        free.put(core)
    numbers, total, lock = itertools.count(1), sum(map(len, trainings)), threading.Lock()
    running: set[subprocess.Popen] = set()

    def run(training: Training) -> None:
        own = [free.get() for _ in range(training.cores)]
        try:
            result = _run(training, folder, common, own, running)
        finally:
            for core in own:
                free.put(core)
        with lock:
            print(f"{next(numbers)} of {total}: {training.cell.name}, {result}", flush=True)

    minutes = sum(training.core_seconds for some in trainings for training in some) / len(cores) / 60
    print(f"{total} trainings on {len(cores)} cores, {minutes:.0f} min if none is done; then the scores", flush=True)
    for some in trainings:
        at_once = len(cores) // max((training.cores for training in some), default=1)
        if not at_once:
            sys.exit(f"error: a method needs more than {len(cores)} cores")
        with ThreadPoolExecutor(at_once) as pool:
            try:
                list(pool.map(run, some))  # raises what a training raises
            except BaseException:  # from signals too
                for process in list(running):
                    process.terminate()  # it saves
                raise


def _run(training: Training, folder: Path, common: list[str], cores: list[int], running: set[subprocess.Popen]) -> str:
    """Run one training to its end, as one of `running`; its output goes to a log.  Returns the last line of it."""
    own = folder / training.cell.name
    own.mkdir(parents=True, exist_ok=True)
    log = own / f"{training.title}.log"
    pinned = ["taskset", "--cpu-list", ",".join(map(str, cores)), sys.executable, *training.program]
    command = [*pinned, *common, *training.cell.settings(), f"--workdir={own / 'run'}"]
    with log.open("a+", errors="replace") as file:  # not emptied: a training of a killed start may still write to it
        began = file.tell()
        with subprocess.Popen(command, stdout=file, stderr=file) as process:
            running.add(process)
            code = process.wait()
            running.discard(process)
        file.seek(began)
        lines = file.read().splitlines() or [""]
    if code not in ENDED:
        wrong = next((line for line in lines if line.startswith("error:")), lines[-1])
        sys.exit(f"error: {training.title} ended with exit code {code}: {wrong}; see {log}")
    return lines[-1]
