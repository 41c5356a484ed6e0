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
from typing import BinaryIO

from wcgan_tf.core import errors, files, listing, records, unfinished
from wcgan_tf.core.errors import InUseError, UserError
from wcgan_tf.core.owner import Owner, in_words

BEAT_SECONDS = 15.0
DEAD_SECONDS = 60.0
SETTLE_SECONDS = 2.0  # longer than two processes that take over the same folder need between their look and their write
LOOK_SECONDS = 1.0
GONE = {errno.ENOENT, errno.EEXIST, errno.ESTALE}  # who held the folder deletes it just now
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
LOCK, OWNER = "lock", "owner.json"
OWN = (LOCK, OWNER)  # in a folder that is held


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
        try:
            _hold_at_last(path, me, say, waiting, held)
            threading.Thread(target=_beat, args=(path, me, over), daemon=True).start()
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
            unfinished.put_back(target)
            yield
    finally:
        all(unfinished.remove_if_empty(empty) for empty in (folder, folder.parent, *new))


def _hold_at_last(
    path: Path, me: Owner, say: Callable[[str], None], waiting: str | None, held: contextlib.ExitStack
) -> None:
    """Take the lock and write the owner file, as often as who held the folder deletes or replaces it meanwhile."""
    for turn in itertools.count():
        try:
            if _hold(path, me, say, waiting, held):
                return
        except OSError as error:
            if error.errno not in GONE or turn >= unfinished.MOST_TURNS:
                raise
        with contextlib.suppress(OSError):
            if _read(path) == me:
                path.unlink()
        held.close()
        time.sleep(unfinished.TURN_SECONDS)


def _hold(path: Path, me: Owner, say: Callable[[str], None], waiting: str | None, held: contextlib.ExitStack) -> bool:
    """Take the lock and write the owner file; returns False if who held the folder has deleted or replaced it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file, place = _flock(path, say, waiting, held), path.parent / LOCK
    if file and not _is_at(file, place):
        return False
    _take(path, me, file is not None, say, waiting)
    return file is None or _is_at(file, place)


def _release(path: Path, passing: bool) -> None:
    """Delete the owner file, and with `passing` the locked one.

    That goes first: who waits for the owner file must find then that its own lock is of no use.
    """
    if passing:
        (path.parent / LOCK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for left in listing.matching(path.parent, f".{OWNER}.*"):  # of a process that was killed while it took over
            left.unlink(missing_ok=True)
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
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False


def _take(path: Path, me: Owner, locked: bool, say: Callable[[str], None], waiting: str | None) -> None:
    """Write the owner file, as soon as the one that is there is found to be of a process that is gone."""
    while _write(path, me, locked, say, waiting):
        time.sleep(SETTLE_SECONDS)  # another process may have taken over too, and deleted this one's file
        now = _read(path)
        if now == me:
            return
        if waiting is None:
            raise _in_use(path, now)


def _write(path: Path, me: Owner, locked: bool, say: Callable[[str], None], waiting: str | None) -> bool:
    """Write the owner file; returns whether it took over from a process that others may take for gone, too."""
    taken_over = False
    while not _create(path, me):
        touched, other = _touched(path), _read(path)
        if touched is None:  # it was given up
            if path.is_symlink():
                raise UserError(f"{path} is a link to nowhere; delete it")
            continue
        gone = other is not None and other.is_gone(me, locked)
        if not gone:
            say(f"{path} is of {in_words(other)}; waiting up to {DEAD_SECONDS:.0f} s to see whether it still runs")
            if not _is_silent(path, touched) and _touched(path) is not None:
                if waiting is None:
                    raise _in_use(path, _read(path))  # it may be another's by now
                say(waiting)
                say = _say_nothing
        if _touched(path) == touched and _delete(path, other):  # else it was given up, and may be another's by now
            taken_over = not (gone and locked)
    return taken_over


def _delete(path: Path, other: Owner | None) -> bool:
    """Delete an owner file if it is that of `other`; returns whether it was.  One of a third is put back."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    found = _read(aside) == other
    with contextlib.suppress(OSError):  # a fourth has it by now; or the file system has no links, and the third ends
        if not found:
            os.link(aside, path)
    aside.unlink(missing_ok=True)
    return found


def _is_silent(path: Path, touched: int) -> bool:
    """Watch an owner file for DEAD_SECONDS; returns False as soon as its process touches it or gives it up.

    No clock is compared with another's, and opening a file makes NFS ask the server for its time.

    Args:
        touched: when it was last touched, before the watch.
    """
    until = time.monotonic() + DEAD_SECONDS
    while time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        if _touched(path) != touched:
            return False
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
            if not path.exists() and _create(path, me) and over.is_set():  # it was given up meanwhile
                path.unlink()
                return
            now = records.decode(path.read_bytes(), Owner)
            if now == me:
                os.utime(path)
            elif not over.is_set():
                why = "this process was suspended, or its files were deleted; it ends"
                text = f"{path.parent} was taken over by {in_words(now)}: {why}"
                with contextlib.suppress(OSError):
                    print("error:", text, file=sys.stderr, flush=True)
                os._exit(errors.FAILED)


def _of_this_boot(other: Owner | None) -> Owner | None:
    """The owner, if it can be the process that has the system's lock: one of another machine is a leftover."""
    return other if other and other.boot == Owner.me().boot else None


def _read(path: Path) -> Owner | None:
    return records.read_if_whole(path, Owner)


def _in_use(path: Path, other: Owner | None) -> InUseError:
    return InUseError(f"{path.parent} is in use by {in_words(other)}; wait for it, or type another --workdir")


def _say_nothing(line: str) -> None:
    """What a process says while it waits on."""
