"""The GPUs that this process may use, and the one that it takes.  No TensorFlow."""

import itertools
import os
import re
import shutil
import subprocess

from wcgan_tf.launching import ranks

LOCAL_RANKS = ("OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")  # mpirun's processes may have Slurm's too, of one task
NAME = r"[0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+"  # index, UUID, MIG instance; CUDA ignores what follows another word
LISTED = r"GPU (?P<index>[0-9]+):|\s+MIG .*\(UUID: (?P<instance>MIG-[^)]+)\)"
LIST_SECONDS = 20.0  # a driver in trouble may never answer


def visible() -> list[str]:
    """The GPUs and MIG instances that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return _installed()
    names = (name.strip() for name in chosen.split(","))
    return list(itertools.takewhile(lambda name: re.fullmatch(NAME, name), names))


def _installed() -> list[str]:
    """All GPUs by index; of a GPU with MIG instances these instead, which alone can be used."""
    if not shutil.which("nvidia-smi"):
        return []
    try:
        found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=LIST_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return []
    names: list[list[str]] = []
    for line in found.stdout.splitlines():
        if match := re.match(LISTED, line):
            if match["index"]:
                names.append([match["index"]])
            else:
                names[-1] = [name for name in names[-1] if not name.isdecimal()] + [match["instance"]]
    return list(itertools.chain(*names))


def own_index(count: int) -> int:
    """Index of this process's GPU among the `count` visible ones: its local rank modulo `count`, or 0 without one."""
    return next((rank for name in LOCAL_RANKS if (rank := ranks.number(os.environ, name)) is not None), 0) % count
