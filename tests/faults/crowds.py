"""Crowds: as many processes as one likes that do the same at once, and what must come of it."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import cases
from conftest import SMALL, STEPS, run, start_python, trained, wait_until

from wcgan_tf.core import errors
from wcgan_tf.core.paths import RunPaths

PATIENCE_SECONDS = 3600  # of a crowd, on however few cores
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
Begin = Callable[..., subprocess.Popen]  # `conftest.start`, or the fixture `begin`


def ended(processes: list[subprocess.Popen]) -> list[tuple[int, str]]:
    """The exit codes and all that was said, of processes with pipes."""
    said = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    return [(process.returncode, out + err) for process, (out, err) in zip(processes, said, strict=True)]


def train(number: int, whole: Path, folder: Path, begin: Begin) -> None:
    """Of those that train a label one does, and the others are refused, or find that it is done."""
    trained(whole, folder)
    found = ended([begin("train", "--label=3", *STEPS, folder=folder, **PIPES) for _ in range(number)])
    for code, said in found:
        assert code == errors.DONE or (code == errors.WRONG_INPUT and "is in use by process" in said), said
    assert sum("done after 20 steps" in said for _, said in found) == 1
    label = RunPaths(folder / "runs/digits").label(3)
    assert label.log.read_text().count("tracing the step") == 1
    assert cases.weights(label.generator) == cases.weights(RunPaths(whole / "runs/digits").label(3).generator)


def prepare(number: int, whole: Path, folder: Path, begin: Begin) -> None:
    """Of those that prepare one does, and the others wait for it."""
    found = ended([begin("prepare", "--classifier=domain", folder=folder, **PIPES) for _ in range(number)])
    assert [said for code, said in found if code != errors.DONE] == []
    assert sum("training the domain classifier" in said for _, said in found) == 1
    assert cases.leftovers(folder) == []
    assert cases.not_whole(folder) == []


def combine(number: int, whole: Path, folder: Path, begin: Begin) -> None:
    """Of those that put the labels 2 to 4 into one model none is lost, and who reads finds a whole model."""
    trained(whole, folder, 2, 3, 4)
    run("combine", "--partial", folder=folder)
    run("train", "--label=2-4", *SMALL, "--config.train.max_steps=30", folder=folder)
    labels = [(2, 3, 4)[place % 3] for place in range(number)]
    writers = [begin("combine", f"--replace={label}", folder=folder, **PIPES) for label in labels]
    board, address = tensorboard(folder)
    try:
        while any(process.poll() is None for process in writers):
            read(folder)
        wait_until(lambda: _is_served(address), "TensorBoard's curves", board)
    finally:
        board.kill()
        board.wait()
    assert [said for code, said in ended(writers) if code != errors.DONE] == []
    manifest = json.loads((folder / "saved_models/digits/manifest.json").read_text())
    assert [(entry["label"], entry["step"]) for entry in manifest["labels"]] == [(2, 30), (3, 30), (4, 30)]
    assert sorted(path.name for path in (folder / "saved_models").iterdir()) == ["digits"]


def read(folder: Path) -> None:
    """Read everything by the programs that do."""
    counts = json.loads(run("status", "--json", folder=folder).stdout)["counts"]
    assert sum(counts.values()) == 10
    run("sample", "--num=1", "--output=now.png", "--overwrite", folder=folder)
    run("report", folder=folder)


def tensorboard(folder: Path) -> tuple[subprocess.Popen, str]:
    """A TensorBoard that serves a run, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(Path(sys.executable).parent / "tensorboard"), "--logdir=runs/digits", f"--port={port}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return start_python(*words, folder=folder, **quiet), f"http://127.0.0.1:{port}"


def _is_served(address: str) -> bool:
    """Whether TensorBoard shows the overview of the last report, and the curves of a label."""
    try:
        runs = json.load(urlopen(f"{address}/data/runs"))
    except OSError:  # it does not listen yet
        return False
    return "overview" in runs and any(name.startswith("labels/00003") for name in runs)


CROWDS = {"train a label": train, "prepare": prepare, "combine --replace": combine}


def attempt(name: str, number: int, whole: Path, folder: Path, begin: Begin) -> str:
    """Have a crowd in a new folder; returns what is wrong."""
    folder.mkdir()
    try:
        CROWDS[name](number, whole, folder, begin)
    except AssertionError as error:
        return f"{error!s:.600}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ""
