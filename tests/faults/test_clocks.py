"""Clocks that are set while a label trains: by an hour and by a year, either way."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from conftest import ENDLESS, PATIENCE_SECONDS, SMALL, trained, wait_until
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from wcgan_tf.core import errors, folder_lock, pauses, records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.owner import Owner
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.runs import event_files, label_status
from wcgan_tf.runs.label_status import Heartbeat

HOUR, YEAR = 3600, 365 * 86400
JUMPS = [HOUR, -HOUR, YEAR, -YEAR]  # from the true time


SLEEP = """
# libfaketime 0.9.10 takes the moment of CLOCK_MONOTONIC until which `time.sleep` sleeps for one of the time of day.
import threading, time
time.sleep = lambda seconds: threading.Event().wait(seconds) and None
"""


class Clock:
    """The clock of all programs that start with this environment: a file says how far it is from the true time.

    Only the time of day is set, as by an administrator, not the time since the start of the machine.
    """

    def __init__(self, library: str, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(SLEEP)
        self._file, self.offset = folder / "offset", 0
        names = ("FAKETIME_CACHE_DURATION", "DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT")
        self.environment = {**os.environ, "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(self._file)}
        self.environment["PYTHONPATH"] = os.pathsep.join([str(folder), *sys.path])
        self.environment |= dict.fromkeys(names, "1")
        self.set(0)

    def set(self, offset: int) -> None:
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{offset:+d}\n")
        aside.replace(self._file)
        self.offset = offset


@pytest.fixture
def clock(tmp_path):
    if not (faketime := shutil.which("faketime")):
        pytest.skip("needs faketime")
    words = [faketime, "-m", "-f", "+0", "sh", "-c", "echo $LD_PRELOAD"]
    return Clock(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip(), tmp_path / "clock")


def test_labels_train_on_and_what_is_shown_is_right(whole_chain, tmp_path, begin, clock, monkeypatch):
    trained(whole_chain[0], tmp_path)
    label, true_time = RunPaths(tmp_path / "runs/digits").label(3), time.time
    program = {"folder": tmp_path, "fresh": True, "env": clock.environment, "stdout": -1, "stderr": -1}
    soon = ["--config.train.checkpoint_seconds=1"]
    began, launch = time.monotonic(), begin("launch", "--labels=3", *ENDLESS, *soon, **program)
    wait_until(label.saved_checkpoints, "a checkpoint", launch)
    monkeypatch.setattr(time, "time", lambda: true_time() + clock.offset)  # `read` has that clock, too
    for offset in [HOUR, -HOUR, -YEAR, YEAR]:
        clock.set(offset)
        wait_until(lambda: label_status.read(label.status).state == "running", "a beat", launch)
    now = label_status.read(label.status)
    assert abs(now.updated - true_time()) > YEAR - HOUR, "its clock was not set"
    assert 0 < now.seconds < time.monotonic() - began
    for pid in (launch.pid, now.pid):  # it repeats the steps since its last checkpoint
        os.kill(pid, signal.SIGKILL)
    launch.communicate(timeout=PATIENCE_SECONDS)
    clock.set(-HOUR)
    saved = max(int(path.name.removeprefix("ckpt-")) for path in label.saved_checkpoints())
    last = begin("launch", "--labels=3", *SMALL, f"--config.train.max_steps={saved + 20}", **program)
    wait_until(lambda: label_status.read(label.status).pid not in (0, now.pid), "the second start", last)
    clock.set(-YEAR)  # before the time at which `launch` began
    said, _ = last.communicate(timeout=PATIENCE_SECONDS)
    assert last.returncode == errors.DONE
    assert "trained 1 label in" in said
    assert "before" not in said
    steps = [json.loads(row)["step"] for row in label.metrics.read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert _curve(label.tensorboard("3")) == steps


def _curve(folder: Path) -> list[int]:
    """The steps of a curve, as TensorBoard reads them."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.step for event in events.Tensors(event_files.TAGS["critic_loss"])]


@pytest.mark.parametrize("jump", JUMPS)
def test_a_label_is_stale_until_the_next_beat_at_most(tmp_path, monkeypatch, jump):
    monkeypatch.setattr(label_status, "BEAT_SECONDS", 0.3)
    status, true_time = tmp_path / "status.json", time.time
    beat = Heartbeat(status, 3, "cat")
    try:
        assert label_status.read(status).state == "running"
        monkeypatch.setattr(time, "time", lambda: true_time() + jump)
        wait_until(lambda: label_status.read(status).state == "running", "the next beat")
        beats = {label_status.read(status).updated for _ in range(10) if not time.sleep(0.1)}
        assert len(beats) > 1
        assert label_status.read(status).state == "running"
    finally:
        beat.end("stopped")


@pytest.mark.parametrize("jump", JUMPS)
def test_a_holder_whose_clock_jumps_keeps_its_folder(tmp_path, monkeypatch, jump):
    """Here a process of another machine, which is known by its owner file alone; the file server's clock jumps."""
    monkeypatch.setattr(folder_lock, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(folder_lock, "DEAD_SECONDS", 0.5)
    owner, over = tmp_path / "owner.json", threading.Event()
    records.write(owner, msgspec.structs.replace(Owner.me(), host="node7", boot="another"))

    def beat() -> None:
        while not over.wait(0.1):
            now = time.time() + jump
            os.utime(owner, (now, now))

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(UserError, match="is in use by process"), folder_lock.lock(tmp_path, print):
            pass
    finally:
        over.set()
        thread.join()
    with folder_lock.lock(tmp_path, print):  # when it is silent, it is gone, whatever time the file has
        assert records.decode(owner.read_bytes(), Owner).pid == os.getpid()


def test_the_time_in_which_a_label_is_stopped_is_not_taken_from_its_budget(whole_chain, tmp_path, begin):
    trained(whole_chain[0], tmp_path)
    label = RunPaths(tmp_path / "runs/digits").label(3)
    budget, pause = 4.0, pauses.SHORTEST_SECONDS + 3.0
    seconds = ["--config.model.width=4", f"--config.train.max_seconds={budget}"]
    process = begin("train", "--label=3", *seconds, folder=tmp_path)
    wait_until(lambda: label_status.read(label.status).step > 0, "a step", process)
    process.send_signal(signal.SIGSTOP)
    time.sleep(pause)
    process.send_signal(signal.SIGCONT)
    assert process.wait(PATIENCE_SECONDS) == errors.DONE
    done = label_status.read(label.status)
    assert (done.state, done.progress) == ("done", 1.0)
    assert budget <= done.seconds < pause
    rows = [json.loads(row)["seconds"] for row in label.metrics.read_text().splitlines()]
    assert max(later - earlier for earlier, later in itertools.pairwise(rows)) < pauses.SHORTEST_SECONDS
