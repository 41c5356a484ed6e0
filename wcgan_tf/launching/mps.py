"""NVIDIA's Multi-Process Service: processes that share a GPU run on it at the same time, not in turns."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wcgan_tf.core.process import end_with_parent

CONTROL = "nvidia-cuda-mps-control"
START_SECONDS, ASK_SECONDS = 20.0, 20.0
VARIABLES = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY")


@contextlib.contextmanager
def service(wanted: bool, say: Callable[[str], None]) -> Iterator[dict[str, str] | None]:
    """Run the service during this block; yields the environment variables of its clients, or None without a service.

    A service that runs already is used and left alone.  Without one, processes still share a GPU, in turns.

    Args:
        wanted: whether processes share a GPU; if not, this does nothing.
        say: called with one line that says how they share it.
    """
    if not wanted:
        yield None
        return
    if not shutil.which(CONTROL):
        say(f"{CONTROL} is not installed: the processes of a GPU take turns on it")
        yield None
        return
    if _ask("get_server_list", {}):
        say("the processes of a GPU share it by the MPS that runs here")
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:  # a short path, for it names sockets
        environment = dict(zip(VARIABLES, (f"{folder}/pipe", f"{folder}/log"), strict=True))
        for path in environment.values():
            Path(path).mkdir()
        process = _start(environment)
        if process is None:
            say(f"{CONTROL} does not start here: the processes of a GPU take turns on it")
            yield None
            return
        say("the processes of a GPU share it by MPS")
        try:
            yield environment
        finally:
            _ask("quit", environment)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(ASK_SECONDS)
            process.kill()
            process.wait()


def _start(environment: dict[str, str]) -> subprocess.Popen | None:
    """The service in the foreground, which ends with this process; None if it does not answer."""
    # All GPUs: of a part of them, the service would number its clients' GPUs anew.
    own = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | environment
    process = subprocess.Popen(
        [CONTROL, "-f"],
        env=own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C does not reach it: the labels save first
        preexec_fn=end_with_parent,
    )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _ask("get_server_list", environment):
            # Its server would start with the first client, and refuse those that come meanwhile.
            _ask(f"start_server -uid {os.getuid()}", environment)
            return process
        time.sleep(0.1)
    process.kill()
    process.wait()
    return None


def _ask(command: str, environment: dict[str, str]) -> bool:
    """Whether the service took a command."""
    try:
        done = subprocess.run(
            [CONTROL],
            input=f"{command}\n",
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=ASK_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
