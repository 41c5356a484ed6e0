"""Whether memory, open files, threads or files on the disk grow in long runs.

    python benchmarks/long_runs.py --plot long_runs.png
    python benchmarks/long_runs.py --only train --minutes 120

    train   one label trains for 20 minutes, and saves a checkpoint and a score every 10 seconds
    labels  one process trains 200 labels in turn, three steps and a score each
    launch  the launch of 500 labels, which two processes train in turn; the launch itself is measured
    serve   serve_demo answers 10,000 requests of 8 threads, over HTTP
    calls   a combined model, loaded by TensorFlow alone, is called 10,000 times by 8 threads

Takes an hour on two cores, and 400 MB; the images are the built-in digits.  Each process is looked at twice a second
from its start, `serve` and `calls` from their first request.  Its memory is what is resident or swapped out, and apart
from that the heap: what of it belongs to no file, so that mapped libraries do not hide its growth.  The median of the
last quarter is compared with that of the second one; the first is for warming up; open files and threads, which vary,
by their largest numbers.  All samples are kept in <folder>/samples.json: the next start makes the missing runs, --only
makes some again, and table and plot have all.  The exit code is 1 if anything grows by more than 3 %.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from sklearn.datasets import load_digits

from wcgan_tf.core import files

PROJECT = Path(__file__).parent.parent
PORT = 7873
ALLOWED, A_FEW = 0.03, 2  # growth, and open files or threads that may be more by chance
IN_A_ROW = 3  # plots
TINY = ["--config.model.width=4", "--config.train.max_seconds=0"]
IMAGES, VAL = (50, 80), 2  # fewest and most images of a label; a score wants 50

CALLS = """
import random, sys
from concurrent.futures import ThreadPoolExecutor
import tensorflow as tf
calls, threads = int(sys.argv[1]), int(sys.argv[2])
model = tf.saved_model.load("saved_models/digits/1")
def call(number):
    drawn = random.Random(number)
    labels = [drawn.randrange(10) for _ in range(drawn.randint(1, 256))]
    if number % 2:
        return len(model.signatures["generate"](labels=labels, seed=number)["images"].numpy())
    latents = tf.random.stateless_normal([len(labels), 64], [0, number])
    return len(model.signatures["serving_default"](labels=labels, latents=latents)["images"].numpy())
print("ready", flush=True)
print(sum(ThreadPoolExecutor(threads).map(call, range(calls))), "images")
"""


class Sample(NamedTuple):
    """What a process has, and the folder that it writes to."""

    seconds: float  # since it was first looked at
    memory: float  # MiB, resident or swapped out
    heap: float  # MiB of that, of no file
    open_files: int
    threads: int
    files: int


def sample(process: int, folder: Path, began: float) -> Sample:
    """Look at a process; raises OSError or LookupError if it has ended."""
    proc = Path(f"/proc/{process}")
    parts = (proc / "smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(rest.split()[0]) for name, rest in (part.split(":") for part in parts)}
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return Sample(
        round(time.monotonic() - began, 2),
        (kib["Rss"] + kib["Swap"]) / 1024,
        (kib["Anonymous"] + kib["Swap"]) / 1024,
        len(list((proc / "fd").iterdir())),
        int(status["Threads"]),
        sum(len(names) for _, _, names in os.walk(folder)),
    )


Run = tuple[str, list[Sample]]  # what was done, and what it took
Asked = argparse.Namespace  # the options, and the folder and the log of the run


@contextmanager
def started(asked: Asked, *command: str, piped: bool = False) -> Iterator[subprocess.Popen]:
    """A Python process in the run's folder during this block; what it prints goes to the run's log, or to a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "CUDA_VISIBLE_DEVICES": "-1"}
    with asked.log.open("a") as log:
        streams = {"stdout": subprocess.PIPE if piped else log, "stderr": log}
        process = subprocess.Popen([sys.executable, *command], cwd=asked.folder, env=environment, **streams)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def watched(process: subprocess.Popen, asked: Asked, goes_on: Callable[[], bool] = lambda: True) -> list[Sample]:
    """Look at a process as long as something goes on; ends this program if the process fails."""
    samples, began = [], time.monotonic()
    while goes_on() and process.poll() is None:
        with suppress(OSError, LookupError, ValueError):  # it ends just now
            samples.append(sample(process.pid, asked.folder / "runs", began))
        time.sleep(asked.interval)
    if process.returncode:
        sys.exit(f"error: {asked.folder.name} failed; read {asked.log}")
    return samples


