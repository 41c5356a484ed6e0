"""Two processes that want the same folder: on one machine, on two, and where the system has no locks."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time

import msgspec
import pytest
from conftest import PATIENCE_SECONDS, wait_until

from wcgan_tf.core import errors, files, folder_lock, records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.owner import Owner, started_at

HOLDER = """
import errno, fcntl, os, signal, sys
from pathlib import Path
from wcgan_tf.core import folder_lock
def refuse(*_):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
if sys.argv[2] == "without":
    fcntl.flock = refuse
folder_lock.BEAT_SECONDS = 0.05
with folder_lock.lock(Path(sys.argv[1]), print):
    print("held", flush=True)
    signal.pause()
"""


@pytest.fixture
def hold(tmp_path, begin_code):
    """A function that starts a process which holds the folder, and waits until it does."""
    return lambda locks: begin_code(HOLDER, str(tmp_path), locks, until="held")


@pytest.fixture
def owner(tmp_path, monkeypatch):
    """The owner file of a process on another machine; all waiting is short."""
    monkeypatch.setattr(folder_lock, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(folder_lock, "DEAD_SECONDS", 0.5)
    monkeypatch.setattr(folder_lock, "SETTLE_SECONDS", 0.1)
    path = tmp_path / "owner.json"
    records.write(path, msgspec.structs.replace(Owner.me(), host="node7", boot="another", pid=12))
    return path


def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.mark.parametrize("locks", ["with", "without"])
def test_a_folder_is_refused_until_its_holder_dies(tmp_path, hold, monkeypatch, locks):
    holder = hold(locks)
    if locks == "without":
        monkeypatch.setattr(fcntl, "flock", refuse)
        monkeypatch.setattr(folder_lock, "LOOK_SECONDS", 0.1)
    with (
        pytest.raises(UserError, match=f"in use by process {holder.pid} on .*; wait for it, or type another --workdir"),
        folder_lock.lock(tmp_path, print),
    ):
        pass
    holder.kill()
    holder.wait()
    with folder_lock.lock(tmp_path, pytest.fail):
        assert records.decode((tmp_path / "owner.json").read_bytes(), Owner).pid == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_an_id_that_another_process_has_got_since_holds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(folder_lock, "SETTLE_SECONDS", 0.1)
    records.write(tmp_path / "owner.json", msgspec.structs.replace(Owner.me(), started="1"))
    with folder_lock.lock(tmp_path, pytest.fail):
        pass


def test_a_process_of_another_machine_that_still_writes_is_left_alone(tmp_path, owner):
    """As on NFS with local_lock, which grants the lock to both."""
    over = threading.Event()

    def beat():
        while not over.wait(0.05):
            os.utime(owner)

    thread = threading.Thread(target=beat)
    thread.start()
    said = []
    try:
        with pytest.raises(UserError, match="in use by process 12 on node7"), folder_lock.lock(tmp_path, said.append):
            pass
    finally:
        over.set()
        thread.join()
    assert said == [f"{owner} is of process 12 on node7; waiting up to 0 s to see whether it still runs"]
    assert owner.exists()


@pytest.mark.parametrize("text", ["", "[]", None])
def test_a_process_of_another_machine_that_is_silent_is_gone(tmp_path, owner, text):
    if text is not None:
        owner.write_text(text)  # half-written by a process that was killed
    began, said = time.monotonic(), []
    with folder_lock.lock(tmp_path, said.append):
        assert records.decode(owner.read_bytes(), Owner).pid == os.getpid()
    assert time.monotonic() - began >= folder_lock.DEAD_SECONDS
    assert len(said) == 1


def test_an_owner_file_that_is_a_link_to_nowhere_is_an_error(tmp_path):
    (tmp_path / folder_lock.OWNER).symlink_to("nowhere")
    with pytest.raises(UserError, match=r"is a link to nowhere; delete it"), folder_lock.lock(tmp_path, print):
        pytest.fail("it is not held")


def test_who_waits_gets_the_folder_when_it_is_given_up(tmp_path, owner):
    def end_soon():
        for _ in range(10):
            time.sleep(0.1)
            os.utime(owner)
        owner.unlink()

    thread = threading.Thread(target=end_soon)
    thread.start()
    said = []
    with folder_lock.lock(tmp_path, said.append, "another process prepares it; waiting"):
        thread.join()
        assert not thread.is_alive()
    assert said[1:] == ["another process prepares it; waiting"]


def test_who_waits_for_a_folder_that_is_replaced_holds_the_new_one(tmp_path):
    folder = tmp_path / "model"
    begun, held = threading.Event(), []

    def wait():
        with folder_lock.lock(folder, lambda _: begun.set(), "wait for it"):
            held.append((folder / "new.txt").exists())
            with pytest.raises(UserError, match="in use"), folder_lock.lock(folder, print):
                pass

    with folder_lock.lock(folder, pytest.fail):
        thread = threading.Thread(target=wait)
        thread.start()
        assert begun.wait(PATIENCE_SECONDS)
        with files.publish(folder) as path:
            path.mkdir()
            (path / "new.txt").touch()
    thread.join()
    assert held == [True]
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "new.txt"]


def test_what_was_given_up_while_one_watched_is_not_deleted_if_another_has_it_since(tmp_path, owner, monkeypatch):
    """The other began between the look and what follows it."""
    other = msgspec.structs.replace(Owner.me(), host="node8", boot="another", token="new")
    silent = folder_lock._is_silent

    def given_up_and_taken(*arguments):
        owner.unlink(missing_ok=True)
        found = silent(*arguments)
        monkeypatch.setattr(folder_lock, "_is_silent", lambda *_: False)
        records.write(owner, other)
        return found

    monkeypatch.setattr(folder_lock, "_is_silent", given_up_and_taken)
    with pytest.raises(UserError, match="on node8; wait for it"), folder_lock.lock(tmp_path, print):
        pass
    assert records.decode(owner.read_bytes(), Owner) == other


def test_what_is_given_up_before_one_looks_is_free_at_once(tmp_path, owner, monkeypatch):
    create = folder_lock._create

    def given_up(path, me):
        created = create(path, me)
        owner.unlink()
        monkeypatch.setattr(folder_lock, "_create", create)
        return created

    monkeypatch.setattr(folder_lock, "_create", given_up)
    with folder_lock.lock(tmp_path, pytest.fail, "waiting"):
        assert records.decode(owner.read_bytes(), Owner).pid == os.getpid()


def test_a_process_that_runs_is_not_gone_whatever_the_lock_says(tmp_path, owner, begin_code):
    """Its locked file was deleted, as with a folder that is replaced, so that another has the lock of a new one."""
    code = "import sys; print('there', flush=True); sys.stdin.read()"
    process = begin_code(code, until="there")
    started = started_at(process.pid)
    records.write(owner, msgspec.structs.replace(Owner.me(), pid=process.pid, started=started))
    beat = threading.Timer(0.2, lambda: os.utime(owner))
    beat.start()
    with pytest.raises(UserError, match=f"in use by process {process.pid} on"), folder_lock.lock(tmp_path, print):
        pass
    beat.join()


def test_of_two_that_take_over_at_a_time_one_goes_on(tmp_path, owner, monkeypatch):
    monkeypatch.setattr(folder_lock, "SETTLE_SECONDS", 0.5)
    other = records.decode(owner.read_bytes(), Owner)
    another = msgspec.structs.replace(other, host="node8")
    threading.Timer(folder_lock.DEAD_SECONDS + 0.3, records.write, [owner, another]).start()
    with pytest.raises(UserError, match="in use by process 12 on node8"), folder_lock.lock(tmp_path, print):
        pass


def test_who_waits_waits_for_one_that_takes_over_at_the_same_time(tmp_path, owner, monkeypatch):
    monkeypatch.setattr(folder_lock, "SETTLE_SECONDS", 0.5)
    another = msgspec.structs.replace(records.decode(owner.read_bytes(), Owner), host="node8")

    def take_over_and_give_up():
        records.write(owner, another)
        for _ in range(10):
            time.sleep(0.1)
            os.utime(owner)
        owner.unlink()

    settled = threading.Event()
    create = folder_lock._create

    def taken(path, me):
        if created := create(path, me):
            threading.Thread(target=take_over_and_give_up).start()
            monkeypatch.setattr(folder_lock, "_create", create)
            settled.set()
        return created

    monkeypatch.setattr(folder_lock, "_create", taken)
    said = []
    with folder_lock.lock(tmp_path, said.append, "waiting"):
        assert records.decode(owner.read_bytes(), Owner).pid == os.getpid()
    assert said[-1] == "waiting"
    assert settled.is_set()


def test_a_process_of_another_container_is_not_taken_for_gone():
    """Even with the lock: each container may have mounted the folder by itself."""
    me = Owner.me()
    assert not msgspec.structs.replace(me, namespace="pid:[1]", pid=2**30).is_gone(me, locked=True)
    assert msgspec.structs.replace(me, pid=2**30).is_gone(me, locked=False)


def test_the_owner_file_of_a_third_is_put_back(tmp_path, owner):
    text = owner.read_bytes()
    assert not folder_lock._delete(owner, Owner.me())
    assert owner.read_bytes() == text
    assert folder_lock._delete(owner, records.decode(text, Owner))
    assert list(tmp_path.iterdir()) == []
    assert not folder_lock._delete(owner, Owner.me())


def test_what_a_kill_while_taking_over_leaves_is_deleted(tmp_path):
    (tmp_path / ".owner.json.0123").touch()
    with folder_lock.lock(tmp_path, pytest.fail):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("error", [errno.ESTALE, errno.ENOENT])
def test_a_lock_that_the_file_server_has_deleted_is_taken_anew(tmp_path, monkeypatch, error):
    fail_once(monkeypatch, os.path, "samestat", error)
    with folder_lock.lock(tmp_path, pytest.fail):
        assert records.decode((tmp_path / "owner.json").read_bytes(), Owner).pid == os.getpid()


def test_an_error_while_taking_a_folder_leaves_no_owner(tmp_path, monkeypatch):
    create = folder_lock._create

    def created(path, me):
        fail_once(monkeypatch, os.path, "samestat", errno.EIO)
        return create(path, me)

    monkeypatch.setattr(folder_lock, "_create", created)
    with pytest.raises(OSError, match="Input/output"), folder_lock.lock(tmp_path, pytest.fail):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def fail_once(monkeypatch, module, name, error):
    whole = getattr(module, name)

    def fail(*_):
        monkeypatch.setattr(module, name, whole)
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(module, name, fail)


def test_who_waited_for_a_deleted_lock_leaves_the_owner_file_alone(tmp_path, monkeypatch):
    flock, written = folder_lock._flock, []

    def late(path, *arguments):
        file = flock(path, *arguments)
        if not written:
            (path.parent / "lock").unlink()  # by who held it
        written.append((path.parent / "owner.json").exists())
        return file

    monkeypatch.setattr(folder_lock, "_flock", late)
    monkeypatch.setattr(folder_lock, "_take", lambda path, *_: written.append("taken"))
    with folder_lock.lock(tmp_path, pytest.fail):
        pass
    assert written == [False, False, "taken"]


def test_the_last_beat_does_not_delete_the_file_of_who_follows(tmp_path, monkeypatch, owner):
    other, over = owner.read_bytes(), threading.Event()
    owner.unlink()

    def overtaken(path, me):
        over.set()
        owner.write_bytes(other)
        return False

    monkeypatch.setattr(folder_lock, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(folder_lock, "_create", overtaken)
    folder_lock._beat(owner, Owner.me(), over)
    assert owner.read_bytes() == other


def test_a_model_whose_replacement_ended_on_another_machine_is_put_back(tmp_path):
    replaced = tmp_path / ".unfinished/node7-0123/replaced/model"
    replaced.mkdir(parents=True)
    (replaced / "old.txt").touch()
    with folder_lock.lock_beside(tmp_path / "model", pytest.fail, "waiting"):
        assert (tmp_path / "model/old.txt").exists()


def test_a_suspended_process_whose_folder_was_taken_over_ends(tmp_path, hold):
    holder, owner = hold("with"), tmp_path / "owner.json"
    owner.unlink()
    wait_until(owner.exists, "the owner file to be there again", holder)
    records.write(owner, msgspec.structs.replace(Owner.me(), host="node7"))
    _, error = holder.communicate(timeout=PATIENCE_SECONDS)
    assert holder.returncode == errors.FAILED
    by = f"process {os.getpid()} on node7"
    why = "this process was suspended, or its files were deleted; it ends"
    assert error == f"error: {tmp_path} was taken over by {by}: {why}\n"
    assert owner.exists()


def test_an_owner_file_that_cannot_be_written_leaves_nothing(tmp_path):
    """Else the next start would wait for a process that there is not."""
    code = """
import resource, sys
from pathlib import Path
from wcgan_tf.core import folder_lock
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
with folder_lock.lock(Path(sys.argv[1]), print):
    pass
"""
    command = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"File too large: '{tmp_path}/owner.json'" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_it_can_be_given_up_before_the_end_of_the_block(tmp_path):
    with folder_lock.lock(tmp_path, print) as give_up:
        give_up()
        assert not (tmp_path / "owner.json").exists()
        records.write(tmp_path / "owner.json", Owner.me())
    assert (tmp_path / "owner.json").exists()  # another's


def test_another_error_of_a_lock_names_the_folder(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="Input/output") as error, folder_lock.lock(tmp_path, print):
        pass
    assert error.value.filename == str(tmp_path)
