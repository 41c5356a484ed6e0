"""Processes that measure in turn, so that a machine that slows down slows all of them; for table.py and its workers.

A worker starts with `serve`; the table starts workers and asks each of them for a measurement at a time.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def serve(measure: Callable[[float], dict]) -> None:
    """In a worker: for each line of the standard input, which is a number of seconds, print `measure` of it."""
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(float(line))), flush=True)


def images_per_second(take: Callable[[], int], seconds: float) -> dict:
    """Call `take`, which returns the images that it trained on, for so many seconds."""
    images, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        images += take()
    return {"images_per_second": images / spent}


def has_pytorch(python: str) -> bool:
    """Whether a Python has PyTorch."""
    code = "import importlib.util as own, sys; sys.exit(not own.find_spec('torch'))"
    try:
        return subprocess.run([python, "-c", code], check=False).returncode == 0
    except OSError:
        return False


class Workers:
    """As many processes of one kind as there are cores to measure on, each on its own core."""

    def __init__(self, python: str, script: str, arguments: list[str], cores: list[int]) -> None:
        self._command = [python, str(Path(__file__).with_name(script)), *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._processes = []
        for core in cores:
            pinned = ["taskset", "--cpu-list", str(core), *self._command]
            self._processes.append(subprocess.Popen(pinned, env=environment, **pipes))

    def wait(self) -> None:
        """Until all are ready."""
        for process in self._processes:
            if process.stdout.readline() != "ready\n":
                sys.exit(f"{' '.join(self._command)} ended; its message is above")

    def measure(self, seconds: float) -> list[dict]:
        """What each process measures, all at the same time."""
        for process in self._processes:
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process in self._processes]

    def end(self) -> None:
        for process in self._processes:
            process.stdin.close()
            process.wait()
