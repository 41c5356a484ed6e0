"""Keeps processes apart that write to the same folder.

On one machine a lock of the system does (`flock`), which ends with its process.  Between machines some file systems
grant it to both (NFS mounted with local_lock) or refuse it to all (Lustre without -o flock), so that an owner file
lies beside it: who holds the folder, touched every BEAT_SECONDS.  A file that nobody touches for DEAD_SECONDS belongs
to a process that is gone; a process that was suspended for so long, and finds another's file, ends at once.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from wcgan_tf.core import errors, files, machine, records, unfinished
from wcgan_tf.core.errors import InUseError
from wcgan_tf.core.process import is_gone

BEAT_SECONDS = 15.0
DEAD_SECONDS = 60.0
SETTLE_SECONDS = 2.0  # longer than two processes that take over the same folder need between their look and their write
LOOK_SECONDS = 1.0
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
LOCK, OWNER = "lock", "owner.json"
OWN = (LOCK, OWNER)  # in a folder that is held
BOOT, NAMESPACE = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


class Owner(msgspec.Struct, frozen=True):
    """owner.json: the process that holds a folder."""

    host: str
    boot: str  # id of the host's start; "" if it is not known
    namespace: str  # of process ids; containers have their own
    pid: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
    started: str  # the process's start, in the system's own unit
    token: str  # of this holding

    @classmethod
    def me(cls) -> "Owner":
        """This process, with a new token."""
        boot = BOOT.read_text().strip() if BOOT.exists() else ""
        namespace = str(NAMESPACE.readlink()) if NAMESPACE.is_symlink() else ""
        return cls(machine.host(), boot, namespace, os.getpid(), _started(os.getpid()), secrets.token_hex(8))

    def is_gone(self, me: "Owner", locked: bool) -> bool:
        """Whether this process has surely ended; False if that cannot be known from here.

        Args:
            locked: whether `me` has the system's lock, which no other process of the same boot can have then, unless
                the file that it is on was deleted.
        """
        if not me.boot or self.boot != me.boot:
            return False
        if self.namespace != me.namespace or (self.pid, self.started) == (me.pid, me.started):
            return locked
        return is_gone(self.pid) or _started(self.pid) not in ("", self.started)


@contextlib.contextmanager
def lock(
    folder: Path, say: Callable[[str], None], waiting: str | None = None, passing: bool = False
) -> Iterator[Callable[[], None]]:
    """Hold a folder during this block; yields a function that gives it up, for a process that ends inside of it.

    Args:
        say: called with a line about what it waits for.
        waiting: the line if another process holds the folder, before waiting for it.
        passing: whether the folder is for this alone; then nothing is left in it.

    Raises:
        InUseError: if another process holds the folder, and `waiting` is None.
    """
    path, me, over = folder / OWNER, Owner.me(), threading.Event()

    def give_up() -> None:
        over.set()
        with contextlib.suppress(OSError):
            if _read(path) == me:
                _release(path, passing)

    with contextlib.ExitStack() as held:
        for turn in itertools.count():
            try:
                if _hold(path, me, say, waiting, held):
                    break
            except (FileNotFoundError, FileExistsError):  # who held the folder deletes it just now
                if turn >= unfinished.MOST_TURNS:
                    raise
            give_up()
            held.close()
        over.clear()
        threading.Thread(target=_beat, args=(path, me, over), daemon=True).start()
        try:
            yield give_up
        finally:
            give_up()


@contextlib.contextmanager
def lock_beside(target: Path, say: Callable[[str], None], waiting: str) -> Iterator[None]:
    """Hold the right to replace a folder during this block, from a place beside it: what is in it is replaced too."""
    target = target.resolve()
    folder = target.parent / unfinished.NAME / f"{target.name}-update"
    new = [parent for parent in target.parents if not parent.exists()]
    try:
        with lock(folder, say, waiting, passing=True):
            yield
    finally:
        with contextlib.suppress(OSError):  # another process is in there, or the target
            for empty in (folder, folder.parent, *new):
                empty.rmdir()


def _hold(path: Path, me: Owner, say: Callable[[str], None], waiting: str | None, held: contextlib.ExitStack) -> bool:
    """Take the lock and write the owner file; returns False if who held the folder has deleted or replaced it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _flock(path, say, waiting, held)
    _take(path, me, file is not None, say, waiting)
    return file is None or _is_at(file, path.parent / LOCK)


