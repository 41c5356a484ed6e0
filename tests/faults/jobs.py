"""A job of `slurm/train.sbatch`, which is requeued, killed or gets a signal at random moments; `torture.py` does it."""

import random
import time
from pathlib import Path

import cases
from cluster import FOLDER, SCRIPTS, call, details, submit
from conftest import SMALL, wait_until

from wcgan_tf.core import machine
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.runs import label_status

LABELS = [2, 3]
STEPS = ["--config.train.max_steps=1500", *SMALL]
CASE = cases.Case("job of Slurm", ["wcgan_tf.train", "--label=2-3", *STEPS], cases.only_data, cases.result_of_labels)
STOPS = [["scancel", "--signal=TERM"], ["scancel", "--signal=USR1"], ["scontrol", "requeue"]]
KILLS = [["scancel", "--signal=KILL"], ["scancel", "--signal=KILL", "--full"]]
MOST_TIMES = 5
LONGEST = 12.0  # seconds that a job runs until then
STOP_SECONDS = 15.0  # 10 of the labels, and some of Slurm's


def is_possible() -> bool:
    """Whether the cluster of `slurm/local_cluster.sh start` runs."""
    return (FOLDER / "slurm.conf").exists()


def at_random(case: cases.Case, folder: Path, stop: bool, chance: random.Random) -> tuple[int, list[str]]:
    """Submit a job, and stop or kill it at random moments; as a user, submit it again if it has failed.

    Returns how often, and what went wrong; no job is left.  `case` is CASE.
    """
    problems: list[str] = []
    job = _submitted(folder)
    for times in range(MOST_TIMES):
        state = _state(job)
        if state == "COMPLETED":
            return times, problems + _tracebacks(folder)
        if state != "RUNNING":
            job = _submitted(folder)
            _state(job)
        time.sleep(chance.uniform(0.0, LONGEST))
        how, trains, began = chance.choice(STOPS if stop else KILLS), _is_training(folder, job), time.monotonic()
        call(*how, job, check=False)  # it may have ended at this moment
        _wait_for_end(job)
        took = time.monotonic() - began
        if trains and took > STOP_SECONDS:
            problems.append(f"{how}: it took {took:.0f} s")
    _state(job)
    _wait_for_end(job)
    return MOST_TIMES, problems + _tracebacks(folder)


def _tracebacks(folder: Path) -> list[str]:
    said = "".join(path.read_text() for path in folder.glob("slurm-*.log"))
    return [f"a traceback: {said[-1000:]}"] if "Traceback" in said else []


def _submitted(folder: Path) -> str:
    shape = ["--ntasks=2", f"--cpus-per-task={machine.threads()}"]  # with other threads, sums are rounded otherwise
    return submit(folder, *shape, "--time=30", str(SCRIPTS / "train.sbatch"), "--labels=2-3", *STEPS)


def _state(job: str) -> str:
    """The state of a job, as soon as it runs or has ended for good."""
    wait_until(lambda: details(job)["JobState"] not in ("PENDING", "CONFIGURING", "COMPLETING", "REQUEUED"), "a start")
    return details(job)["JobState"]


def _wait_for_end(job: str) -> None:
    """Wait until a job does not run; if a signal came before its tasks had begun, it runs to its end."""
    wait_until(lambda: details(job)["JobState"] not in ("RUNNING", "COMPLETING"), f"the end of job {job}")


def _is_training(folder: Path, job: str) -> bool:
    """Whether a job trains all labels just now."""
    run = RunPaths(folder / "runs/digits")
    known = [label_status.read(run.label(label).status) for label in LABELS]
    return all((status.state, status.job) == ("running", job) for status in known)
