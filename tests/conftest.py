"""What the tests share: settings of short trainings, ways to start programs, and fixtures."""

import contextlib
import copy
import fcntl
import gc
import io
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import warm

from wcgan_tf.config import default_config
from wcgan_tf.core import unfinished

# Variables of the user's shell, job or proxy must not affect the tests.
OTHERS = (
    r"(SLURM|SBATCH|SRUN|SQUEUE|SACCT|OMPI|PMI|MPI_|PALS|JSM_|LSB_|SGE_|PBS_|FLUX_|JOB_COMPLETION"
    r"|TTY_|PYTHONWARN|(FORCE_|NO_)COLOR|.*_PROXY$)"
)
ENVIRONMENT = {name: value for name, value in os.environ.items() if not re.match(OTHERS, name.upper())}
ENVIRONMENT |= {"KERAS_HOME": os.devnull, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}  # as cli does
ENVIRONMENT["CUDA_VISIBLE_DEVICES"] = "-1"  # TensorFlow must see none
ENVIRONMENT["OMP_NUM_THREADS"] = "1"  # a thread for each process: tests run on all cores at once
ENVIRONMENT["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # as if it was activated: hints say python
os.environ.clear()
os.environ.update(ENVIRONMENT)

PATIENCE_SECONDS = 300  # the limit of every wait: on any machine, a longer wait is a failure
SMALL = ["--config.model.width=4", "--config.train.max_seconds=0"]  # flags: small networks; add the steps
STEPS = [*SMALL, "--config.train.max_steps=20"]  # flags: a training of 20 steps
CHAIN = [*STEPS, "--config.evaluate.accuracy=false"]  # flags: those of `whole_chain`
ENDLESS = ["--config.model.width=4", "--config.train.max_seconds=600"]  # flags: a training that a test stops
UNTIL_ENOUGH = """
# A label trains until it is stopped, or, where there is a file `enough`, for 20 steps more than were saved.
import os
from pathlib import Path

from wcgan_tf.config import default_config


def get_config():
    config = default_config()
    saved = Path("runs/digits/labels").glob("*/checkpoints/ckpt-*.index")
    steps = max([int(path.stem.removeprefix("ckpt-")) for path in saved], default=0) + 20
    config.train.max_steps = steps if Path("enough").exists() else 10**6
    if os.environ.get("SLURM_ARRAY_TASK_ID") == "0":  # the first element of a job array
        config.train.max_steps = 20
    config.train.max_seconds, config.train.checkpoint_seconds = 600.0, 1.0
    config.model.width = 4
    return config
"""
TRAINERS: dict = {}
LONGEST_FIRST = ("test_slurm", "test_docs", "test_trainer", "test_benchmarks", "test_browser")


def pytest_configure(config):
    # Programs that tests start must receive these, also under nohup or in a shell's background.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.args[:] = [re.sub(r"(::.*)@\w+$", r"\1", argument) for argument in config.args]  # reports append @group
    if hasattr(config, "workerinput") or not config.getoption("numprocesses"):  # this process runs tests
        warm.start()
        own_the_cpu()


def own_the_cpu() -> None:
    """Before any test file is imported: the device must be taken before TensorFlow's runtime starts."""
    from wcgan_tf.training.device import own_device

    own_device("cpu")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: some tests mostly wait."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_finish():
    gc.collect()
    gc.freeze()  # garbage collections then skip everything imported


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The longest tests start first, so that none of them runs alone at the end."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture
def device():
    """The strategy of the tests' own process."""
    from wcgan_tf.training.device import own_device

    return own_device("cpu")


@pytest.fixture
def config(tmp_path):
    """Digits, small networks, a few steps; all files are in the test's own folder."""
    return small_config(tmp_path)


def small_config(folder: Path):
    """The settings of `config`, with the data in this folder."""
    settings = default_config()
    settings.dataset.data_dir = str(folder / "data")
    settings.model.width = 4
    settings.model.latent_size = 3
    settings.train.batch_size = 8
    settings.train.max_steps = 6
    settings.train.max_seconds = 0.0
    settings.train.steps_per_execution = 4
    settings.train.device = "cpu"
    return settings


def train_label(config, data, paths, stop=None, trainer=None) -> str:
    """Train a label in this process, as `python -m wcgan_tf.train` does; return its end, or "done before".

    The step of the same settings is traced once per process, as if one program trained several labels; with a new
    `trainer`, the label trains as in a process of its own.
    """
    from wcgan_tf.core import signals
    from wcgan_tf.core.console import LineWriter
    from wcgan_tf.runs.label_run import open_run

    out = LineWriter()
    trainer = trainer or trainer_of(config, data)
    try:
        with open_run(config, data, paths, stop or signals.StopRequests(), out) as run:
            return trainer.train(run) if run else "done before"
    finally:
        out.finish()


def trainer_of(config, data):
    """The trainer of these settings and images of this shape; its first use traces the step."""
    from wcgan_tf.training.trainer import Trainer

    train = {**config.to_dict()["train"], "eval_seconds": 0, "checkpoint_seconds": 0}  # the step does not use these
    key = repr([data.images.shape[1:], config.dataset.flip, config.model, train])
    if key not in TRAINERS:
        TRAINERS[key] = Trainer(copy.deepcopy(config))
    return TRAINERS[key]


def start(program: str, *arguments: str, folder: Path, fresh: bool = False, **kwargs) -> subprocess.Popen:
    """Start `python -m wcgan_tf.<program>` in a folder: as a user does if `fresh`, else from the warm process."""
    return start_python("-m", f"wcgan_tf.{program}", *arguments, folder=folder, fresh=fresh, **kwargs)


def start_python(*words: str, folder: Path, fresh: bool = False, **kwargs) -> subprocess.Popen:
    """Start `python` with these words: a module, a script or code; see `start`."""
    return (subprocess.Popen if fresh else warm.Warm)([sys.executable, *words], cwd=folder, text=True, **kwargs)


def run(
    program: str, *arguments: str, folder: Path, check: bool = True, fresh: bool = False
) -> subprocess.CompletedProcess:
    """Run `python -m wcgan_tf.<program>` in a folder to its end; see `start`."""
    return run_python("-m", f"wcgan_tf.{program}", *arguments, folder=folder, check=check, fresh=fresh)


def run_python(*words: str, folder: Path, check: bool = True, fresh: bool = False) -> subprocess.CompletedProcess:
    """Run `python` with these words to its end; see `start`.  If the test fails, pytest shows the output."""
    process = start_python(*words, folder=folder, fresh=fresh, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate()
    finally:
        process.kill()  # if the test's time is up; else it has ended
    print(f"$ python {shlex.join(words)}\n{out}{err}exit code {process.returncode}")
    if check:
        assert process.returncode == 0, "".join(err.splitlines()[-1:])
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture
def begin(begin_python):
    """`begin(program, *arguments, folder=...)` is `start`; the process ends with the test.

    If the test fails, pytest shows what the programs wrote into a file or a pipe.
    """
    return lambda program, *arguments, **kwargs: begin_python("-m", f"wcgan_tf.{program}", *arguments, **kwargs)


@pytest.fixture
def begin_python():
    """`start_python` for a test; see `begin`."""
    begun = []

    def beginner(*words: str, folder: Path, **kwargs) -> subprocess.Popen:
        process = start_python(*words, folder=folder, **kwargs)
        begun.append((process, [kwargs.get("stdout"), kwargs.get("stderr")]))
        return process

    yield beginner
    for process, streams in begun:
        # No kill at first: `launch` and `pipeline` must end what they have started, at the second signal at once.
        for end in (process.terminate, process.terminate, process.kill):
            end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
        print(f"$ {shlex.join(process.args)}\n{_left_unread(process, streams)}exit code {process.returncode}")


@pytest.fixture
def begin_code():
    """`begin_code(code, *arguments, until=...)` starts Python code, and waits for that line; it ends with the test."""
    begun = []

    def start_one(code: str, *arguments: str, until: str) -> subprocess.Popen:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        begun.append(subprocess.Popen([sys.executable, "-c", code, *arguments], text=True, **pipes))
        assert begun[-1].stdout.readline() == f"{until}\n"
        return begun[-1]

    yield start_one
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def tensorboard(begin_python, tmp_path):
    """`tensorboard(folder)` serves the runs in a folder; returns its address and its process."""

    def start_one(folder: Path) -> tuple[str, subprocess.Popen]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [str(Path(sys.executable).parent / "tensorboard"), "--logdir", str(folder), "--port", str(port)]
        with (tmp_path / "tensorboard.txt").open("w") as said:
            return f"http://127.0.0.1:{port}", begin_python(*words, folder=tmp_path, stderr=said)

    return start_one


def _left_unread(process: subprocess.Popen, streams: list) -> str:
    """The output of an ended process: the files of these streams, and the unread rest of its pipes."""
    paths = [Path(stream.name) for stream in streams if isinstance(stream, io.IOBase)]
    said = [path.read_bytes() for path in paths if path.is_file()]
    for pipe in (process.stdout, process.stderr):
        if pipe and not pipe.closed:
            os.set_blocking(pipe.fileno(), False)  # a child process may hold the other end
            said.append(pipe.buffer.read() or b"")
    return b"".join(said).decode(errors="replace")


@contextlib.contextmanager
def file_system(folder: Path, size: str) -> Iterator[Path]:
    """A path to a new folder that is a file system of this size, mounted by another process.

    Skips the test if mounting is not allowed.
    """
    folder.mkdir()
    mount = f'mount -t tmpfs -o size={size} none "{folder}" && echo mounted && exec sleep 600'
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    with subprocess.Popen([*prefix, mount], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as holder:
        said = holder.stdout.readline()
        if said == "mounted\n":
            yield Path(f"/proc/{holder.pid}/root{folder}")
        holder.kill()
    if said != "mounted\n":
        pytest.skip(f"mounting is not allowed here: {said}")


def make_read_only(folder: Path) -> None:
    """Mount a `file_system` read-only; no file on it may be open for writing."""
    pid, place = folder.parts[2], "/" + "/".join(folder.parts[4:])
    enter = ["nsenter", f"--target={pid}", "--user", "--mount", "--preserve-credentials"]
    subprocess.run([*enter, "mount", "-o", "remount,ro", place], check=True)


@pytest.fixture
def disk_calls(monkeypatch):
    """What is flushed, renamed and deleted, in order: `flush a.json`, with the last name of the path; but no lock."""
    calls, fsync = [], os.fsync
    for said, method in (("rename", Path.rename), ("rename", Path.replace), ("delete", Path.unlink)):

        def noted(path, *to, said=said, method=method, **options):
            if path.suffix != unfinished.ENDING:
                calls.append(f"{said} {(Path(to[0]) if to else path).name}")
            return method(path, *to, **options)

        monkeypatch.setattr(Path, method.__name__, noted)

    def flushed(descriptor):
        calls.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flushed)
    return calls


@pytest.fixture
def one_core():
    """Only one core: the programs train one label at a time."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(all_of_them)})
    yield
    os.sched_setaffinity(0, all_of_them)


def proc(process: subprocess.Popen, name: str) -> str:
    """A file of proc(5) of a process; empty once it has ended."""
    try:
        return Path(f"/proc/{process.pid}/{name}").read_text()
    except OSError:
        return ""


def wait_until(reached: Callable[[], bool], what: str = "it", process: subprocess.Popen | None = None) -> None:
    """Wait until `reached()`; fail at once if the process that should get there has ended."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        code = process.poll() if process else None
        if reached():
            return
        if code is not None:
            pytest.fail(f"the process ended with {code} before {what}")
        assert time.monotonic() < deadline, f"{what} takes more than {PATIENCE_SECONDS} s"
        time.sleep(0.05)


def shown_on(terminal: int) -> Iterator[bytes]:
    """Yield all that a terminal has shown, each time there is more, until its programs have ended."""
    shown, deadline = b"", time.monotonic() + PATIENCE_SECONDS
    while select.select([terminal], [], [], PATIENCE_SECONDS)[0] and time.monotonic() < deadline:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # the terminal has ended
            return
        yield shown
    pytest.fail(f"no end within {PATIENCE_SECONDS} s after: {shown[-1000:].decode(errors='replace')}")


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that all workers share; the first call fills it by `make`.  Copy what you want to change."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, unfinished, failed = base / name, base / f"{name}.unfinished", base / f"{name}.failed"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if failed.exists():
            pytest.fail(f"{name} could not be made: {failed.read_text()}")
        if not folder.exists():
            unfinished.mkdir()
            failed.write_text("see the first test that asked for it")
            make(unfinished)
            failed.unlink()
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A folder with the prepared digits, their domain classifier and its features."""
    return made_once(tmp_path_factory, "digits", lambda folder: run("prepare", "--classifier=domain", folder=folder))


@pytest.fixture(scope="session")
def whole_chain(digits, tmp_path_factory):
    """A folder where `pipeline` has run on all digits, with the classifier of `digits`; and its output."""

    def make(folder):
        shutil.copytree(digits / "data/digits-8/classifiers", folder / "data/digits-8/classifiers")
        run("train", "--label=0-6,8-9", *STEPS, folder=folder)  # traced once; `launch` trains label 7
        (folder / "said.txt").write_text(run("pipeline", *CHAIN, folder=folder).stdout)

    folder = made_once(tmp_path_factory, "whole", make)
    return folder, (folder / "said.txt").read_text()


def trained(whole: Path, folder: Path, *labels: int) -> Path:
    """Copy the data and these labels from a folder where the whole chain has run; return the copy."""
    for part in ("data", *(f"runs/digits/labels/{label:05}" for label in labels)):
        shutil.copytree(whole / part, folder / part)
    return folder


@pytest.fixture
def whole(whole_chain, tmp_path):
    """A copy of `whole_chain`, to be changed."""
    return shutil.copytree(whole_chain[0], tmp_path / "whole")
