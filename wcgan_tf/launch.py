"""Train all labels on this machine: a process per label, as many at a time as there are cores, each on its own.

    python -m wcgan_tf.launch
    python -m wcgan_tf.launch --config configs/cifar10.py --labels cat,dog --jobs 2

The processes exchange nothing; a label that fails leaves the others running.  Started again, all go on.
"""

import os
import queue
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from absl import flags

from wcgan_tf import cli, datasets
from wcgan_tf.errors import UserError


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string("labels", "", "The labels, such as 0-9,12,cat; all where not given.")
    flags.DEFINE_integer("jobs", None, "Processes at a time; one per core where not given.", lower_bound=1)


def main() -> int:
    config, hint = cli.FLAGS.config, cli.command("prepare")
    labels = datasets.parse_labels(cli.FLAGS.labels, datasets.label_names(config.dataset, hint))
    cores = sorted(os.sched_getaffinity(0))
    jobs = min(cli.FLAGS.jobs or len(cores), len(labels))
    shares: queue.Queue[set[int]] = queue.Queue()
    for job in range(jobs):
        shares.put(set(cores[job::jobs]) or set(cores))

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends us as Ctrl-C does
    running: set[subprocess.Popen] = set()
    pool = ThreadPoolExecutor(jobs, initializer=lambda: os.sched_setaffinity(0, shares.get()))
    training = {pool.submit(_train, label, running): label for label in labels}
    failed: list[int] = []
    try:
        for count, done in enumerate(as_completed(training), start=1):
            if done.result() != 0:
                failed.append(training[done])
            print(f"{count} of {len(labels)} labels have ended", flush=True)
    except KeyboardInterrupt:
        _stop(training, running)
        print("stopped; the same command goes on from here")
        return 130
    if failed:
        again = cli.command("launch", *cli.folders(), f"--labels={','.join(map(str, sorted(failed)))}")
        raise UserError(f"{len(failed)} of {len(labels)} labels did not finish (see above); to try again, run: {again}")
    print(f"trained {len(labels)} labels in {cli.workdir()}")
    return 0


def _train(label: int, running: set[subprocess.Popen]) -> int:
    """Run one label's process, which is pinned to the cores of this thread, and pass on what it prints."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "wcgan_tf.train"),
            *(*cli.config_arguments(), f"--workdir={cli.workdir()}", f"--label={label}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    running.add(process)
    for line in process.stdout or ():
        print(line, end="", flush=True)
    running.discard(process)
    return process.wait()


def _stop(training: dict[Future, int], running: set[subprocess.Popen]) -> None:
    """Start nothing more, ask what runs to stop, and wait until each has written its checkpoint."""
    for future in training:
        future.cancel()
    while not all(future.done() for future in training):
        for process in list(running):
            process.terminate()
        time.sleep(0.5)


if __name__ == "__main__":
    cli.run(main, define_flags)
