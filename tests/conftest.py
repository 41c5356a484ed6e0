"""What the tests share: settings of a training of a few steps, and programs run as a user runs them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.update(KERAS_HOME=os.devnull, KERAS_BACKEND="tensorflow")  # as wcgan_tf.cli does

from wcgan_tf import devices, lines, signals, training, work
from wcgan_tf.config import default_config


def pytest_configure():
    """Before any test file is read: a process takes its device before TensorFlow starts its runtime."""
    devices.own("cpu")
    # The programs that tests start are to hear these, under nohup and in a shell's background too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def device():
    """The strategy of the tests' own process."""
    return devices.own("cpu")


@pytest.fixture
def config(tmp_path):
    """Digits, a small pair, a handful of steps; everything it writes is under the test's own folder."""
    settings = default_config()
    settings.dataset.data_dir = str(tmp_path / "data")
    settings.model.width = 4
    settings.model.latent_size = 3
    settings.train.batch_size = 8
    settings.train.max_steps = 6
    settings.train.max_seconds = 0.0
    settings.train.steps_per_execution = 4
    settings.train.device = "cpu"
    return settings


PREPARE = "python -m wcgan_tf.prepare"


def train_label(config, data, paths, stop=None) -> str:
    """Train a label in this process, as `python -m wcgan_tf.train` does in its own; "done before" where it was."""
    out = lines.Lines()
    try:
        with work.at_work(config, data, paths, stop or signals.StopRequests(), out, PREPARE) as mine:
            return training.Trainer(config, len(data.images)).train(mine) if mine else "done before"
    finally:
        out.finish()


SMALL = ["--config.model.width=4", "--config.train.max_seconds=0", "--config.train.max_steps=20"]


@pytest.fixture(scope="session")
def whole_chain(tmp_path_factory):
    """A folder where `pipeline` has run on all digits, and what it said; for tests of xdist's group `whole`."""
    folder = tmp_path_factory.mktemp("whole")
    said = run("pipeline", *SMALL, folder=folder).stdout
    return folder, said


@pytest.fixture
def begin():
    """`begin(program, *arguments, folder=...)` is `run` beside the test, which leaves no process however it ends."""
    begun = []

    def beginner(program: str, *arguments: str, folder: Path, **kwargs) -> subprocess.Popen:
        command = [sys.executable, "-m", f"wcgan_tf.{program}", *arguments]
        begun.append(subprocess.Popen(command, cwd=folder, text=True, **kwargs))
        return begun[-1]

    yield beginner
    for process in begun:
        process.terminate()  # not kill: `launch` and `pipeline` are to end what they have started
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def run(program: str, *arguments: str, folder: Path, check: bool = True) -> subprocess.CompletedProcess:
    """Run `python -m wcgan_tf.<program>` in a folder, as a user would."""
    command = [sys.executable, "-m", f"wcgan_tf.{program}", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done
