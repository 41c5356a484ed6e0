"""Kills a program right after one of the system calls by which it changes a file, or lets such a call fail.

`strace` prints each such call when it returns, and holds its thread for a moment before that goes on; meanwhile the
program gets SIGKILL.  What is on the disk then is what a kill leaves there at that point.  The calls of all threads
count, so also those of TensorFlow's own.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from conftest import start_python

CHANGES = (
    "openat,open,creat,write,pwrite64,writev,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,"
    "symlink,symlinkat,truncate,ftruncate"
)
HOLD_MICROSECONDS = 3000
WATCHED = ["-e", f"trace={CHANGES}", "-e", f"inject={CHANGES}:delay_exit={HOLD_MICROSECONDS}"]
GATE = """
import runpy, sys
sys.stdin.readline()
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def is_possible() -> bool:
    """Whether this machine has strace, and lets it look at other processes."""
    strace = shutil.which("strace")
    return bool(strace) and subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False).returncode == 0


def calls(names: str, words: list[str], folder: Path) -> list[str]:
    """Run a program in a folder to its end; returns strace's lines of its system calls of these names."""
    with _traced(words, folder, ["-e", f"trace={names}"]) as (process, lines):
        found = list(lines)
        said = process.communicate()[0]
    assert process.returncode == 0, said
    return found


def count_changes(words: list[str], folder: Path) -> int:
    """Run a program, `wcgan_tf.<program>` and its flags, in a folder to its end; returns how often it changes files."""
    with _traced(words, folder, WATCHED) as (process, lines):
        number = sum(_changes(line, folder) for line in lines)
        said = process.communicate()[0]
    assert process.returncode == 0, said
    return number


def fail(
    call: str, error: str, number: int, words: list[str], folder: Path, file: Path | None = None
) -> tuple[int, int, str]:
    """Let the nth of a program's system calls of a kind fail, such as `fsync` with `EIO`, in each of its threads.

    Returns how many have failed, the exit code, and what the program said.

    Args:
        file: count calls about this file only.
    """
    failed, about = 0, ["-P", str(file)] if file else []
    how = [*about, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}"]
    with _traced(words, folder, how) as (process, lines):
        failed = sum("(INJECTED)" in line for line in lines)
        said = process.communicate()[0]
    return failed, process.returncode, said


def kill_after(number: int, words: list[str], folder: Path) -> bool:
    """Kill a program after it has changed files this number of times; returns False if it has ended before."""
    with _traced(words, folder, WATCHED) as (process, lines):
        for place, _ in enumerate((line for line in lines if _changes(line, folder)), 1):
            if place == number:
                process.send_signal(signal.SIGKILL)
        process.communicate()
    return process.returncode == -signal.SIGKILL


@contextlib.contextmanager
def _traced(words: list[str], folder: Path, how: list[str]) -> Iterator[tuple[subprocess.Popen, Iterator[str]]]:
    """Start a program under strace; yields its process, and strace's lines."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = start_python("-c", GATE, *words, folder=folder, **pipes)
    watch = ["strace", "-f", "-y", "-s", "0", "-e", "signal=none", *how, "-p", str(process.pid)]
    with subprocess.Popen(watch, stderr=subprocess.PIPE, text=True, errors="replace") as strace:
        try:
            lines = iter(strace.stderr)
            for line in lines:
                if "attached" in line:
                    break
            process.stdin.write("\n")
            process.stdin.flush()
            yield process, lines
        finally:
            process.kill()
            for _ in lines:
                pass


def _changes(line: str, folder: Path) -> bool:
    """Whether a line of strace tells of a call that has changed a file in a folder, which is its working directory."""
    if " = -1 " in line or "= ?" in line or "<unfinished" in line:
        return False
    if re.search(r"\b(open|openat)\(", line) and not re.search(r"O_(WRONLY|RDWR|CREAT)", line):
        return False
    return str(folder) in line or bool(re.search(r'\("[^/]', line))
