"""Whoever reads the lines of a training, and stops reading, does not stop the training."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from wcgan_tf.errors import STOPPED
from wcgan_tf.paths import LabelPaths

ARGUMENTS = ["--label=3", "--workdir=run", "--config.model.width=4"]
SHORT = ["--config.train.max_seconds=0", "--config.train.max_steps=200"]


def shell(command: str, folder, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False, **kwargs)


@pytest.mark.parametrize("ending", ["| head -1", "> /dev/full", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_training_gets_done_whoever_reads(tmp_path, ending):
    command = " ".join([sys.executable, "-m", "wcgan_tf.train", *ARGUMENTS, *SHORT])
    done = shell(f"set -o pipefail; {command} {ending}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(LabelPaths(tmp_path / "run/labels/00003").status.read_text())["state"] == "done"


@pytest.mark.parametrize("phase", ["importing", "stepping"])
def test_a_signal_is_answered_while_the_pipe_is_full(tmp_path, phase, begin):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b" " * 1000)
    os.set_blocking(writer, True)
    process = begin("train", *ARGUMENTS, "--config.train.max_seconds=300", folder=tmp_path, stdout=writer)
    paths = LabelPaths(tmp_path / "run/labels/00003")
    deadline = time.monotonic() + 60
    while phase == "stepping" and not paths.metrics.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == STOPPED
    os.close(reader)
    os.close(writer)
    assert paths.checkpoints.exists() == (phase == "stepping")


def test_a_stop_before_the_first_step_gives_the_terminal_back(tmp_path, begin):
    """The bar hides the cursor; a signal in the middle of tracing must not leave it hidden."""
    terminal, end = pty.openpty()
    arguments = [*ARGUMENTS, "--config.model.architecture=resnet"]
    process = begin("train", *arguments, folder=tmp_path, stdout=end, env={**os.environ, "TERM": "xterm"})
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(terminal, 1000):
            shown += part
            if b"tracing" in shown and process.poll() is None:
                process.send_signal(signal.SIGINT)
    assert process.wait(20) == STOPPED
    assert b"stopped before it took a step" in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l") >= 0
