"""Programs that start warm: forks of a process that has imported TensorFlow, where a fresh one imports for seconds.

A fork is a program of its own, with its own arguments, environment, folder, streams, signals and cores, and starts
TensorFlow's runtime itself; all that it does not do is import.  What `launch` and `pipeline` start, they fork as well.
So a variable that is read during the imports (`PYTHONPATH`, `KERAS_BACKEND`, ...) and whether something is imported at
all can only be tested with `fresh=True`.
"""

import atexit
import contextlib
import ctypes
import gc
import inspect
import io
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
PARENTS_STREAMS: list = []  # in a fork: kept, for what they hold is the parent's to write
ABSL_FLAGS = set(app.flags.FLAGS)
NOT_DONE = {"pass_fds": (), "uid": None, "gid": None, "gids": None, "umask": -1, "process_group": -1}


class Start(NamedTuple):
    """How a program starts.

    Attributes:
        words: what follows `python`: `-m` and a module, `-c` and a program, or a script; and the arguments.
        folder: where.
        environment: its variables.
        cpus: on which it may run.
        new_session: whether it leads a session of its own.
    """

    words: list[str]
    folder: str
    environment: dict[str, str]
    cpus: list[int]
    new_session: bool


class Forking(subprocess.Popen):
    """A `Popen` that forks this process where a program of ours or code is to start, and starts all else as ever."""

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
    """A `Popen` of `python`, forked from the warm process, and like any other a child of this one."""

    @staticmethod
    def _is_ours(command: list[str]) -> bool:
        assert command[0] == sys.executable
        return True

    def _fork(self, start: Start, streams: list[int], before: Callable | None) -> int:
        assert before is None, "a function cannot be sent to another process"
        (link,) = LINKS
        socket.send_fds(link, [json.dumps(start).encode()], streams)
        return int(link.recv(100))


def start() -> None:
    """Import what our programs import, and fork the warm process; what that starts becomes a child of this one."""
    _import_all()
    gc.freeze()  # the forks share this memory, and do not look through it again and again
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
    """Fork a program for each request, until the process that asks has ended."""
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
    rich.print(end="")  # imports more; a fork of `launch` would wait for ever for an import under way in another thread


def _fork_orphan(start: Start, streams: list[int]) -> int:
    """Fork a program whose parent has ended, so that it becomes a child of whoever asked for it; returns its number."""
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
    """In a fork: be this program, from its first line to its exit code."""
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
    """As `python` does with these words."""
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
    """Leave of this process what another would have after `exec`."""
    if start.new_session:
        os.setsid()
    _listen_to_no_signal()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(start.folder)
    os.sched_setaffinity(0, start.cpus)
    os.environ.clear()
    os.environ.update(start.environment)
    _open_streams(unbuffered=bool(start.environment.get("PYTHONUNBUFFERED")))
    _forget_flags()
    atexit._clear()  # what the parent has to do at its end is its own, such as deleting temporary folders
    weakref.finalize._registry.clear()
    weakref.finalize._registered_with_atexit = False
    tempfile.tempdir = None
    subprocess.Popen = Forking
    sys.path[0] = start.folder


def _runtime_started() -> bool:
    """Whether TensorFlow has threads here, of which a fork would have the locks and not the threads."""
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
    """As Python opens its own."""
    PARENTS_STREAMS.append((sys.stdin, sys.stdout, sys.stderr))
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    out = io.FileIO(1, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        out if unbuffered else io.BufferedWriter(out), "utf-8", line_buffering=os.isatty(1), write_through=unbuffered
    )
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)


def _forget_flags() -> None:
    """Those that the parent's own program has defined, and what its command line said."""
    flags.FLAGS.unparse_flags()
    for name in set(flags.FLAGS) - ABSL_FLAGS:
        delattr(flags.FLAGS, name)
