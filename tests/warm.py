"""Warm starts: programs are forks of a process that has imported TensorFlow, which takes a fresh one seconds.

A fork has its own arguments, environment, folder, streams, signals and cores, and starts TensorFlow's runtime itself;
it only does not import.  `launch` and `pipeline` fork what they start, too.  So variables that are read during the
imports (`PYTHONPATH`, `KERAS_BACKEND`, ...), and whether a module is imported at all, can only be tested with
`fresh=True`.
"""

import atexit
import contextlib
import ctypes
import gc
import inspect
import io
import itertools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
import weakref
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import rich
from absl import app, flags

PR_SET_CHILD_SUBREAPER = 36  # of <linux/prctl.h>
LARGEST_MESSAGE = 1 << 20
LINKS: list[socket.socket] = []  # to the warm process
PARENTS_STREAMS: list = []  # in a fork: kept, since their buffers are the parent's to write
ABSL_FLAGS = set(app.flags.FLAGS)
NOT_DONE = {"uid": None, "gid": None, "gids": None, "umask": -1, "process_group": -1}


class Start(NamedTuple):
    """How a program starts.

    Attributes:
        words: what follows `python`: `-m` and a module, `-c` and code, or a script; and the arguments.
        folder: the working directory.
        environment: its variables.
        cpus: those it may use.
        new_session: whether it leads a session of its own.
        keep: the open files that it inherits.
    """

    words: list[str]
    folder: str
    environment: dict[str, str]
    cpus: list[int]
    new_session: bool
    keep: list[int]


class Forking(subprocess.Popen):
    """A `Popen` that forks this process to start our programs and code, and starts all else as usual."""

    def _execute_child(self, *values):
        given = inspect.signature(super()._execute_child).bind(*values).arguments
        command = [os.fsdecode(word) for word in given["args"]] if not given["shell"] else []
        if not self._is_ours(command):
            super()._execute_child(*values)
            return
        cannot = {name: given[name] for name, default in NOT_DONE.items() if given.get(name, default) != default}
        assert not cannot, f"a fork has no {cannot}; use fresh=True"
        variables = os.environ if given["env"] is None else given["env"]
        environment = {os.fsdecode(name): os.fsdecode(value) for name, value in variables.items()}
        words = command[1:]
        if words[0] == "-u":
            words, environment["PYTHONUNBUFFERED"] = words[1:], "1"
        start = Start(
            words,
            os.path.abspath(given["cwd"] or "."),  # noqa: PTH100
            environment,
            sorted(os.sched_getaffinity(0)),
            given["start_new_session"],
            list(given["pass_fds"]),
        )
        pipes = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if pipe == -1 else pipe for number, pipe in enumerate(pipes)]
        self.pid = self._fork(start, streams, given["preexec_fn"])
        self._child_created = True
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[name] for name in names))

    @staticmethod
    def _is_ours(command: list[str]) -> bool:
        words = [word for word in command[1:4] if word != "-u"]
        ours = command[:1] == [sys.executable] and (words[:1] == ["-c"] or " ".join(words).startswith("-m wcgan_tf."))
        return ours and not _runtime_started()

    def _fork(self, start: Start, streams: list[int], before: Callable | None) -> int:
        return os.fork() or become(start, streams, before)


class Warm(Forking):
    """A `Popen` of `python`, forked from the warm process; a child of this one, as usual."""

    @staticmethod
    def _is_ours(command: list[str]) -> bool:
        assert command[0] == sys.executable
        return True

    def _fork(self, start: Start, streams: list[int], before: Callable | None) -> int:
        assert before is None, "a function cannot be sent to another process"
        assert not start.keep, "neither can open files"
        (link,) = LINKS
        socket.send_fds(link, [json.dumps(start).encode()], streams)
        return int(link.recv(100))


def start() -> None:
    """Import what our programs import, and fork the warm process; its programs become our children."""
    _import_all()
    gc.freeze()  # the forks share this memory; their collections skip it
    assert not _runtime_started()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            mine.close()
            serve(its)
        finally:
            os._exit(0)
    its.close()
    LINKS.append(mine)


def serve(link: socket.socket) -> None:
    """Fork a program for each request, until the requesting process has ended."""
    while True:
        message, streams, _, _ = socket.recv_fds(link, LARGEST_MESSAGE, 3)
        if not message:
            return
        link.send(str(_fork_orphan(Start(*json.loads(message)), streams)).encode())
        for stream in streams:
            os.close(stream)


def _import_all() -> None:
    from wcgan_tf.core.process import quiet_imports

    with quiet_imports():
        import tensorflow  # noqa: F401
    import sklearn.datasets
    import sklearn.neighbors  # noqa: F401

    from wcgan_tf.evaluation import tfgan

    tfgan.evaluation()
    rich.print(end="")  # imports more; a fork of `launch` would deadlock on an import in progress in another thread


def _fork_orphan(start: Start, streams: list[int]) -> int:
    """Fork a program and end its parent, so that it becomes a child of the requesting process; return its pid."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        child = os.fork() or become(start, streams)
        os.write(writer, str(child).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(middle, 0)
    with os.fdopen(reader) as file:
        return int(file.read())


def become(start: Start, streams: list[int], before: Callable | None = None) -> NoReturn:
    """In a fork: run this program, from first line to exit code."""
    code: object = 1
    try:
        _forget_the_parent(start, streams)
        if before:
            before()
        _run(start.words)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    with contextlib.suppress(BaseException):
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    os._exit(code or 0)


def _run(words: list[str]) -> None:
    """Run these words as `python` does."""
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(words[1], vars(sys.modules["__main__"]))
    else:
        sys.argv = words
        sys.path[0] = os.path.dirname(os.path.abspath(words[0]))  # noqa: PTH100, PTH120
        runpy.run_path(words[0], run_name="__main__")


def _forget_the_parent(start: Start, streams: list[int]) -> None:
    """Reset this process as `exec` would."""
    if start.new_session:
        os.setsid()
    _listen_to_no_signal()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    ends = [2, *sorted(start.keep), os.sysconf("SC_OPEN_MAX")]
    for below, above in itertools.pairwise(ends):
        os.closerange(below + 1, above)
    os.chdir(start.folder)
    os.sched_setaffinity(0, start.cpus)
    os.environ.clear()
    os.environ.update(start.environment)
    _open_streams(unbuffered=bool(start.environment.get("PYTHONUNBUFFERED")))
    _forget_flags()
    atexit._clear()  # these are the parent's to run, such as deleting temporary folders
    weakref.finalize._registry.clear()
    weakref.finalize._registered_with_atexit = False
    tempfile.tempdir = None
    subprocess.Popen = Forking
    sys.path[0] = start.folder


def _runtime_started() -> bool:
    """Whether TensorFlow has threads here: a fork would have their locks but not the threads."""
    context = sys.modules.get("tensorflow.python.eager.context")
    return context is not None and context.context()._initialized


def _listen_to_no_signal() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _open_streams(unbuffered: bool) -> None:
    """Open them as Python does."""
    PARENTS_STREAMS.append((sys.stdin, sys.stdout, sys.stderr))
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    out = io.FileIO(1, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        out if unbuffered else io.BufferedWriter(out), "utf-8", line_buffering=os.isatty(1), write_through=unbuffered
    )
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)


def _forget_flags() -> None:
    """Undefine the flags of the parent's program, and forget its command line."""
    flags.FLAGS.unparse_flags()
    for name in set(flags.FLAGS) - ABSL_FLAGS:
        delattr(flags.FLAGS, name)
