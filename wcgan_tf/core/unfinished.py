"""Where files and folders are written until they are whole: in a hidden folder beside their place.

In `.unfinished/` each writer has a folder of its own, named after its machine, and a file that it locks as long as it
runs.  What nobody locks was left by a killed process, and the next writer there deletes it.
"""

import contextlib
import ctypes
import errno
import fcntl
import itertools
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from wcgan_tf.core import listing, machine

NAME, ENDING = ".unfinished", ".lock"
HOST_LETTERS = 64
TURN_SECONDS = 0.01
MOST_TURNS = 300  # to begin again if others delete what is needed; then it is no accident, as in /proc
MOST_HIDDEN_TURNS = 100  # to wait for a file that FUSE or NFS keeps, as it is open
NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of <fcntl.h> and <linux/fs.h>


@contextlib.contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A new folder in the file system of `parent`, of this process alone; deleted after the block."""
    clear(parent)
    try:
        with _locked_file(parent / NAME) as path:
            own = path.with_suffix("")
            try:
                own.mkdir()
                yield own
            finally:
                _put_back(own, parent)
                _delete(own)
    finally:
        remove_if_empty(parent / NAME)


def clear(parent: Path, everything: bool = False) -> None:
    """Delete what killed processes of this machine left in `.unfinished/`; put back what they were replacing.

    Args:
        everything: also what is of other machines, or where the system has no locks: only this process may write there.
    """
    for path in listing.matching(parent / NAME, f"*{ENDING}"):
        if not everything and path.stem.rpartition("-")[0] != _host():
            continue
        with contextlib.suppress(OSError), path.open("r+b") as file:
            if not everything:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            own = path.with_suffix("")
            _put_back(own, parent)
            _delete(own)
    remove_if_empty(parent / NAME)


def remove_if_empty(folder: Path) -> bool:
    """Delete a folder unless another process is in there; returns whether it is gone.

    FUSE and NFS keep a file that is deleted while it is open, under a hidden name, until a moment after it is closed.
    """
    for _ in range(MOST_HIDDEN_TURNS):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno not in NOT_EMPTY or not _has_only_hidden(folder):
                return False
            time.sleep(TURN_SECONDS)
        else:
            return True
    return False


def _has_only_hidden(folder: Path) -> bool:
    """Whether all files in a folder and below are hidden ones; True if it is deleted meanwhile."""
    with contextlib.suppress(OSError):
        return all(path.name.startswith(".") for path in listing.all_files(folder))
    return True


def replace_folder(new: Path, target: Path) -> None:
    """Put the folder `new`, which is in an `own_folder`, in the place of the folder `target`: in one step if it can."""
    if _exchange(new, target):
        return
    replaced = new.parent / "replaced"
    replaced.mkdir()
    target.rename(replaced / target.name)
    new.rename(target)  # if an error or a signal comes before it, `own_folder` puts the other one back
    with contextlib.suppress(OSError):
        (replaced / target.name).rename(new)  # where no one puts it back any more


def put_back(target: Path) -> None:
    """Put back a folder that a process of any machine was replacing as it ended; no other may replace it meanwhile."""
    for own in listing.matching(target.parent / NAME, "*"):
        replaced = own / "replaced" / target.name
        if replaced.exists() and not target.exists():
            replaced.rename(target)


def _put_back(own: Path, parent: Path) -> None:
    """Put back what was to be replaced, if the end came between the two renames of `replace_folder`."""
    for replaced in listing.matching(own / "replaced", "*"):
        if not (parent / replaced.name).exists():
            replaced.rename(parent / replaced.name)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; returns False if the system cannot (NFS, for one)."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)  # musl has none
    if exchange is None:
        return False
    return exchange(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0


@contextlib.contextmanager
def _locked_file(place: Path) -> Iterator[Path]:
    """Make a new file in a folder, and lock it during this block; where the system has no locks, only make it."""
    for turn in itertools.count():
        path = place / f"{_host()}-{secrets.token_hex(8)}{ENDING}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            file = path.open("wb")
        except (FileNotFoundError, FileExistsError):  # another process has just deleted the folder, which was empty
            if turn >= MOST_TURNS:
                raise
            time.sleep(TURN_SECONDS)
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # another process has just found it without a lock, and deletes it
                continue
            except OSError:  # there are no locks
                pass
            if path.exists():  # else it was deleted so
                yield path
                return


def _delete(own: Path) -> None:
    """Delete a writer's folder, and then the file that says that it is in use.

    What a reader has open for long on FUSE or NFS is left to the next writer.
    """
    for _ in range(MOST_HIDDEN_TURNS):
        shutil.rmtree(own, ignore_errors=True)
        if not own.exists():
            with contextlib.suppress(OSError):
                own.with_name(own.name + ENDING).unlink()
            return
        if not _has_only_hidden(own):
            return
        time.sleep(TURN_SECONDS)


def _host() -> str:
    return machine.host().replace("/", "-")[:HOST_LETTERS]