def _release(path: Path, passing: bool) -> None:
    """Delete the owner file, and with `passing` the locked one.

    That goes first: who waits for the owner file must find then that its own lock is of no use.
    """
    if passing:
        (path.parent / LOCK).unlink(missing_ok=True)
    path.unlink()


def _flock(path: Path, say: Callable[[str], None], waiting: str | None, held: contextlib.ExitStack) -> BinaryIO | None:
    """Take the system's lock until `held` is closed; returns the locked file, or None where there are no locks."""
    file = held.enter_context((path.parent / LOCK).open("wb"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting is None:
            raise _in_use(path, _of_this_boot(_read(path))) from None
        say(waiting)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise OSError(error.errno, error.strerror, str(path.parent)) from None
        return None
    return file


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether an open file is the one that a path leads to now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _take(path: Path, me: Owner, locked: bool, say: Callable[[str], None], waiting: str | None) -> None:
    """Write the owner file, as soon as the one that is there is found to be of a process that is gone."""
    taken_over = False
    while not _create(path, me):
        other = _read(path)
        if not (other and other.is_gone(me, locked)) and not _is_silent(path, other, say):
            if waiting is None:
                raise _in_use(path, _read(path))  # it may be another's by now
            say(waiting)
            while not _is_silent(path, other, lambda _: None):
                pass
        if _touched(path) is not None and _read(path) == other:  # else it was given up, and may be another's by now
            path.unlink(missing_ok=True)
            taken_over = not locked or not (other and other.boot == me.boot)
    if taken_over:  # another process may have done the same, and deleted this one's file
        time.sleep(SETTLE_SECONDS)
        if (now := _read(path)) != me:
            raise _in_use(path, now)


def _is_silent(path: Path, other: Owner | None, say: Callable[[str], None]) -> bool:
    """Watch an owner file for DEAD_SECONDS; returns False as soon as its process touches it.

    No clock is compared with another's, and opening a file makes NFS ask the server for its time.
    """
    say(f"{path} is of {_in_words(other)}; waiting up to {DEAD_SECONDS:.0f} s to see whether it still runs")
    touched, until = _touched(path), time.monotonic() + DEAD_SECONDS
    while time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        if (now := _touched(path)) != touched:
            return now is None  # given up
    return True


def _touched(path: Path) -> int | None:
    """When a file was last touched, in ns of its file system's clock; None if there is none."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _create(path: Path, me: Owner) -> bool:
    """Write a new owner file; False if there is one."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        return False
    try:
        with files.named(path), file:
            file.write(records.encode(me) + "\n")
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _beat(path: Path, me: Owner, over: threading.Event) -> None:
    """Touch the owner file until `over` is set; end this process if the file is another's."""
    while not over.wait(BEAT_SECONDS):
        # The file server may come back, and what is half-written is whole at the next beat.
        with contextlib.suppress(OSError, *records.DAMAGED):
            if not path.exists():
                _create(path, me)
                if over.is_set():  # it was given up meanwhile
                    path.unlink()
                    return
            now = records.decode(path.read_bytes(), Owner)
            if now == me:
                os.utime(path)
            elif not over.is_set():
                why = "this process was suspended, or its files were deleted; it ends"
                text = f"{path.parent} was taken over by {_in_words(now)}: {why}"
                with contextlib.suppress(OSError):
                    print("error:", text, file=sys.stderr, flush=True)
                os._exit(errors.FAILED)


def _of_this_boot(other: Owner | None) -> Owner | None:
    """The owner, if it can be the process that has the system's lock: one of another machine is a leftover."""
    return other if other and other.boot == Owner.me().boot else None


def _read(path: Path) -> Owner | None:
    return records.read_if_whole(path, Owner)


def _in_use(path: Path, other: Owner | None) -> InUseError:
    return InUseError(f"{path.parent} is in use by {_in_words(other)}; wait for it, or type another --workdir")


def _in_words(other: Owner | None) -> str:
    return f"process {other.pid} on {other.host}" if other else "another process"


def _started(pid: int) -> str:
    """When a process of this machine started, in the system's own unit; "" if that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if fields[0] == "Z" else fields[19]
