"""Atomic writes of files and folders, which survive a kill and a power loss, and digests."""

import codecs
import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wcgan_tf.core import listing, unfinished
from wcgan_tf.core.errors import UserError

NO_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EACCES}  # of a file system that cannot write folders on demand


@contextlib.contextmanager
def named(target: Path) -> Iterator[None]:
    """Name the target in errors of the system that name no file, as from `os.fsync`, or the temporary one beside it."""
    try:
        yield
    except OSError as error:
        hidden = (f"/.{target.name}.", f"/{unfinished.NAME}/")
        aside = error.filename is None or any(part in f"/{error.filename}" for part in hidden)
        if error.errno is None or not aside:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


def flush(path: Path) -> None:
    """Have the system write a file, or a folder with all that is in it, to the disk.

    Before a rename: else after a power loss the rename may be there, and what was renamed may not.
    """
    if path.is_dir():
        for inside in path.iterdir():
            flush(inside)
    sync(path)


def sync(path: Path) -> None:
    """The same for a file, or for the names in a folder, without what has them: after a rename into it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with named(path):
            os.fsync(descriptor)
    except OSError as error:
        if not (path.is_dir() and error.errno in NO_FOLDERS):
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def publish(target: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write a file or a folder to; it replaces `target` if the block ends without an error.

    The path is in the same file system, so that a rename suffices.  What killed processes left there is deleted first.
    If `target` is a link, the block replaces its destination.  Raises IsADirectoryError if a file would replace a
    folder.

    Args:
        durable: whether it has to survive a power loss; several milliseconds for each file in it.
    """
    if target.is_symlink():
        target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    with named(target), unfinished.own_folder(target.parent) as own:
        new = own / target.name
        yield new
        if durable:
            flush(new)
        if not target.is_dir():
            new.rename(target)
        elif new.is_dir():
            unfinished.replace_folder(new, target)
        else:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if durable:
            sync(target.parent)


def refuse_to_replace(target: Path, own: list[str]) -> None:
    """Refuse to replace a file, or a folder that has entries other than `own`.

    Args:
        own: name patterns of the entries that may be replaced, as for `Path.match`.

    Raises:
        UserError: naming the file, or one of the other entries.
    """
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is a file; name a folder")
    if target.is_dir():
        others = [path.name for path in target.iterdir() if not any(path.match(pattern) for pattern in own)]
        if others:
            raise UserError(
                f"{target} has more in it than would be replaced, such as {min(others)}; name another folder"
            )


def write_text(target: Path, text: str, durable: bool = True) -> None:
    """Write a text file atomically.

    Args:
        durable: whether it has to survive a power loss; if not, it takes few system calls, since 1,000 processes may
            write one every 10 s, the folder has to be there, and a killed one leaves a hidden file, which
            `clear_leftovers` deletes.
    """
    if durable:
        with publish(target) as path:
            path.write_text(text, encoding="utf-8")
        return
    aside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with named(target):
            aside.write_text(text, encoding="utf-8")
            aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_array(target: Path, array: np.ndarray) -> None:
    """Write a `.npy` file atomically."""
    with publish(target) as path, path.open("w+b") as file:
        # Into a file opened with "wb", NumPy's own C code would write, whose errors have no number of the system.
        np.save(file, array, allow_pickle=False)


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a file that people write: UTF-8, or with a byte order mark UTF-16 too, as Windows has it.

    Args:
        errors: what to do with bytes of another encoding, as for `bytes.decode`.

    Raises:
        UnicodeDecodeError: if there are such bytes, and `errors` is "strict".
    """
    data = path.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig", errors)


def size(folder: Path) -> int:
    """The total bytes of all files in a folder, at any depth; 0 if the folder does not exist."""
    return sum(path.stat().st_size for path in listing.all_files(folder))


def clear_leftovers(folder: Path) -> None:
    """Delete the hidden files and folders that a killed write leaves in a folder; only this process may write to it."""
    unfinished.clear(folder, everything=True)
    for left in listing.matching(folder, ".*"):
        with contextlib.suppress(OSError):  # on NFS, what another process still reads
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def refuse_read_only(folder: Path) -> None:
    """Raise the system's error before time is spent, if there is such a folder and nothing can be written to it."""
    if folder.exists() and not os.access(folder, os.W_OK):
        number = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(number, os.strerror(number), str(folder))


def refuse_full_disk(folder: Path, size: int) -> None:
    """Raise the system's error of a full disk if there is no room for `size` bytes; it does not know users' quotas."""
    disk = os.statvfs(folder)
    free = disk.f_bavail if os.geteuid() else disk.f_bfree  # root may use what is reserved
    if disk.f_blocks and free * disk.f_frsize < size:  # without blocks the file system says nothing of its size
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def digest_json(value: Any) -> str:
    """The digest of a JSON-serializable value: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def digest_file(path: Path) -> str:
    """The digest of a file's contents: the first 16 hexadecimal digits of their SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def digest(array: np.ndarray) -> str:
    """The digest of an array's dtype, shape and contents: the first 16 hexadecimal digits of their SHA-256."""
    fingerprint = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    fingerprint.update(np.ascontiguousarray(array).data)
    return fingerprint.hexdigest()[:16]
