"""The real Slurm of four virtual nodes that `slurm/local_cluster.sh start` starts, for tests: its programs."""

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import wait_until

SCRIPTS = Path(__file__).parent.parent / "slurm"
CLUSTER = SCRIPTS / "local_cluster.sh"
FOLDER = Path(os.environ.get("WCGAN_CLUSTER") or "/tmp/wcgan_cluster")
WHY_NOT = f"there is no cluster in {FOLDER}; type: sudo slurm/local_cluster.sh start"


def environment() -> dict[str, str]:
    """As after `eval "$(slurm/local_cluster.sh environment)"`, with our own Python first."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    mine = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    return {**mine, "PATH": path, "SLURM_CONF": str(FOLDER / "slurm.conf"), "SLURM_MPI_TYPE": "none"}


def call(*command: str | Path, folder: Path = FOLDER, check: bool = True) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def submit(folder: Path, *arguments: str) -> str:
    """Submit a job; return its number."""
    return call("sbatch", "--parsable", *arguments, folder=folder).strip()


def wait_for(job: str) -> None:
    """Wait until no part of a job is queued or runs."""
    wait_until(lambda: not call("squeue", "--noheader", f"--jobs={job}", check=False).strip(), f"job {job}")


def details(job: str) -> dict[str, str]:
    """What Slurm knows of a job or an element such as 7_2."""
    return dict(re.findall(r"(\S+?)=(\S*)", call("scontrol", "--oneliner", "show", "job", job)))
