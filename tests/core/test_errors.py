"""The system's errors in words, however a library wraps them."""

import errno
import os

import pytest
import tensorflow as tf

from wcgan_tf.core import errors
from wcgan_tf.core.errors import FAILED, WRONG_INPUT


def of_system(number: int, *file: str) -> OSError:
    return OSError(number, os.strerror(number), *file)


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (of_system(errno.ENOSPC, "runs/a"), "runs/a: no space is left on the device; free some, and the same", FAILED),
        (of_system(errno.ENOSPC), "no space is left on the device", FAILED),
        (of_system(errno.EDQUOT, "runs/a"), "runs/a: the disk quota is used up", FAILED),
        (of_system(errno.ESTALE, "runs/a"), "runs/a: the file server does not know it any more", FAILED),
        (of_system(errno.EIO, "runs/a"), "runs/a: the disk or the file server fails", FAILED),
        (of_system(errno.EROFS, "runs/a"), "runs/a: the file system is read-only; name another folder", WRONG_INPUT),
        (of_system(errno.EMFILE, "runs/a"), "runs/a: this process has too many open files; type: ulimit", WRONG_INPUT),
        (of_system(errno.EACCES, "runs/a"), "runs/a: Permission denied; mend that, or name another", WRONG_INPUT),
        (of_system(errno.ENOTDIR, "runs/a"), "runs/a: Not a directory; mend that, or name another", WRONG_INPUT),
        (of_system(errno.ETIMEDOUT, "runs/a"), "runs/a: Connection timed out; mend that", FAILED),
        (OSError("a text of h5py"), "a file: a text of h5py; mend that", FAILED),
        (
            tf.errors.ResourceExhaustedError(None, None, "runs/c/ckpt-3.index; No space left on device"),
            "runs/c/ckpt-3.index: no space is left on the device",
            FAILED,
        ),
        (
            tf.errors.UnknownError(None, None, "runs/c; Disk quota exceeded"),
            "runs/c: the disk quota is used up",
            FAILED,
        ),
        (
            RuntimeError("Unable to synchronously create file (errno = 30, error message = 'Read-only file system')"),
            "the file system is read-only",
            WRONG_INPUT,
        ),
        (
            MemoryError("Unable to allocate 9 TiB"),
            "Unable to allocate 9 TiB: there is too little memory; start",
            FAILED,
        ),
        (
            tf.errors.ResourceExhaustedError(None, None, "m/.unfinished/n7-0a/o/1/variables; No space left on device"),
            "m/o/1/variables: no space is left",
            FAILED,
        ),
        (
            tf.errors.NotFoundError(None, None, "{{function_node x}} runs/c/ckpt-1_temp; No such file or directory"),
            "runs/c/ckpt-1: it is gone: was it deleted? the same command resumes from what is left",
            FAILED,
        ),
        (RuntimeError("can't start new thread"), "there are too many threads; raise ulimit -u", FAILED),
        (MemoryError(), "there is too little memory; start fewer processes at a time", FAILED),
    ],
)
def test_the_system_has_its_own_words(error, words, code):
    text, exit_code = errors.problem(error)
    assert text.startswith(words)
    assert exit_code == code


@pytest.mark.parametrize("error", [ValueError("x"), tf.errors.InvalidArgumentError(None, None, "a; b"), KeyError("k")])
def test_other_errors_are_not_of_the_system(error):
    assert errors.problem(error) is None
    assert not errors.is_of_system(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (of_system(errno.EMFILE), True),
        (of_system(errno.EACCES, "weights.h5"), True),
        (tf.errors.PermissionDeniedError(None, None, "saved_model.pb; Permission denied"), True),
        (OSError("Unable to open file (file signature not found)"), False),
        (of_system(errno.ENOENT, "weights.h5"), False),
    ],
)
def test_a_file_that_cannot_be_read_need_not_be_damaged(error, expected):
    assert errors.is_of_system(error) == expected