def to_its_end(asked: Asked, *command: str) -> list[Sample]:
    """Run a program of the package."""
    with started(asked, "-m", *command) as process:
        return watched(process, asked)


def train(asked: Asked) -> Run:
    to_its_end(asked, "wcgan_tf.prepare", "--classifier=domain")
    flags = [f"--config.train.{name}_seconds=10" for name in ("checkpoint", "eval")]
    seconds = f"--config.train.max_seconds={asked.minutes * 60}"
    return f"{asked.minutes:g} min", to_its_end(asked, "wcgan_tf.train", "--label=3", seconds, *flags)


def labels(asked: Asked) -> Run:
    flags = many(asked, asked.labels, "--classifier=domain")
    flags += [f"--label=0-{asked.labels - 1}", "--config.train.eval_seconds=1000"]  # a score at the end of each
    return f"{asked.labels} labels", to_its_end(asked, "wcgan_tf.train", *flags)


def launch(asked: Asked) -> Run:
    command = ("wcgan_tf.launch", "--jobs=2", *many(asked, asked.launched))
    return f"{asked.launched} labels", to_its_end(asked, *command)


def many(asked: Asked, number: int, *more: str) -> list[str]:
    """Prepare folders of digits, of so many labels, some larger than others; the flags that name them."""
    digits = [Image.fromarray((digit * 15.9).astype("uint8")) for digit in load_digits().images]
    for label in range(number):
        drawn = random.Random(label)
        for split, count in (("train", drawn.randint(*IMAGES)), ("val", VAL)):
            folder = asked.folder / "photos" / split / f"kind{label:05}"
            folder.mkdir(parents=True)
            for place, digit in enumerate(drawn.sample(digits, count)):
                digit.save(folder / f"{place}.png")
    flags = ["--config.dataset.root=photos", "--config.dataset.name=many", *TINY, "--config.train.max_steps=3"]
    to_its_end(asked, "wcgan_tf.prepare", *more, *flags)
    return flags


def make_model(asked: Asked) -> None:
    for name in ("prepare", "launch", "combine"):
        to_its_end(asked, f"wcgan_tf.{name}", *TINY, "--config.train.max_steps=20")


def serve(asked: Asked) -> Run:
    make_model(asked)
    with started(asked, "-m", "wcgan_tf.serve_demo", f"--port={PORT}", piped=True) as process:
        process.stdout.readline()  # printed once it listens
        with ThreadPoolExecutor(asked.clients) as pool:
            answers = [pool.submit(_ask, number) for number in range(asked.requests)]
            samples = watched(process, asked, lambda: not all(answer.done() for answer in answers))
            for answer in answers:
                answer.result()  # raises what a request raised
    return f"{asked.requests:,} requests", samples


def _ask(number: int) -> None:
    """One visitor's request, for images or for those between two seeds, by gradio's API."""
    drawn = random.Random(number)
    labels, seeds = drawn.sample(range(10), drawn.randint(1, 4)), [number] if number % 4 else [number, number + 1]
    address = f"http://127.0.0.1:{PORT}/gradio_api/call/" + ("images" if number % 4 else "between")
    body = json.dumps({"data": [labels, *seeds, drawn.randint(2, 16), drawn.choice([1, 2, 3])]}).encode()
    with urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": "application/json"})) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}") as answer:
        said = answer.read()
    if b"event: complete" not in said or said.count(b"<figure>") != len(labels):
        raise RuntimeError(f"request {number} got {said[:200]!r}")


def calls(asked: Asked) -> Run:
    make_model(asked)
    with started(asked, "-c", CALLS, str(asked.requests), str(asked.clients), piped=True) as process:
        process.stdout.readline()
        return f"{asked.requests:,} calls", watched(process, asked)


NUMBERS = {
    "minutes": (20.0, "of train"),
    "labels": (200, "of labels"),
    "launched": (500, "labels of launch"),
    "requests": (10_000, "of serve and calls"),
    "clients": (8, "threads of serve and calls"),
    "interval": (0.5, "seconds between two samples"),
}
RUNS = {run.__name__: run for run in (train, labels, launch, serve, calls)}


def quarters(samples: list[Sample], name: str) -> tuple[float, float]:
    """The medians of a number in the second and in the last quarter."""
    values, quarter = [getattr(one, name) for one in samples], len(samples) // 4
    return statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])


