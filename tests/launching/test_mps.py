"""NVIDIA's Multi-Process Service, with a stand-in for its control program."""

import os
import signal
from pathlib import Path

import pytest
from conftest import start_python, wait_until

from wcgan_tf.launching import mps

# As NVIDIA's: in the foreground with -f; else it reads a command, and fails without a service behind its pipe.
CONTROL = """#!/bin/bash
pipe=${CUDA_MPS_PIPE_DIRECTORY:-$STANDIN/default}
if [[ ${1:-} == -f ]]; then
    [[ -e $STANDIN/broken ]] && exit 1
    echo "${CUDA_VISIBLE_DEVICES-all}" > "$STANDIN/devices"
    echo $$ > "$pipe/control"
    echo $$ > "$STANDIN/pid"
    exec sleep 1000
fi
read -r command
[[ -e $pipe/control ]] || { echo "Cannot find MPS control daemon process"; exit 1; }
if [[ $command == start_server* ]]; then echo "$command" > "$STANDIN/server"; fi
if [[ $command == quit ]]; then kill "$(cat "$pipe/control")"; rm "$pipe/control"; touch "$STANDIN/quit"; fi
"""


@pytest.fixture
def standin(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / mps.CONTROL).write_text(CONTROL)
    (folder / mps.CONTROL).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("STANDIN", str(folder))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    return folder


def said_by(wanted=True) -> tuple[dict[str, str] | None, list[str]]:
    said = []
    with mps.service(wanted, said.append) as variables:
        folder = (variables or {}).get("CUDA_MPS_PIPE_DIRECTORY")
        assert folder is None or Path(folder, "control").exists()
    assert folder is None or not Path(folder).exists()
    return variables, said


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or "(zombie)" in Path(f"/proc/{pid}/status").read_text()


def test_the_service_runs_during_the_block_and_ends_with_it(standin):
    variables, said = said_by()
    assert variables.keys() == set(mps.VARIABLES)
    assert said == ["the processes of a GPU share it by MPS"]
    assert (standin / "server").read_text() == f"start_server -uid {os.getuid()}\n"
    assert (standin / "quit").exists()
    assert ended(int((standin / "pid").read_text()))
    assert (standin / "devices").read_text() == "all\n"  # a part of them would be numbered anew


def test_a_service_that_runs_already_is_used_and_left_alone(standin):
    (standin / "default").mkdir()
    (standin / "default/control").write_text("1")
    variables, said = said_by()
    assert variables == {}
    assert said == ["the processes of a GPU share it by the MPS that runs here"]
    assert not (standin / "quit").exists()


def test_without_the_service_processes_take_turns(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    variables, said = said_by()
    assert variables is None
    assert said == ["nvidia-cuda-mps-control is not installed: the processes of a GPU take turns on it"]


def test_a_service_that_does_not_start_is_said(standin):
    (standin / "broken").touch()
    variables, said = said_by()
    assert variables is None
    assert said == ["nvidia-cuda-mps-control does not start here: the processes of a GPU take turns on it"]


def test_nothing_is_started_if_no_gpu_is_shared(standin):
    assert said_by(wanted=False) == (None, [])
    assert not (standin / "pid").exists()


def test_the_service_ends_if_its_starter_is_killed(standin, tmp_path):
    code = "import time; from wcgan_tf.launching import mps\nwith mps.service(True, print): time.sleep(1000)"
    process = start_python("-c", code, folder=tmp_path, fresh=True)
    try:
        wait_until((standin / "pid").exists, "the service", process)
        pid = int((standin / "pid").read_text())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: ended(pid), "the end of the service")
