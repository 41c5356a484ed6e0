"""A signal in every phase of a label process: the right exit code, and no step is lost."""

import functools
import json
import os
import signal
import subprocess
import types
from pathlib import Path

import pytest
import tensorflow as tf
from conftest import PATIENCE_SECONDS, STEPS, proc, run, wait_until

from wcgan_tf.core.errors import STOPPED
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.core.signals import StopCount
from wcgan_tf.runs import label_status

ARGUMENTS = ["--label=3", "--workdir=run"]
EXPORT_WAITS = """
# `train`, which exports once there is a file `go`.
import sys
import time
from pathlib import Path

from wcgan_tf import cli, train
from wcgan_tf.training import trainer

export = trainer.export_generator


def wait_and_export(*arguments):
    Path("exporting").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    export(*arguments)


trainer.export_generator = wait_and_export
del sys.argv[0]
cli.run(train.main, train.define_flags)
"""


class Label:
    """A running `python -m wcgan_tf.train`."""

    def __init__(self, begin, folder: Path, *arguments: str, **kwargs):
        self.paths = LabelPaths(folder / "run/labels/00003")
        self.output = folder / "output.txt"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with self.output.open("w") as file:
            pipes = {"stdout": file, "stderr": subprocess.STDOUT}
            self.process = begin("train", *ARGUMENTS, *arguments, folder=folder, env=environment, **pipes, **kwargs)

    def says(self, words: str) -> bool:
        return words in self.output.read_text()

    def cpu_seconds(self) -> float:
        fields = proc(self.process, "stat").rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def end_by(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def start(tmp_path, begin):
    return functools.partial(Label, begin, tmp_path)


def test_a_signal_while_importing_stops_the_label(start):
    label = start("--config.train.max_seconds=300", fresh=True)
    wait_until(lambda: "tensorflow" in proc(label.process, "maps"), "the import", label.process)
    assert label.end_by(signal.SIGTERM) == STOPPED
    assert label.output.read_text() == "label 3: stopped before it took a step; the same command resumes\n"
    assert json.loads(label.paths.status.read_text())["state"] == "stopped"
    assert not label.paths.temporary.exists()


def test_a_signal_during_a_long_compilation_stops_the_label(start):
    label = start(
        "--config.train.max_seconds=300",
        "--config.train.jit_compile=on",
        "--config.model.architecture=resnet",
        "--config.train.critic_steps=32",
    )
    wait_until(lambda: label.says("tracing and compiling the step"), "compiling", label.process)
    begun = label.cpu_seconds()
    wait_until(lambda: label.cpu_seconds() > begun + 2, "compiling", label.process)
    assert not label.says("first execution")
    assert label.end_by(signal.SIGINT) == STOPPED
    assert label.says("stopped before it took a step")
    status = json.loads(label.paths.status.read_text())
    assert (status["state"], status["step"]) == ("stopped", 0)


def test_a_signal_while_stepping_saves_and_the_label_resumes(start, tmp_path):
    arguments = ["--config.model.width=4", "--config.train.max_seconds=300"]
    label = start(*arguments)
    wait_until(lambda: label_status.read(label.paths.status).step > 10, "some steps", label.process)
    assert label.end_by(signal.SIGUSR1) == STOPPED
    status = json.loads(label.paths.status.read_text())
    step = status["step"]
    assert status["state"] == "stopped"
    assert step > 10
    assert label.paths.checkpoints.joinpath(f"ckpt-{step}.index").exists()
    again = run("train", *ARGUMENTS, *arguments, f"--config.train.max_steps={step + 10}", folder=tmp_path)
    assert f"resumes from step {step}\n" in again.stdout
    assert json.loads(label.paths.status.read_text())["step"] == step + 10


def test_a_signal_while_exporting_lets_the_label_finish(begin_python, tmp_path):
    label = Label(functools.partial(begin_python, "-c", EXPORT_WAITS), tmp_path, *STEPS)
    wait_until((tmp_path / "exporting").exists, "exporting", label.process)
    assert label.paths.checkpoints.joinpath("ckpt-20.index").exists()
    label.process.send_signal(signal.SIGTERM)
    (tmp_path / "go").touch()
    assert label.process.wait(PATIENCE_SECONDS) == 0
    assert json.loads(label.paths.status.read_text())["state"] == "done"
    assert tf.saved_model.load(str(label.paths.generator)).signatures.keys() >= {"serving_default", "generate"}


def test_signals_that_come_together_are_one_request(monkeypatch):
    now = iter([0.0, 0.1, 1.0])
    monkeypatch.setattr("wcgan_tf.core.signals.time", types.SimpleNamespace(monotonic=lambda: next(now)))
    count = StopCount()
    for expected in (1, 1, 2):  # a terminal that is closed sends SIGHUP twice
        count(signal.SIGHUP, None)
        assert count.number == expected
