"""Low-level operations on this process, each with its reason."""

import atexit
import builtins
import contextlib
import ctypes
import gc
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

FLUSH_SECONDS = 2.0
SLOW_EXTRAS = ("matplotlib", "pandas", "sklearn")  # Keras imports them if they are installed, for parts not used here
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8  # of glibc's <malloc.h>
KEPT = {M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 * 2**20, M_MMAP_THRESHOLD: 2**30, M_ARENA_MAX: 1}


def end(code: int) -> None:
    """End the process as `sys.exit` does, but skip TensorFlow's shutdown, which takes seconds."""
    if hasattr(builtins, "__IPYTHON__"):  # `%run` in a notebook, whose process lives on
        sys.exit(code)
    atexit._run_exitfuncs()  # private; the only way to delete temporary files before `os._exit`
    flush = threading.Thread(target=_flush, daemon=True)
    flush.start()
    flush.join(FLUSH_SECONDS)  # flushing blocks on a full pipe that nobody reads
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()


def keep_freed_memory() -> None:
    """Have glibc keep the memory that is freed for what is allocated next; to be called before any thread starts.

    Otherwise the large tensors of every step are given back to the system, which fills each page with zeros before it
    comes again: 100,000 pages a second, and a fifth of a CPU's time.  Threads share one heap, since others than the
    first are too small for such tensors.
    """
    with contextlib.suppress(AttributeError):  # another C library
        for option, value in KEPT.items():
            ctypes.CDLL(None).mallopt(option, value)


def open_standard_streams() -> None:
    """Open standard streams that are closed on /dev/null; otherwise the next file gets their descriptor.

    Letters that a terminal's encoding has not are printed as `\\xf6`, in place of an error.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode)  # noqa: SIM115  # gets the lowest free descriptor, its own
            setattr(sys, name, nowhere)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's is none
            stream.reconfigure(errors="backslashreplace")


def is_stdout(descriptor: int) -> bool:
    """Whether a file descriptor refers to the same file as stdout."""
    return os.path.samestat(os.fstat(descriptor), os.fstat(1))


def write_to(log: Path) -> None:
    """Append to a file from now on what goes to stdout and stderr."""
    with log.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)


@contextlib.contextmanager
def quiet_imports(without: tuple[str, ...] = SLOW_EXTRAS) -> Iterator[None]:
    """Discard stderr in this block, for the import of TensorFlow, which writes before its log level applies.

    Excludes the imported objects from garbage collection, which would take long to scan them.

    Args:
        without: packages whose import fails in this block, also inside TensorFlow and Keras, but not afterwards.
    """
    hidden = [name for name in without if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it fails, as if it were not installed
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        os.dup2(kept, 2)
        os.close(kept)
        for name in hidden:
            del sys.modules[name]


def end_with_parent() -> None:
    """Ask the system to send this process SIGTERM if its parent ends; called between fork and exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def is_gone(pid: int) -> bool:
    """Whether no process with this id runs on this host; 0 is this process."""
    try:
        os.kill(pid or os.getpid(), 0)  # signal 0 only checks that the process exists
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        return False
    return False
