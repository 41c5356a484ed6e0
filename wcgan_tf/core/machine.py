"""The name of this machine, and the CPUs and the memory that this process may use of it."""

import math
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from wcgan_tf.core.errors import UserError

CONTROL_GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
MEMORY, PROCESSORS = Path("/proc/meminfo"), Path("/proc/cpuinfo")
BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")


class Limit(NamedTuple):
    """How much of something this process may use, and what sets the limit; "" if it is the whole machine."""

    amount: float
    source: str = ""


def host() -> str:
    """The name of this host: Slurm's node name if there is one, else its own."""
    name = os.environ.get("SLURMD_NODENAME") or platform.node()
    return name.encode(errors="replace").decode()


def cpus(environment: Mapping[str, str] = os.environ) -> Limit:
    """The CPUs (hardware threads) of this process: the least of affinity, Slurm's share and the control group's quota.

    Raises:
        UserError: if a variable of Slurm is no number.
    """
    pinned = len(os.sched_getaffinity(0))
    limits = [Limit(pinned, "affinity" if pinned < (os.cpu_count() or pinned) else "")]
    limits += [*_slurm(environment), *(Limit(quota, "the control group's quota") for quota in _quotas())]
    return min(limits, key=lambda limit: limit.amount)


def memory() -> Limit:
    """The bytes of memory of this process: the least of what the machine has free and its control groups' limits."""
    free = re.search(r"^MemAvailable:\s+(\d+) kB", MEMORY.read_text(), re.MULTILINE) if MEMORY.exists() else None
    limits = [Limit(int(free[1]) * 1024 if free else math.inf)]
    names = ("memory.max", "memory.limit_in_bytes")  # of versions 2 and 1
    for values in (_values(folder / name) for folder in _groups("memory") for name in names):
        limits += [Limit(int(value), "the control group's limit") for value in values if value.isdecimal()]
    return min(limits, key=lambda limit: limit.amount)


def threads(environment: Mapping[str, str] = os.environ) -> int:
    """The number of threads that this process computes with: its CPUs, at most OMP_NUM_THREADS; at least 1."""
    own = int(cpus(environment).amount)
    asked = re.match(r"[1-9][0-9]{0,5}", environment.get("OMP_NUM_THREADS", "").strip())
    return max(1, min(own, int(asked[0]) if asked else own))


def computes_in_bfloat16(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the CPU has instructions for bfloat16, and TensorFlow the library that uses them, oneDNN."""
    has = bool(_processor_flags().intersection(BFLOAT16_FLAGS))
    return has and environment.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() not in ("0", "false")


def computes_with_avx2() -> bool:
    """Whether AVX2 is the widest of the CPU's instructions for vectors."""
    flags = _processor_flags()
    return "avx2" in flags and "avx512f" not in flags


def _processor_flags() -> set[str]:
    """What the CPU can do, in Linux's words; empty if that is not known."""
    flags = re.search(r"^flags\s*:(.*)$", PROCESSORS.read_text(), re.MULTILINE) if PROCESSORS.exists() else None
    return set(flags[1].split()) if flags else set()


def number(environment: Mapping[str, str], name: str) -> int | None:
    """The integer in an environment variable; None if it is not set.

    Raises:
        UserError: if it is no number.
    """
    text = environment.get(name, "")
    if text and not re.fullmatch(r"[0-9]{1,9}", text):
        raise UserError(f"{name} is {text[:40]!r}, which is no number; unset it")
    return int(text) if text else None


def _slurm(environment: Mapping[str, str]) -> list[Limit]:
    """Slurm's share of this task, or of the batch script, which may use all that the job has on this node."""
    each, tasks = (number(environment, name) for name in ("SLURM_CPUS_PER_TASK", "SLURM_NTASKS"))
    limits = [Limit(each, "SLURM_CPUS_PER_TASK")] if each else []
    if environment.get("SLURM_STEP_ID"):
        return limits
    on_node = number(environment, "SLURM_CPUS_ON_NODE")
    return [limit._replace(amount=limit.amount * (tasks or 1)) for limit in limits] + (
        [Limit(on_node, "SLURM_CPUS_ON_NODE")] if on_node else []
    )


def _quotas() -> list[float]:
    """The CPUs that the quotas of this process's control groups amount to."""
    quotas = []
    for folder in _groups("cpu"):
        period = _values(folder / "cpu.cfs_period_us")
        for values in (_values(folder / "cpu.max"), _values(folder / "cpu.cfs_quota_us") + period):
            if len(values) == 2 and all(value.isdecimal() and int(value) for value in values):  # else "max" or -1
                quotas.append(int(values[0]) / int(values[1]))
    return quotas


def _groups(controller: str) -> list[Path]:
    """The folders of this process's control groups, of both versions, and of all groups that they are in."""
    folders: list[Path] = []
    for line in OWN_GROUPS.read_text().splitlines() if OWN_GROUPS.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mounts = (controllers, controller) if controllers else ("", "unified")
        inside = Path(path.lstrip("/"))  # in a container it may be the path outside; then only the mount itself is left
        folders += [CONTROL_GROUPS / mount / part for mount in mounts for part in (inside, *inside.parents)]
    return folders


def _values(file: Path) -> list[str]:
    """The words in a file; none if it cannot be read."""
    try:
        return file.read_text().split()
    except OSError:
        return []
