"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wcgan_tf.core.errors import UserError


@contextlib.contextmanager
def publish(target: Path) -> Iterator[Path]:
    """Yield a path to write a file or a folder to; it takes the place of `target` when the block ends without an error.

    The path lies beside `target`, in the same file system, so that a rename is all there is to do.  A link stays one.
    A file does not take the place of a folder.
    """
    if target.is_symlink():
        target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    replaced = aside / "replaced"
    try:
        yield aside / target.name
        if target.is_dir() and not (aside / target.name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if target.is_dir():  # a folder cannot be renamed onto a folder that has files in it
            target.rename(replaced)
        (aside / target.name).rename(target)
    except BaseException:  # a signal too
        if replaced.exists() and not target.exists():
            replaced.rename(target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def refuse_to_replace(target: Path, own: list[str]) -> None:
    """Refuse to replace a file, or a folder with anything else in it than files and folders of these names.

    Args:
        own: patterns of the names, as for `Path.match`.

    Raises:
        UserError: naming what else is there.
    """
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is a file; name a folder")
    if target.is_dir():
        others = [path.name for path in target.iterdir() if not any(path.match(pattern) for pattern in own)]
        if others:
            raise UserError(
                f"{target} has more in it than would be replaced, such as {min(others)}; name another folder"
            )


@contextlib.contextmanager
def lock_folder(folder: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a folder for this process; the system lets go of it when the process ends, however it ends.

    Args:
        waiting: called if another process holds it, before waiting until that has ended.

    Raises:
        UserError: if another process holds it, and `waiting` is None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is None:
                raise UserError(
                    f"{folder} is in use by another process; wait for it, or type another --workdir"
                ) from None
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_text(target: Path, text: str) -> None:
    """Write a text file whole; by fewer calls than `publish`, for a thousand processes write one every 10 s."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_array(target: Path, array: np.ndarray) -> None:
    """Write a `.npy` file whole."""
    with publish(target) as path, path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def size(folder: Path) -> int:
    """The bytes of all files in a folder; 0 if there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def clear_leftovers(folder: Path) -> None:
    """Delete what a kill in the middle of writing has left in a folder that this process holds."""
    for left in folder.glob(".*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def digest_json(value: Any) -> str:
    """A fingerprint of a value that can be written as JSON: 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def digest_file(path: Path) -> str:
    """A fingerprint of a file's contents: 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def digest(array: np.ndarray) -> str:
    """A fingerprint of an array's shape, type and contents: 16 hexadecimal digits of a SHA-256."""
    fingerprint = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    fingerprint.update(np.ascontiguousarray(array).data)
    return fingerprint.hexdigest()[:16]
