"""Parallel processes: each on its cores, restarted if they die, stopped on request."""

import os
import signal
import sys
import time

import pytest
from conftest import PATIENCE_SECONDS

from wcgan_tf.core import errors, machine
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.launching import workers

HERE = sorted(os.sched_getaffinity(0))


class Notes:
    def __init__(self):
        self.lines = []

    def started(self, label, place):
        self.lines.append((label, "started"))

    def said(self, label, text):
        self.lines.append((label, text))

    def ended(self, label, code):
        self.lines.append((label, code))


IN_TURN = """
import os, pathlib, sys
from wcgan_tf.core import errors, process
from wcgan_tf.core.paths import RunPaths

code, folder, answers = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3].removeprefix("--answers="))
for line in iter(sys.stdin.readline, ""):
    label, end = int(line), 0
    process.write_to(RunPaths(folder).label(label).log)
    try:
        exec(code)
    except SystemExit as asked:
        end = asked.code
    if end in (errors.FAILED, errors.STOPPED):
        sys.exit(end)
    os.write(answers, f"{end}\\n".encode())
"""


def run(tmp_path, code: str, labels, places, until=None) -> tuple[workers.Workers, Notes]:
    """Run Python code for each label, as `label`, in processes that take labels as `train` does.

    Calls `until` at every poll.
    """
    notes = Notes()
    crew = workers.Workers(
        labels,
        places,
        [sys.executable, "-c", IN_TURN, code, str(tmp_path)],
        RunPaths(tmp_path),
        notes.started,
        notes.ended,
        notes.said,
    )
    crew.poll()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while crew.running and time.monotonic() < deadline:
        assert len(crew.running) <= len(places)
        if until:
            until(crew)
        time.sleep(0.02)
        crew.poll()
    return crew, notes


def log(tmp_path, label: int) -> str:
    return RunPaths(tmp_path).label(label).log.read_text()


def place(cpu: int = HERE[0], gpu: str | None = None) -> workers.Place:
    return workers.Place(frozenset({cpu}), gpu, 1)


def test_each_process_is_pinned_to_its_cpus_and_sees_its_gpu(tmp_path):
    code = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['CUDA_VISIBLE_DEVICES'])"
    spots = [place(HERE[0], "2"), place(HERE[-1], "5")]
    crew, _ = run(tmp_path, code, [0, 1], spots)
    assert crew.ended == {0: 0, 1: 0}
    assert {log(tmp_path, 0), log(tmp_path, 1)} == {f"[{HERE[0]}] 2\n", f"[{HERE[-1]}] 5\n"}
    assert sorted(os.sched_getaffinity(0)) == HERE


def test_a_process_that_is_not_pinned_has_its_number_of_threads(tmp_path):
    code = "import os; print(sorted(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"
    run(tmp_path, code, [0], [workers.Place(frozenset(), None, 1)])
    assert log(tmp_path, 0) == f"{HERE} 1\n"


def test_all_labels_run_in_order(tmp_path):
    crew, notes = run(tmp_path, "print('here')", list(range(7)), [place(), place()])
    assert crew.ended == dict.fromkeys(range(7), 0)
    assert [line for line in notes.lines if line[1] == "started"] == [(label, "started") for label in range(7)]


def test_a_process_takes_labels_in_turn_and_a_dead_one_is_replaced(tmp_path):
    code = "print(os.getpid(), flush=True); label == 2 and os.kill(os.getpid(), 9); sys.exit(3 if label == 1 else 0)"
    crew, _ = run(tmp_path, code, list(range(5)), [place()])
    assert crew.ended == {0: 0, 1: 3, 2: -signal.SIGKILL, 3: 0, 4: 0}
    pids = [log(tmp_path, label).split() for label in range(5)]
    assert pids[0] == pids[1] == pids[2][:1]
    assert pids[3] == pids[4] == pids[2][1:2]
    assert len(set(pids[2])) == workers.ATTEMPTS
    assert not any(os.path.exists(f"/proc/{pid}") for pid in {*pids[0], *pids[2]})  # noqa: PTH110


def test_a_process_that_dies_without_a_label_costs_none(tmp_path):
    code = "write = os.write; os.write = lambda *answer: (write(*answer), label or os._exit(9))"  # answers, and dies

    def wait(crew):
        time.sleep(0.5)  # until it has ended

    crew, notes = run(tmp_path, code, [0, 1], [place()], until=wait)
    assert crew.ended == {0: 0, 1: 0}
    assert not any("attempt" in str(text) for _, text in notes.lines)


