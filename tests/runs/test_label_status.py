"""status.json: written while a label trains, and how a label that no longer writes is read."""

import errno
import json
import math
import os
import subprocess
import time

import pytest
from conftest import wait_until

from wcgan_tf.core import machine, records
from wcgan_tf.runs import label_status
from wcgan_tf.runs.label_status import Heartbeat, LabelStatus


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(label_status, "BEAT_SECONDS", 0.05)


def test_a_label_without_a_file_is_pending_and_one_with_a_damaged_one_has_failed(tmp_path):
    file = tmp_path / "status.json"
    assert label_status.read(file) == LabelStatus()
    assert label_status.read(file).state == "pending"
    odd = [{"state": "odd"}, {"updated": "now"}, {"updated": math.nan}, {"step": -1}, {"step": 1.5}, {"step": True}]
    odd += [{"seconds": math.inf}, {"progress": 1.5}, {"images_per_second": -1.0}, {"host": 3}, {"error": None}]
    contents = [json.dumps({"state": "done", "updated": 1.0, **values}) for values in odd]
    for content in ("", "{", "[]", "[" * 100_000, *contents):
        file.write_text(content)
        error = "status.json is damaged; the label's next start writes it anew"
        assert label_status.read(file) == LabelStatus(state="failed", error=error), content[:100]
    file.write_text(json.dumps({"state": "failed", "updated": 1.0, "error": "\x1b[31mred"}))
    assert label_status.read(file).error == "?[31mred"


def test_one_that_cannot_be_read_hides_no_other_label(tmp_path, monkeypatch):
    status = tmp_path / "status.json"
    status.mkdir()
    assert label_status.read(status).error == "status.json is damaged; it is a folder; delete it"

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied", str(status))

    monkeypatch.setattr(records, "read_if_whole", refuse)
    shown = label_status.read(status)
    assert (shown.state, shown.error) == ("failed", "status.json cannot be read: Permission denied")


def test_the_heartbeat_renews_the_status_and_keeps_its_fields(tmp_path, fast):
    file = tmp_path / "status.json"
    beat = Heartbeat(file, 3, "cat")
    first = label_status.read(file)
    assert (first.state, first.step) == ("running", 0)
    beat.note(step=7, seconds=1.5, progress=0.25, wasserstein_estimate=-0.5)
    wait_until(lambda: label_status.read(file).updated >= first.updated + 0.2, "a beat")
    now = label_status.read(file)
    assert (now.step, now.seconds, now.progress, now.wasserstein_estimate) == (7, 1.5, 0.25, -0.5)
    assert now.seconds_left() == 4.5
    beat.end("failed", "it broke")
    time.sleep(0.2)
    last = label_status.read(file)
    assert (last.state, last.error, last.step) == ("failed", "it broke", 7)
    assert json.loads(file.read_text())["name"] == "cat"


def test_a_new_start_keeps_the_steps_that_were_taken(tmp_path):
    file = tmp_path / "status.json"
    beat = Heartbeat(file, 3, "cat")
    kept = {"step": 70, "seconds": 9.0, "progress": 0.5, "device": "CPU:0", "threads": 2, "best_step": 60}
    beat.note(**kept, best_kernel_distance=0.3)
    beat.end("stopped")
    Heartbeat(file, 3, "cat").end("failed", "no memory")
    again = label_status.read(file)
    assert (again.state, again.best_kernel_distance) == ("failed", 0.3)
    assert {name: getattr(again, name) for name in kept} == kept


@pytest.mark.parametrize(("state", "shown"), [("running", "stale"), ("done", "done"), ("failed", "failed")])
def test_only_running_labels_go_stale(tmp_path, state, shown):
    file = tmp_path / "status.json"
    for age, expected in ((55, state), (65, shown), (-55, state), (-65, shown)):  # negative: a wrong clock
        file.write_text(json.dumps({"state": state, "updated": time.time() - age}))
        assert label_status.read(file).state == expected


def test_a_process_that_is_gone_from_this_machine_is_stale_at_once(tmp_path):
    file = tmp_path / "status.json"
    ended = subprocess.Popen(["true"])
    ended.wait()
    for host, pid, expected in (
        (machine.host(), ended.pid, "stale"),
        ("another", ended.pid, "running"),
        (machine.host(), os.getpid(), "running"),
        (machine.host(), 1, "running"),  # may be another user's
        (machine.host(), 2**50, "stale"),
    ):
        file.write_text(json.dumps({"state": "running", "updated": time.time(), "host": host, "pid": pid}))
        assert label_status.read(file).state == expected


def test_a_file_that_cannot_be_written_does_not_end_a_training(tmp_path, fast, monkeypatch):
    monkeypatch.setattr(label_status, "SOONEST_SECONDS", 0.0)
    file = tmp_path / "status.json"
    beat = Heartbeat(file, 3, "cat")
    file.unlink()
    file.mkdir()
    (file / "something").touch()
    for _ in range(10):
        time.sleep(0.02)
        beat.note(step=8)
    (file / "something").unlink()
    file.rmdir()
    beat.end("done")
    last = label_status.read(file)
    assert (last.state, last.step) == ("done", 8)
