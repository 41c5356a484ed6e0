"""What killed processes leave beside an output, and replacing a folder in one step."""

import fcntl
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import PATIENCE_SECONDS

from wcgan_tf.core import files, unfinished

WRITER = """
import ctypes, fcntl, sys
from pathlib import Path
from wcgan_tf.core import files, unfinished
target = Path(sys.argv[1])
if sys.argv[2] == "two renames":
    unfinished._exchange = lambda one, other: False
with files.publish(target) as path:
    path.mkdir()
    (path / "new.txt").touch()
    print("writing", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def write(begin_code):
    """A function that starts a process which writes a folder, and waits until it does."""
    return lambda target, how="": begin_code(WRITER, str(target), how, until="writing")


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != unfinished.ENDING)


def test_what_killed_writers_left_is_deleted_by_the_next_and_what_is_being_written_is_not(tmp_path, write):
    killed, goes_on = write(tmp_path / "one"), write(tmp_path / "two")
    killed.kill()
    killed.wait()
    with files.publish(tmp_path / "three") as path:
        path.touch()
        assert [name.split("/")[-1] for name in left(tmp_path) if "/two/" in name] == ["new.txt"]
        assert not [name for name in left(tmp_path) if "/one" in name]
    goes_on.communicate("\n")
    assert goes_on.returncode == 0
    assert left(tmp_path) == ["three", "two", "two/new.txt"]


def test_two_that_write_the_same_are_both_whole(tmp_path, write):
    both = [write(tmp_path / "one"), write(tmp_path / "one")]
    for process in both:
        process.communicate("\n")
        assert process.returncode == 0
    assert left(tmp_path) == ["one", "one/new.txt"]


def test_what_is_of_another_machine_is_left_alone(tmp_path, write, monkeypatch):
    """Also of one whose name only begins as that of this machine."""
    monkeypatch.setenv("SLURMD_NODENAME", "node-7")
    write(tmp_path / "one").kill()
    monkeypatch.setenv("SLURMD_NODENAME", "node")
    unfinished.clear(tmp_path)
    assert [name for name in left(tmp_path) if name.endswith("new.txt")]
    unfinished.clear(tmp_path, everything=True)
    assert left(tmp_path) == []


def test_without_locks_nothing_is_deleted(tmp_path, write, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    write(tmp_path / "one").kill()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with files.publish(tmp_path / "two") as path:
        path.touch()
    assert [name for name in left(tmp_path) if name.endswith("new.txt")]
    assert (tmp_path / "two").exists()


def test_a_folder_is_there_at_every_moment_of_its_replacing(tmp_path):
    """Seen by a reader that never stops, in another process."""
    code = """
import sys
from pathlib import Path
missing, looks = 0, 0
print("looking", flush=True)
while not Path(sys.argv[2]).exists():
    missing, looks = missing + (not Path(sys.argv[1]).exists()), looks + 1
print(missing, looks)
"""
    target, end = tmp_path / "model", tmp_path / "end"
    target.mkdir()
    command = [sys.executable, "-c", code, str(target), str(end)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "looking\n"
        for number in range(200):
            with files.publish(target, durable=False) as path:
                path.mkdir()
                (path / str(number)).touch()
        end.touch()
        missing, looks = map(int, reader.stdout.read().split())
    assert looks > 100
    assert missing == 0
    assert left(target) == ["199"]


def test_where_that_cannot_be_a_kill_between_two_renames_is_mended(tmp_path, write):
    target = tmp_path / "model"
    target.mkdir()
    (target / "old.txt").touch()
    process = write(target, "two renames")
    (own,) = (path for path in (tmp_path / unfinished.NAME).iterdir() if path.is_dir())
    process.kill()
    process.wait()
    (own / "replaced").mkdir()
    target.rename(own / "replaced/model")  # as far as the process may have come
    unfinished.clear(tmp_path)
    assert left(tmp_path) == ["model", "model/old.txt"]


@pytest.mark.parametrize("after", ["the first", "the second has begun"])
def test_where_that_cannot_be_a_stop_between_the_two_renames_puts_the_old_one_back(tmp_path, monkeypatch, after):
    target, rename, stopped = tmp_path / "model", Path.rename, []
    target.mkdir()
    (target / "old.txt").touch()

    def stop(path, to):
        first = path == target
        if not stopped and not first:
            stopped.append(path)
            raise SystemExit(128 + signal.SIGTERM)
        rename(path, to)
        if not stopped and after == "the first":
            stopped.append(path)
            raise SystemExit(128 + signal.SIGTERM)

    monkeypatch.setattr(unfinished, "_exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(SystemExit), files.publish(target) as path:
        path.mkdir()
    assert stopped
    assert left(tmp_path) == ["model", "model/old.txt"]


def test_where_that_cannot_be_what_was_replaced_is_never_put_back(tmp_path, monkeypatch):
    """The end may come while it is deleted, so that only parts of it are left."""
    target = tmp_path / "model"
    target.mkdir()
    monkeypatch.setattr(unfinished, "_exchange", lambda one, other: False)
    monkeypatch.setattr(unfinished, "_delete", lambda own: None)
    with files.publish(target) as path:
        path.mkdir()
    monkeypatch.undo()
    assert (tmp_path / unfinished.NAME).exists()
    target.rmdir()
    unfinished.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_is_taken_for_dead_before_its_lock_begins_anew(tmp_path, monkeypatch):
    flock, times = fcntl.flock, []

    def late(file, how):
        times.append(file)
        if len(times) == 1:  # another process clears at this very moment
            Path(file.name).unlink()
        return flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with files.publish(tmp_path / "one") as path:
        path.touch()
    assert len(times) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_folder_that_another_machine_deleted_and_this_one_still_sees_is_waited_for(tmp_path, monkeypatch):
    """As with FUSE and NFS, which keep what they know of a folder for a second or more."""
    mkdir, known_until = Path.mkdir, time.monotonic() + 0.5

    def known(path, *arguments, **options):
        if path.name != unfinished.NAME or time.monotonic() > known_until:
            mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", known)
    with files.publish(tmp_path / "one") as path:
        path.touch()
    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_deleted_file_that_the_file_system_still_holds_is_waited_for(tmp_path):
    """As with FUSE and NFS, which rename it until it is closed."""
    (tmp_path / "folder").mkdir()
    held = tmp_path / "folder/.fuse_hidden0001"
    held.touch()
    threading.Timer(0.3, held.unlink).start()
    assert unfinished.remove_if_empty(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_file_of_another_is_not_removed(tmp_path):
    (tmp_path / "owner.json").touch()
    assert not unfinished.remove_if_empty(tmp_path)
    assert (tmp_path / "owner.json").exists()


def test_many_that_write_beside_each_other_do_not_disturb_each_other(tmp_path, begin_code):
    """Each deletes the hidden folder whenever nobody else is in it."""
    code = """
import sys
from pathlib import Path
from wcgan_tf.core import files
print("begun", flush=True)
sys.stdin.readline()
for number in range(1000):
    with files.publish(Path(sys.argv[1]) / f"{sys.argv[2]}-{number % 7}", durable=False) as path:
        path.touch()
"""
    processes = [begin_code(code, str(tmp_path), str(place), until="begun") for place in range(3)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, error
    assert left(tmp_path) == sorted(f"{place}-{number}" for place in range(3) for number in range(7))