def growing(run: str, samples: list[Sample]) -> list[str]:
    """What grows by more than is allowed: medians, and the largest numbers of open files and threads, which vary."""
    names = ["memory", "heap"] if run in ("labels", "launch") else ["memory", "heap", "files"]  # a label adds its files
    found = {name: quarters(samples, name) for name in names}
    for name in ("open_files", "threads"):
        numbers, last = [getattr(one, name) for one in samples], -(len(samples) // 4)
        found[name] = max(numbers[:last]) + A_FEW, max(numbers[last:])
    return [name for name, (before, after) in found.items() if after > before * (1 + ALLOWED)]


def table(runs: dict[str, Run]) -> Iterator[str]:
    """A row for each run."""
    head = "MiB, second quarter | MiB, last quarter | growth | growth of the heap"
    yield f"| run | what | seconds | {head} | most open files | most threads | files half way | files at the end |"
    yield "|---|---|" + 9 * "---:|"
    for run, (done, samples) in runs.items():
        memory, heap = quarters(samples, "memory"), quarters(samples, "heap")
        cells = [f"{samples[-1].seconds:,.0f}", *(f"{value:.1f}" for value in memory)]
        cells += [f"{last / second - 1:+.1%}" for second, last in (memory, heap)]
        cells += [str(max(getattr(one, name) for one in samples)) for name in ("open_files", "threads")]
        cells += [f"{one.files:,}" for one in (samples[len(samples) // 2], samples[-1])]
        yield f"| {run} | {done} | {' | '.join(cells)} |"


def draw(runs: dict[str, Run], path: Path) -> None:
    """Plot the memory of each run over its time."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    rows = -(-len(runs) // IN_A_ROW)
    figure, places = pyplot.subplots(rows, IN_A_ROW, figsize=(10, 2.8 * rows), layout="constrained", squeeze=False)
    for axes in places.flat[len(runs) :]:
        axes.remove()
    for axes, (run, (done, samples)) in zip(places.flat, runs.items(), strict=False):
        minutes, quarter = [one.seconds / 60 for one in samples], len(samples) // 4
        axes.plot(minutes, [one.memory for one in samples], label="resident")
        axes.plot(minutes, [one.heap for one in samples], label="of that, the heap")
        for first, label in ((quarter, "compared"), (len(samples) - quarter, None)):
            axes.axvspan(minutes[first], minutes[first + quarter - 1], color="0.93", zorder=0, label=label)
        axes.set(title=f"{run}: {done}", xlabel="minutes", ylabel="MiB", xlim=(0, minutes[-1]), ylim=(0, None))
    figure.legend(*places[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=120)
    print(f"look at {path}")


def read(path: Path) -> dict[str, Run]:
    """The runs that are done."""
    known = json.loads(path.read_text()) if path.exists() else {}
    return {run: (known[run][0], [Sample(*one) for one in known[run][1]]) for run in RUNS if run in known}


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"some of {','.join(RUNS)}, even if they are done")
    for name, (default, help_text) in NUMBERS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=help_text)
    parser.add_argument("--folder", type=Path, default=Path("runs/long_runs"), help="where everything is written")
    parser.add_argument("--plot", type=Path, help="a PNG of the memory over time")
    asked = parser.parse_args()
    if unknown := set(asked.only.split(",")) - {"", *RUNS}:
        parser.error(f"there is no run {min(unknown)}; type some of {','.join(RUNS)}")
    path, folder = asked.folder / "samples.json", asked.folder.resolve()
    for run in asked.only.split(",") if asked.only else [run for run in RUNS if run not in read(path)]:
        asked.folder, asked.log = folder / run, folder / f"{run}.log"
        shutil.rmtree(asked.folder, ignore_errors=True)
        asked.folder.mkdir(parents=True)
        asked.log.unlink(missing_ok=True)
        done, samples = RUNS[run](asked)
        if len(samples) < 4:
            sys.exit(f"error: {run} was looked at {len(samples)} times; type a shorter --interval")
        files.write_text(path, json.dumps({**read(path), run: (done, samples)}))
    runs = read(path)
    print(*table(runs), sep="\n")
    if asked.plot:
        draw(runs, asked.plot)
    found = [f"{run}: {name}" for run, (_, samples) in runs.items() for name in growing(run, samples)]
    print(f"by more than {ALLOWED:.0%} grows {', '.join(found) or 'nothing'}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
