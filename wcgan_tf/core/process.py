"""Private and forced operations on this process, each with its reason."""

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

FLUSH_SECONDS = 2.0
SLOW_EXTRAS = ("matplotlib", "pandas", "sklearn")  # Keras imports them if they are installed, for parts not used here
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def end(code: int) -> None:
    """End the process as `sys.exit` does, without the seconds in which TensorFlow takes itself apart."""
    atexit._run_exitfuncs()  # private, the only way to remove temporary files before `os._exit`
    flush = threading.Thread(target=_flush, daemon=True)
    flush.start()
    flush.join(FLUSH_SECONDS)  # a full pipe that nobody reads
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()


def open_standard_streams() -> None:
    """Open stdin, stdout and stderr to nowhere if the shell closed them; the next file would take their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode)  # noqa: SIM115  # takes the lowest free number, which is its own
            setattr(sys, name, nowhere)


def is_stdout(descriptor: int) -> bool:
    """Whether an open file is the one that stdout writes to."""
    return os.path.samestat(os.fstat(descriptor), os.fstat(1))


@contextlib.contextmanager
def quiet_imports(without: tuple[str, ...] = SLOW_EXTRAS) -> Iterator[None]:
    """Import TensorFlow in this block: what it writes to stderr before its log has a level is dropped.

    What is imported is left out of all garbage collections, which would take long to go through it.

    Args:
        without: packages that cannot be imported in this block, by TensorFlow neither; afterwards they can.
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
    """Ask the system for SIGTERM if the process that started this one is killed; between fork and exec."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
