"""Output that cannot be written stops no training; progress without a terminal."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS, proc, run_python, shown_on, wait_until

from wcgan_tf.core import console
from wcgan_tf.core.errors import STOPPED
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.runs import label_status

ARGUMENTS = ["--label=3", "--workdir=run", "--config.model.width=4"]
SHORT = ["--config.train.max_seconds=0", "--config.train.max_steps=40"]


def test_a_training_finishes_with_closed_streams(tmp_path):
    command = shlex.join([sys.executable, "-m", "wcgan_tf.train", *ARGUMENTS, *SHORT])
    done = subprocess.run(["bash", "-c", f"{command} <&- >&- 2>&-"], cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert json.loads(LabelPaths(tmp_path / "run/labels/00003").status.read_text())["state"] == "done"


def test_a_training_finishes_with_stdout_closed(tmp_path):
    """Python then gives the program no `sys.stdout`, and descriptor 1 to a file that it opens."""
    code = "import os, sys; from wcgan_tf import cli, train; os.close(1); sys.stdout = None; sys.argv[0] = 'train'; "
    code += "cli.run(train.main, train.define_flags)"
    done = run_python("-c", code, *ARGUMENTS, *SHORT, folder=tmp_path)
    assert done.stderr == ""
    assert json.loads(LabelPaths(tmp_path / "run/labels/00003").status.read_text())["state"] == "done"


@pytest.mark.parametrize("reader", ["gone", "full"])
def test_a_training_finishes_with_a_closed_or_full_stdout(tmp_path, begin, reader):
    """As with `| head -1`, and with `> /dev/full`."""
    with Path("/dev/full").open("w") as full:
        out = full if reader == "full" else subprocess.PIPE
        process = begin("train", *ARGUMENTS, *SHORT, folder=tmp_path, stdout=out, stderr=subprocess.PIPE)
    if reader == "gone":
        assert process.stdout.readline().startswith("label 3: ")
        process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(PATIENCE_SECONDS) == 0
    assert json.loads(LabelPaths(tmp_path / "run/labels/00003").status.read_text())["state"] == "done"


@pytest.mark.parametrize("phase", ["importing", "stepping"])
def test_a_signal_is_answered_while_the_pipe_is_full(tmp_path, phase, begin):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b" " * 1000)
    os.set_blocking(writer, True)
    arguments = [*ARGUMENTS, "--config.train.max_seconds=300"]
    process = begin("train", *arguments, folder=tmp_path, stdout=writer, fresh=phase == "importing")
    paths = LabelPaths(tmp_path / "run/labels/00003")
    reached = {
        "importing": lambda: "tensorflow" in proc(process, "maps"),
        "stepping": lambda: label_status.read(paths.status).step > 0,
    }
    wait_until(reached[phase], phase, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == STOPPED
    os.close(reader)
    os.close(writer)
    assert paths.checkpoints.exists() == (phase == "stepping")


def test_a_stop_before_the_first_step_restores_the_cursor(tmp_path, begin):
    """The bar hides the cursor; a signal during tracing must not leave it hidden."""
    terminal, end = pty.openpty()
    arguments = [*ARGUMENTS, "--config.model.architecture=resnet"]
    process = begin("train", *arguments, folder=tmp_path, stdout=end, env={**os.environ, "TERM": "xterm"})
    os.close(end)
    shown = b""
    for shown in shown_on(terminal):
        if b"tracing" in shown and process.poll() is None:
            process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == STOPPED
    assert b"stopped before it took a step" in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l") >= 0


def test_without_a_terminal_progress_is_lines(capsys, monkeypatch):
    monkeypatch.setattr(console, "LINE_SECONDS", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as CI services set it; it makes no terminal of a file
    with console.ProgressBar("photos [train]", 7) as count:
        count.to(3)
        count.say("skipped a.jpg: [broken]")
    with console.ProgressBar("photos", None) as count:
        count.to(4)
    said = capsys.readouterr()
    assert said.err.splitlines() == ["photos [train]: 3 of 7", "photos [train]: skipped a.jpg: [broken]", "photos: 4"]
    assert said.out == ""


def test_a_short_count_prints_nothing(capsys):
    with console.ProgressBar("photos", 7) as count:
        count.to(7)
    assert capsys.readouterr().err == ""
