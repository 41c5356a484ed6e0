"""Nothing exchanged: a label process opens no socket, reads its own images only, writes into its own folder only."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS, STEPS, trained

LABEL = "00003"
# Run at the start of every Python process of the test: note what is opened, made, moved or deleted, and every socket.
WATCH = """
import os, sys
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


def unshared() -> list[str]:
    """A prefix that runs a command without any network, or a skip with the reason."""
    command = ["unshare", "--map-root-user", "--net"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"unshare is not allowed here: {error}")
    return command


def snapshot(folder: Path, without: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything in a folder, of the folders too: they change when a file comes or goes."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        if without not in [path, *path.parents]:
            found[str(path)] = (path.stat().st_size, path.stat().st_mtime_ns)
    return found


@pytest.fixture
def house(whole_chain, tmp_path):
    """A user's machine in small: home, temporary files, prepared data, and a run in which another label is trained."""
    for name in ("home", "tmp", "watch"):
        (tmp_path / name).mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH)
    (tmp_path / "notes.txt").touch()
    trained(whole_chain[0], tmp_path, 4)
    (tmp_path / f"runs/digits/labels/{LABEL}").mkdir()
    return tmp_path


def start(house: Path, *arguments: str, prefix=()) -> subprocess.Popen:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("KERAS_")},
        "HOME": str(house / "home"),
        "TMPDIR": str(house / "tmp"),
        "NOTES": str(house / "notes.txt"),
        "PYTHONPATH": str(house / "watch"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [*prefix, sys.executable, "-m", "wcgan_tf.train", *arguments]
    return subprocess.Popen(command, cwd=house, env=environment, stdout=subprocess.PIPE, text=True)


def test_it_writes_only_into_its_own_folder_and_reads_only_its_own_images(house):
    own = house / f"runs/digits/labels/{LABEL}"
    before = snapshot(house, without=own)
    process = start(house, "--label=3", *STEPS)
    assert process.wait(PATIENCE_SECONDS) == 0
    after = snapshot(house, without=own)
    notes = str(house / "notes.txt")
    assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} == {notes}
    assert json.loads((own / "config.json").read_text())["model"]["width"] == 4

    events = [line.split(" ", 1) for line in Path(notes).read_text().splitlines()]
    assert len(events) > 1000
    changed = {path for event, path in events if event == "write" or event.startswith("os.")}
    assert any(path.startswith(f"runs/digits/labels/{LABEL}/") for path in changed)
    outside = {path for path in changed if not path.startswith((f"runs/digits/labels/{LABEL}", "/dev/", "/proc/"))}
    assert {path for path in outside if str(own) not in path} <= {"runs/digits/labels", "runs/digits"}
    images = {path for event, path in events if event == "read" and "digits-8" in path}
    assert images == {f"data/digits-8/train/{LABEL}.json", f"data/digits-8/train/{LABEL}.npy"}
    # Importing TensorFlow imports urllib3, which asks the system once whether it has IPv6, with a socket of its own.
    assert {event for event, _ in events if event.startswith("socket")} <= {"socket.__new__", "socket.bind"}
    assert sum(event == "socket.bind" for event, _ in events) <= 1


def test_it_trains_without_any_network_and_opens_no_socket(house):
    process = start(house, "--label=3", *STEPS, "--config.train.max_steps=200", prefix=unshared())
    sockets, looks, descriptors = set(), 0, Path(f"/proc/{process.pid}/fd")
    while process.poll() is None:
        for descriptor in descriptors.iterdir() if descriptors.exists() else ():
            try:
                target = str(descriptor.readlink())
            except OSError:  # closed, or gone with its process, since it was listed
                continue
            looks += 1
            sockets |= {target} if target.startswith("socket:") else set()
        time.sleep(0.01)
    assert process.returncode == 0, process.communicate()[0]
    assert looks > 1000
    assert not sockets
