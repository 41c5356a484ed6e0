"""The labels of this process, from the variables of a scheduler or of an MPI's launcher.  No TensorFlow."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from wcgan_tf.core.errors import UserError, python
from wcgan_tf.core.labels import INDEX, format_labels
from wcgan_tf.core.machine import number


@dataclass(frozen=True)
class Launcher:
    """A program that starts the processes of a job, and the variables that it sets in each."""

    name: str
    rank: str
    size: str
    local: str  # rank among the job's processes on the same node
    needs: str = ""  # a variable that tells it from others which set the same rank

    def is_here(self, environment: Mapping[str, str]) -> bool:
        return bool(environment.get(self.rank)) and (not self.needs or self.needs in environment)


@dataclass(frozen=True)
class Array:
    """A scheduler's job array, the variables that it sets in each element, and the option that submits one, or ""."""

    name: str
    index: str
    first: str
    last: str
    step: str
    start: int  # the smallest index that it allows
    option: str


# The first that is here counts: what an MPI starts inherits the variables of the Slurm task that started the MPI.
LAUNCHERS = (
    Launcher("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    Launcher("LSF's jsrun", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_LOCAL_RANK"),
    Launcher("Cray PALS", "PALS_RANKID", "PMI_SIZE", "PALS_LOCAL_RANKID"),
    Launcher("Hydra (MPICH, Intel MPI)", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", needs="MPI_LOCALRANKID"),
    Launcher("Flux", "FLUX_TASK_RANK", "FLUX_JOB_SIZE", "FLUX_TASK_LOCAL_ID"),
    Launcher("Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    Launcher("PMI", "PMI_RANK", "PMI_SIZE", "PMI_LOCAL_RANK"),
)
ARRAYS = (
    Array(
        *("Slurm", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP"),
        *(0, "--array={}"),
    ),
    Array("Grid Engine", "SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE", 1, "-t {}"),
    Array("LSF", "LSB_JOBINDEX", "", "LSB_JOBINDEX_END", "LSB_JOBINDEX_STEP", 1, "-J name[{}]"),
    Array("PBS", "PBS_ARRAY_INDEX", "", "", "", 0, "-J {}"),
    Array("Torque", "PBS_ARRAYID", "", "", "", 0, "-t {}"),
    Array("Flux", "FLUX_JOB_CC", "", "", "", 0, "--cc={}"),
    Array("Kubernetes", "JOB_COMPLETION_INDEX", "", "", "", 0, ""),
)
LOCAL_RANKS = tuple(known.local for known in LAUNCHERS)
NOT_AN_ELEMENT = {"SGE_TASK_ID": "undefined", "LSB_JOBINDEX": "0"}  # in a job that is no array


@dataclass(frozen=True)
class Share:
    """The rank of a process among `count` processes (None if unknown), and `source`, the variables that give it."""

    rank: int
    count: int | None
    source: str
    last: int | None = field(default=None, compare=False)  # the largest rank of an array; None if unknown
    array: Array | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """A name for the folder of this share."""
        return f"{self.rank}-of-{self.count or 'all'}"

    def of(self, labels: list[int]) -> list[int]:
        """The labels of this rank: labels[rank], labels[rank + count], ...; labels[rank] alone if `count` is None.

        Raises:
            UserError: if `count` is None and this or the last rank is too large, or the rank is not below `count`.
        """
        if self.count is None:
            if max(self.rank, self.last or 0) >= len(labels):
                raise UserError(self._too_many(len(labels)))
            return [labels[self.rank]]
        if self.rank >= self.count:
            raise UserError(f"{self.source} is {self.rank} of {self.count}; the first rank is 0")
        return labels[self.rank :: self.count]

    def in_words(self, mine: list[int], number: int) -> str:
        """A line that says which of `number` labels this rank takes."""
        of = f" of {self.count}" if self.count else ""
        taken = f"label{'s' if len(mine) > 1 else ''} {format_labels(mine)}" if mine else f"none of the {number} labels"
        return f"--label=auto: {self.source} makes this rank {self.rank}{of}, which takes {taken}"

    def _too_many(self, labels: int) -> str:
        """The message about a rank without a label, or an array that has such ranks."""
        start, option = (self.array.start, self.array.option) if self.array else (0, "")
        found = f"goes to {self.last + start}" if self.last else f"is {self.rank + start}"
        typed = f"; submit it with {option.format(f'{start}-{start + labels - 1}')}" if option else ""
        return f"{self.source} {found}, and there are {labels} labels, {start} to {start + labels - 1}{typed}"


def named(text: str, program: str) -> Share | None:
    """The share that a flag names: auto, or 3/10 for every tenth label from 3 on; None if it names labels, or nothing.

    Raises:
        UserError: as `from_environment`.
    """
    if text == "auto":
        return from_environment(program=program)
    typed = re.fullmatch(f"({INDEX})/({INDEX})", text)
    return Share(int(typed[1]), int(typed[2]), "--label") if typed else None


def from_environment(environment: Mapping[str, str] = os.environ, program: str = "train") -> Share:
    """The share that the variables of the first of ARRAYS and of the first of LAUNCHERS give.

    An array with the indices 0, 1, 2, ... (of Grid Engine 1, 2, 3, ...) shares all labels; if an element has several
    processes, each of these is a rank.  In any other array, such as 3,7, and where the scheduler does not tell which
    indices there are, an element takes the label with its own index.

    Raises:
        UserError: if none is set, one is no number, or a job of several tasks was started without srun.
    """
    launcher = next((known for known in LAUNCHERS if known.is_here(environment)), None)
    rank = number(environment, launcher.rank) if launcher else None
    size = (number(environment, launcher.size) if launcher else None) or 1
    if launcher and launcher.name == "Slurm" and size > 1 and not environment.get("SLURM_STEP_ID"):
        raise UserError(
            f"this is one process, not one of Slurm's {size} tasks; "
            f"start it with: srun {python()} -m wcgan_tf.{program} --label auto"
        )
    if (element := _element(environment)) is not None:
        if size == 1 or launcher is None or rank is None:
            return element
        if element.count is None:
            raise UserError(
                f"every one of the {size} tasks of this array element would take label {element.rank}; "
                "submit an array 0-N, or one with a task per element"
            )
        source = f"{element.source}, {launcher.rank}"
        return Share(element.rank * size + rank, element.count * size, source)
    if launcher and rank is not None:
        alone = 1 if launcher.name == "Slurm" else None  # sbatch sets no number of tasks if none was asked for
        return Share(rank, number(environment, launcher.size) or alone, launcher.rank)
    names = [known.index for known in ARRAYS] + [known.rank for known in LAUNCHERS]
    raise UserError(
        f"--label=auto finds no rank: none of {', '.join(dict.fromkeys(names))} is set; "
        "type --label=3, or --label=3/10 for every tenth label from 3 on"
    )


def _element(environment: Mapping[str, str]) -> Share | None:
    """The share of this element of a job array; None if this is none."""
    for array in ARRAYS:
        if environment.get(array.index, "") == NOT_AN_ELEMENT.get(array.index):
            continue
        if (index := number(environment, array.index)) is None:
            continue
        first, last = number(environment, array.first), number(environment, array.last)
        step = number(environment, array.step) or 1
        if array.name == "Slurm" and number(environment, "SLURM_ARRAY_TASK_COUNT") != (last or 0) + 1:
            step = 0  # a list with gaps
        whole = first == array.start and step == 1 and last is not None
        count = last - array.start + 1 if whole and last is not None else None
        end = last - array.start if last is not None else None
        return Share(max(0, index - array.start), count, array.index, end, array)
    return None
