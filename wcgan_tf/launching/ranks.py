"""The labels of this process, from variables of Slurm, Open MPI or Kubernetes.  No TensorFlow."""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

from wcgan_tf.core.errors import UserError
from wcgan_tf.core.machine import number


@dataclass(frozen=True)
class Share:
    """The rank of a process among `count` processes (None if unknown), and `source`, the variables that give it."""

    rank: int
    count: int | None
    source: str

    def of(self, labels: list[int]) -> list[int]:
        """The labels of this rank: labels[rank], labels[rank + count], ...; labels[rank] alone if `count` is None.

        Raises:
            UserError: if there is no labels[rank] and `count` is None, or the rank is not below `count`.
        """
        if self.count is None:
            if self.rank >= len(labels):
                raise UserError(f"{self.source} is {self.rank}, and the labels are 0 to {len(labels) - 1}")
            return [labels[self.rank]]
        if self.rank >= self.count:
            raise UserError(f"{self.source} is {self.rank} of {self.count}; the first rank is 0")
        return labels[self.rank :: self.count]


def from_environment(environment: Mapping[str, str] = os.environ) -> Share:
    """The share that the scheduler's variables give.

    The first that is set counts: SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK, SLURM_PROCID, JOB_COMPLETION_INDEX.
    Open MPI precedes SLURM_PROCID: mpirun's processes may inherit the variables of the Slurm task that started them.
    A Slurm array with the indices 0, 1, 2, ... shares all labels; if an element has several tasks, or processes of
    mpirun, each of these is a rank.  In any other array, such as 3,7, an element takes the label with its own index.

    Raises:
        UserError: if none is set, one is no number, or a job of several tasks was started without srun.
    """
    own = functools.partial(number, environment)
    source, total = "SLURM_PROCID", "SLURM_NTASKS"
    if environment.get("OMPI_COMM_WORLD_RANK"):
        source, total = "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"
    task, tasks = own(source), own(total) or 1
    if source == "SLURM_PROCID" and task is not None and tasks > 1 and not environment.get("SLURM_STEP_ID"):
        raise UserError(
            f"this is one process, not one of Slurm's {tasks} tasks; "
            "start it with: srun python -m wcgan_tf.train --label auto"
        )
    element, elements = own("SLURM_ARRAY_TASK_ID"), own("SLURM_ARRAY_TASK_COUNT")
    if element is not None:
        whole = own("SLURM_ARRAY_TASK_MIN") == 0 and own("SLURM_ARRAY_TASK_MAX") == (elements or 0) - 1
        if not whole or elements is None:
            if tasks > 1:
                raise UserError(
                    f"every one of the {tasks} tasks of this array element would train label {element}; "
                    "submit an array 0-N, or one with a task per element"
                )
            return Share(element, None, "SLURM_ARRAY_TASK_ID")
        if tasks == 1 or task is None:
            return Share(element, elements, "SLURM_ARRAY_TASK_ID")
        return Share(element * tasks + task, elements * tasks, f"SLURM_ARRAY_TASK_ID, {source}")
    if task is not None:
        return Share(task, own(total), source)
    if (index := own("JOB_COMPLETION_INDEX")) is not None:
        return Share(index, None, "JOB_COMPLETION_INDEX")
    raise UserError(
        "--label=auto finds no rank: none of SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK, SLURM_PROCID and "
        "JOB_COMPLETION_INDEX is set; type --label=3, or --label=3/10 for every tenth label from 3 on"
    )
