"""The GPUs that this process may use, and the one that it takes.  No TensorFlow."""

import contextlib
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from wcgan_tf.core import machine
from wcgan_tf.core.errors import install
from wcgan_tf.launching import ranks

NAME = r"[0-9]+|(GPU|MIG)-[0-9A-Za-z/-]+"  # index, UUID, MIG instance; CUDA ignores what follows another word
LISTED = r"GPU (?P<index>[0-9]+):|\s+MIG .*\(UUID: (?P<instance>MIG-[^)]+)\)"
LIST_SECONDS = 60.0  # a driver in trouble may never answer
SILENT = "WCGAN_TF_SILENT_DRIVER"  # a variable that this process leaves to those it starts
DRIVER = Path("/proc/driver/nvidia/gpus")
NAME_THEM = "export CUDA_VISIBLE_DEVICES=0,1"


def visible(say: Callable[[str], None] = print) -> list[str]:
    """The GPUs and MIG instances that this process may use, as CUDA_VISIBLE_DEVICES names them.

    Args:
        say: called with a line if the driver does not answer.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return _installed(say)
    names = (name.strip() for name in chosen.split(","))
    return list(itertools.takewhile(lambda name: re.fullmatch(NAME, name), names))


def _installed(say: Callable[[str], None]) -> list[str]:
    """All GPUs by index; of a GPU with MIG instances these instead, which alone can be used."""
    if os.environ.get(SILENT):
        return []
    if not shutil.which("nvidia-smi"):
        if DRIVER.exists():
            say(f"there is NVIDIA's driver, but no nvidia-smi that lists its GPUs; to use them, type: {NAME_THEM}")
        return []
    try:
        process = subprocess.Popen(
            ["nvidia-smi", "-L"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", errors="replace"
        )
    except OSError:
        return []
    try:
        output, _ = process.communicate(timeout=LIST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # a process that waits for its driver cannot be killed
            process.wait(timeout=1.0)
        os.environ[SILENT] = "1"  # the labels of `launch` need not wait for it again
        say(f"nvidia-smi -L does not answer for {LIST_SECONDS:g} s: taken for no GPU; else name them: {NAME_THEM}")
        return []
    names: list[list[str]] = []
    for line in output.splitlines() if process.returncode == 0 else []:
        if match := re.match(LISTED, line):
            if match["index"]:
                names.append([match["index"]])
            elif names:
                names[-1] = [name for name in names[-1] if not name.isdecimal()] + [match["instance"]]
    return list(itertools.chain(*names))


def own_index(count: int) -> int:
    """Index of this process's GPU among the `count` visible ones: its local rank modulo `count`, or 0 without one."""
    return (
        next((rank for name in ranks.LOCAL_RANKS if (rank := machine.number(os.environ, name)) is not None), 0) % count
    )


def unseen() -> str:
    """What to say where TensorFlow does not see the GPUs that a process was given."""
    return f"TensorFlow sees no GPU, so it trains on the CPU; type {install('cuda')}, or --config.train.device=cpu"