@pytest.mark.parametrize(
    ("ending", "code", "attempts"),
    [
        ("sys.exit(1)", 1, 3),
        ("os.kill(os.getpid(), 9)", -9, 3),
        (f"sys.exit({errors.WRONG_INPUT})", 2, 1),
        (f"sys.exit({errors.DIVERGED})", 3, 1),
        (f"sys.exit({errors.STOPPED})", 75, 1),
    ],
)
def test_a_process_that_dies_is_tried_twice_more_unless_its_exit_code_is_final(tmp_path, ending, code, attempts):
    program = f"print('try', flush=True); label == 4 and {ending}"
    crew, notes = run(tmp_path, program, [3, 4, 5], [place()])
    assert crew.ended == {3: 0, 4: code, 5: 0}
    assert log(tmp_path, 4) == "try\n" * attempts
    assert sum("resumes from its last checkpoint" in str(text) for _, text in notes.lines) == attempts - 1
    assert notes.lines.count((4, code)) == 1
    assert any("memory ran out: type a smaller --config" in str(text) for _, text in notes.lines) == (code == -9)


def test_fewer_processes_are_a_way_out_of_too_little_memory(tmp_path):
    crew, notes = run(tmp_path, "import os; os.kill(os.getpid(), 9)", [4], [place(), place(), place()])
    hint = " (if nobody sent it, memory ran out: give launch --jobs=1, or type a smaller --config.train.batch_size)"
    assert (4, f"killed by signal 9{hint}; attempt 2 of 3 resumes from its last checkpoint") in notes.lines
    assert crew.memory_hint(-9) == hint
    crew.stop()
    assert crew.memory_hint(-9) == ""  # this program sent it


def test_the_second_attempt_may_succeed(tmp_path):
    program = (
        f"import pathlib, sys; flag = pathlib.Path({str(tmp_path)!r}, 'flag'); there = flag.exists(); flag.touch(); "
    )
    crew, _ = run(tmp_path, program + "sys.exit(0 if there else 1)", [4], [place()])
    assert crew.ended == {4: 0}


def test_a_label_that_cannot_be_started_does_not_stop_the_others(tmp_path):
    paths = RunPaths(tmp_path)
    paths.label(3).folder.parent.mkdir()
    paths.label(3).folder.write_text("a file")
    paths.label(4).log.mkdir(parents=True)
    crew, notes = run(tmp_path, "print('here')", [3, 4, 5], [place()])
    assert crew.ended == {3: errors.WRONG_INPUT, 4: errors.WRONG_INPUT, 5: 0}
    mend = "mend that, or name another folder"
    assert (3, f"cannot be started: {paths.label(3).folder}: File exists; {mend}") in notes.lines
    assert (4, f"cannot be started: {paths.label(4).log}: Is a directory; {mend}") in notes.lines


ASKED = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
print('ready', flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kill", [False, True])
def test_a_stop_ends_running_processes_and_starts_no_more(tmp_path, kill):
    ready = [RunPaths(tmp_path).label(label).log for label in (0, 1)]

    def stop(crew):
        if not crew.stopping and all(path.exists() and "ready" in path.read_text() for path in ready):
            crew.stop(kill)

    crew, _ = run(tmp_path, ASKED, [0, 1, 2], [place(), place()], until=stop)
    assert crew.ended == dict.fromkeys((0, 1), -signal.SIGKILL if kill else errors.STOPPED)
    assert not RunPaths(tmp_path).label(2).folder.exists()


@pytest.mark.parametrize(
    ("jobs", "gpus", "expected"),
    [
        (4, [], [({0, 4}, None), ({1, 5}, None), ({2, 6}, None), ({3, 7}, None)]),
        (2, [], [({0, 4, 2, 6}, None), ({1, 5, 3, 7}, None)]),
        (2, ["0", "1"], [({0, 4, 2, 6}, "0"), ({1, 5, 3, 7}, "1")]),
        (3, ["7"], [({0, 4, 3, 7}, "7"), ({1, 5}, "7"), ({2, 6}, "7")]),
        (5, [], [({0, 4}, None), ({1, 5}, None), ({2, 6}, None), ({3, 7}, None), ({0, 4}, None)]),
    ],
)
def test_places_divide_cores_and_gpus(monkeypatch, tmp_path, jobs, gpus, expected):
    """Four cores of two threads each: threads n and n + 4 are one core."""
    for cpu in range(8):
        (tmp_path / str(cpu)).write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    monkeypatch.setattr(workers, "SIBLINGS", str(tmp_path / "{}"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert [(set(place.cpus), place.gpu) for place in workers.places(jobs, gpus)] == expected


@pytest.mark.parametrize(("allowed", "jobs", "threads"), [(4, 2, 2), (0.5, 1, 1), (3, 2, 1), (2, 3, 1)])
def test_under_a_quota_processes_are_not_pinned(monkeypatch, allowed, jobs, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(machine, "cpus", lambda: machine.Limit(allowed, "the control group's quota"))
    assert workers.places(jobs, []) == jobs * [workers.Place(frozenset(), None, threads)]
    assert str(workers.places(jobs, ["0"])[0]) == f"gpu 0, {threads} thread{'s' if threads > 1 else ''}"
