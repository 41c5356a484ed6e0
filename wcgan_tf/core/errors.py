"""Exit codes, and the exception that a program shows as one line instead of a traceback."""

import errno
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

DONE = 0
FAILED = 1  # Python's own code for an exception; a retry may help, as after a full disk
WRONG_INPUT = 2  # a setting, a flag or a file is wrong; a retry does not help
DIVERGED = 3  # a loss or a weight is not finite
STOPPED = 75  # EX_TEMPFAIL: stopped on request, everything is saved; the same command continues
EXIT_CODES = {"done": DONE, "stopped": STOPPED, "diverged": DIVERGED}  # of a training, by the state in which it ends

EXTRAS = {"cuda": "'tensorflow[and-cuda]'", "demo": "gradio"}  # the main package of each, see setup.cfg


def python() -> str:
    """What to type for this interpreter: `python` if the shell finds it by that, else its path."""
    found, own = shutil.which("python"), Path(sys.executable or "python")
    if found and Path(found).parent.resolve() == own.parent.resolve():
        return "python"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)


def install(extra: str) -> str:
    """What to type to install one of this package's extras: of a clone, or without one the packages themselves."""
    clone = Path(__file__).parent.parent.parent / "setup.cfg"
    return f"pip install -e '.[{extra}]'" if clone.exists() else f"{python()} -m pip install {EXTRAS[extra]}"


class Command:
    """A program of this package with arguments, for the user to type; `cli.command` adds the current settings."""

    def __init__(self, program: str, *arguments: str):
        self.program, self.arguments = program, arguments

    def __str__(self) -> str:
        return shlex.join([python(), "-m", f"wcgan_tf.{self.program}", *self.arguments])


class UserError(Exception):
    """An error that the user can fix: the text names the thing, what is wrong with it, and what to type.

    Args:
        parts: texts and `Command`s, joined to one line.
    """

    def __init__(self, *parts: "str | Command"):
        super().__init__(*parts)
        self.parts = parts

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


class InUseError(UserError):
    """Another process holds what this one needs."""


class DamagedError(UserError):
    """A file is not what was written."""


RESUMES = "and the same command resumes"
ELSEWHERE = "mend that, or name another folder"
PROBLEMS = {  # error number of the system -> what is wrong and what to do, exit code
    errno.ENOSPC: (f"no space is left on the device; free some, {RESUMES}", FAILED),
    errno.EDQUOT: (f"the disk quota is used up; delete what is not needed, {RESUMES}", FAILED),
    errno.ESTALE: (f"the file server does not know it any more (stale file handle); mend that, {RESUMES}", FAILED),
    errno.EIO: (f"the disk or the file server fails (input/output error); mend that, {RESUMES}", FAILED),
    errno.ENOMEM: (f"there is too little memory; start fewer processes at a time, {RESUMES}", FAILED),
    errno.EROFS: ("the file system is read-only; name another folder", WRONG_INPUT),
    errno.EFBIG: (f"a file may not become that large; raise ulimit -f, {RESUMES}", WRONG_INPUT),
    errno.EMFILE: (f"this process has too many open files; type: ulimit -n 4096, {RESUMES}", WRONG_INPUT),
    errno.ENFILE: (f"this machine has too many open files; end other programs, {RESUMES}", FAILED),
}
# TensorFlow: `{{operation}} file; words`, of a part of a checkpoint
QUOTED = r"(?:{{.*?}} )?([^;\n]+?)(?:_temp(?:/[^;\n]*)?)?; "
ASIDE = r"\.unfinished/[^/]+/"  # of `files.publish`
LASTING = (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)  # a retry does not help


def problem(error: BaseException) -> tuple[str, int] | None:
    """What is wrong and what to do, in one line, and the exit code, if the system raised an error; else None.

    Libraries quote the system's words in errors of their own: TensorFlow as `<file>; <words>`, HDF5 in a sentence.
    """
    if isinstance(error, MemoryError):
        return ": ".join(filter(None, [str(error), PROBLEMS[errno.ENOMEM][0]])), FAILED
    if "can't start new thread" in str(error):
        return f"there are too many threads; raise ulimit -u or the control group's pids.max, {RESUMES}", FAILED
    number, file = _number(error), getattr(error, "filename", None)
    if file is None and (quoted := re.match(QUOTED, str(error))):
        file = re.sub(ASIDE, "", quoted[1])
    if number in PROBLEMS:
        text, code = PROBLEMS[number]
    elif isinstance(error, OSError):
        text, code = f"{error.strerror or error}; {ELSEWHERE}", WRONG_INPUT if isinstance(error, LASTING) else FAILED
        file = file or "a file"
    elif file and os.strerror(errno.ENOENT) in str(error):  # of TensorFlow
        text, code = f"it is gone: was it deleted? {RESUMES.removeprefix('and ')} from what is left", FAILED
    else:
        return None
    return f"{file}: {text}" if file else text, code


def is_of_system(error: BaseException) -> bool:
    """Whether a file could not be read for a reason that is not in the file, so that it need not be damaged."""
    return _number(error) in {*PROBLEMS, errno.EACCES, errno.EPERM} or isinstance(error, MemoryError)


def _number(error: BaseException) -> int | None:
    """The system's number of an error; None if it is of another kind."""
    number = getattr(error, "errno", None)
    quoted = (known for known in (*PROBLEMS, errno.EACCES) if os.strerror(known) in str(error))
    return next(quoted, None) if number is None else number
