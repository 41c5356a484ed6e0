"""Isolation: a label process opens no socket, reads only its own images, writes only into its own folder."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import STEPS, trained

pytestmark = pytest.mark.xdist_group("isolation")  # they share a process

LABEL = "00003"
NO_NETWORK = ["unshare", "--map-root-user", "--net"]
# Runs at the start of the label process: notes what is opened, made, moved or deleted, and every socket.  TensorFlow
# imports urllib3, which would open a socket for an instant to check for IPv6.
WATCH = """
import os, socket, sys
socket.has_ipv6 = False
notes = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        kind = "write" if (arguments[2] or 0) & WRITING else "read"
        os.write(notes, f"{kind} {os.fsdecode(arguments[0])}\\n".encode())
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate"):
        folder = arguments[-1]  # an open folder that the path is relative to, or -1
        inside = os.readlink(f"/proc/self/fd/{folder}") + "/" if event != "os.truncate" and folder != -1 else ""
        os.write(notes, f"{event} {inside}{arguments[0]}\\n".encode())
    elif event.split(".")[0] == "socket":
        os.write(notes, f"{event} {arguments[0]}\\n".encode())

sys.addaudithook(note)
"""


class Watched(NamedTuple):
    """What a label process did.

    Attributes:
        house: a folder with a home, temporary files, prepared data, and a run with another label.
        changed: the files and folders there that changed, except the label's own.
        events: what the process opened, made, moved or deleted, and every socket.
        sockets: the sockets that it had open at any look.
        looks: how many open files were seen.
        alone: whether it ran without a network.
    """

    house: Path
    changed: set[str]
    events: list[tuple[str, str]]
    sockets: set[str]
    looks: int
    alone: bool


@pytest.fixture(scope="module")
def watched(whole_chain, tmp_path_factory):
    """A label process as a user starts it, watched to its end."""
    house = tmp_path_factory.mktemp("house")
    for name in ("home", "tmp", "watch"):
        (house / name).mkdir()
    (house / "watch/sitecustomize.py").write_text(WATCH)
    (house / "notes.txt").touch()
    trained(whole_chain[0], house, 4)
    own = house / f"runs/digits/labels/{LABEL}"
    own.mkdir()
    before = snapshot(house, without=own)
    alone = subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0
    process = start(house, "--label=3", *STEPS, "--config.train.max_steps=200", prefix=NO_NETWORK if alone else [])
    sockets, looks = look_until_the_end(process)
    assert process.returncode == 0, process.communicate()[0]
    after = snapshot(house, without=own)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    notes = (house / "notes.txt").read_text().splitlines()
    return Watched(house, changed, [tuple(line.split(" ", 1)) for line in notes], sockets, looks, alone)


def snapshot(folder: Path, without: Path) -> dict[str, tuple[int, int]]:
    """Size and time of all files and folders in a folder; a folder changes if a file comes or goes."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        if without not in [path, *path.parents]:
            found[str(path)] = (path.stat().st_size, path.stat().st_mtime_ns)
    return found


def start(house: Path, *arguments: str, prefix: list[str]) -> subprocess.Popen:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("KERAS_", "COVERAGE_"))},
        "HOME": str(house / "home"),
        "TMPDIR": str(house / "tmp"),
        "NOTES": str(house / "notes.txt"),
        "PYTHONPATH": str(house / "watch"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [*prefix, sys.executable, "-m", "wcgan_tf.train", *arguments]
    return subprocess.Popen(command, cwd=house, env=environment, stdout=subprocess.PIPE, text=True)


def look_until_the_end(process: subprocess.Popen) -> tuple[set[str], int]:
    """Look at a process until it ends: the sockets it had open, and how many open files were seen."""
    sockets, looks, descriptors = set(), 0, Path(f"/proc/{process.pid}/fd")
    while process.poll() is None:
        targets = []
        with contextlib.suppress(OSError):  # it has ended; in a namespace of its own, only root may look then
            for descriptor in descriptors.iterdir():
                with contextlib.suppress(OSError):  # closed since it was listed
                    targets.append(str(descriptor.readlink()))
        looks += len(targets)
        sockets |= {target for target in targets if target.startswith("socket:")}
        time.sleep(0.01)
    return sockets, looks


def test_a_label_process_writes_only_into_its_own_folder(watched):
    house, own = watched.house, f"runs/digits/labels/{LABEL}"
    assert watched.changed == {str(house / "notes.txt")}
    assert json.loads((house / own / "config.json").read_text())["model"]["width"] == 4
    assert len(watched.events) > 1000
    changed = {path for event, path in watched.events if event == "write" or event.startswith("os.")}
    assert any(path.startswith(f"{own}/") for path in changed)
    outside = {path for path in changed if not path.startswith((own, "/dev/", "/proc/"))}
    assert {path for path in outside if str(house / own) not in path} <= {"runs/digits/labels", "runs/digits"}


def test_a_label_process_reads_only_its_own_images(watched):
    images = {path for event, path in watched.events if event == "read" and "digits-8" in path}
    assert images == {f"data/digits-8/train/{LABEL}.json", f"data/digits-8/train/{LABEL}.npy"}


def test_a_label_process_opens_no_socket(watched):
    assert not [event for event, _ in watched.events if event.startswith("socket")]
    assert watched.looks > 1000
    assert not watched.sockets


def test_a_label_process_trains_without_any_network(watched):
    if not watched.alone:
        pytest.skip("unshare is not allowed here")
    assert json.loads((watched.house / f"runs/digits/labels/{LABEL}/status.json").read_text())["state"] == "done"
