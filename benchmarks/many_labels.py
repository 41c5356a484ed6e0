"""What each stage of the pipeline takes, by the number of labels: seconds, memory, files and bytes.

    python benchmarks/many_labels.py --source photos/train --labels 10,100,1000 --plot scaling.png
    python benchmarks/many_labels.py --source photos/train --labels 100 --config.train.max_steps=50

Makes folders of that many labels from the photographs in --source, a folder per label (many_photos.py), and runs
all programs on them, with the networks of configs/imagenet64.py and 2 steps for each label.  What is there already is
not made again.  Memory is that of the stage's largest process.  Of the web pages, the time to the first answer.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from many_photos import make

PROJECT = Path(__file__).parent.parent
TAKES = ["--config.train.max_steps=2", "--config.train.max_seconds=0"]
DEMO_PORT, BOARD_PORT = 7871, 7872
PATIENCE = 1800.0  # seconds for a page
SAMPLED = 10  # labels


class Stage(NamedTuple):
    """A command, and the address that it answers at if it serves a page; then it is killed at its first answer."""

    name: str
    command: list[str]
    address: str = ""


class Cost(NamedTuple):
    """What a stage took, and what it added on the disk."""

    seconds: float
    gigabytes: float  # peak memory of the largest process
    files: int
    megabytes: float


def stages(photos: Path, labels: int, settings: list[str]) -> list[Stage]:
    """All programs in their order."""
    data = [f"--config.dataset.root={photos}", *TAKES, *settings]
    config = ["--config", str(PROJECT / "configs" / "imagenet64.py"), *data]

    def program(name: str, *flags: str, address: str = "") -> Stage:
        return Stage(name, [sys.executable, "-m", f"wcgan_tf.{name}", *config, *flags], address)

    board = f"http://127.0.0.1:{BOARD_PORT}/data/plugin/scalars/tags"
    return [
        program("prepare", "--classifier=domain"),
        program("pretrain"),
        program("launch"),
        program("status"),
        program("combine"),
        program("evaluate"),
        program("report"),
        program("sample", f"--labels=0-{min(labels, SAMPLED) - 1}"),
        program("serve_demo", f"--port={DEMO_PORT}", address=f"http://127.0.0.1:{DEMO_PORT}"),
        Stage("tensorboard", ["tensorboard", "--logdir=runs", f"--port={BOARD_PORT}"], board),
    ]


def measure(stage: Stage, folder: Path) -> Cost:
    """Run a stage in a folder; ends this program if the stage fails."""
    before, began = list(_files(folder)), time.monotonic()
    output = folder.with_name(f"{folder.name}-{stage.name}.log")
    with output.open("w") as log:
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        process = subprocess.Popen(stage.command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        if stage.address:
            seconds = _until_it_answers(stage.address, process) - began
            peak = _peak(process.pid)
            process.kill()
            process.wait()
        else:
            _, status, used = os.wait4(process.pid, 0)
            seconds, peak = time.monotonic() - began, used.ru_maxrss
            if status:
                sys.exit(f"error: {stage.name} failed; read {output}")
    after = list(_files(folder))
    return Cost(seconds, peak / 2**20, len(after) - len(before), (sum(after) - sum(before)) / 10**6)


def _until_it_answers(address: str, process: subprocess.Popen) -> float:
    """When a page has an answer that is not empty."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                if len(answer.read()) > len("{}"):
                    return time.monotonic()
        except (urllib.error.URLError, TimeoutError, ConnectionError):  # it is not there yet
            time.sleep(0.1)
    process.kill()
    sys.exit(f"error: nothing answers at {address}")


def _peak(process: int) -> int:
    """Peak memory in KiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def _files(folder: Path) -> Iterator[int]:
    """The sizes of all files below a folder."""
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 (a hundred thousand files)


def run(source: Path, labels: int, folder: Path, only: list[str], settings: list[str]) -> dict[str, Cost]:
    """The cost of each stage, or of those in `only`, with this many labels."""
    photos = folder / "photos"
    if not photos.exists():
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # of a start that was killed
        make(source, unfinished, labels)
        unfinished.rename(photos)
    costs = {}
    for stage in stages(photos, labels, settings):
        if only and stage.name not in only:
            continue
        costs[stage.name] = measure(stage, folder)
        print(f"{labels:6} {stage.name:12}" + _cells(costs[stage.name]), flush=True)
    return costs


def _cells(cost: Cost) -> str:
    return f"{cost.seconds:10.1f} s {cost.gigabytes:8.2f} GiB {cost.files:9} files {cost.megabytes:10.1f} MB"


def draw(by_number: dict[int, dict[str, Cost]], path: Path) -> None:
    """Plot seconds and memory of each stage over the number of labels."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, places = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    numbers = sorted(by_number)
    values: dict[str, Callable[[Cost], float]] = {
        "seconds": lambda cost: cost.seconds,
        "GiB, largest process": lambda cost: cost.gigabytes,
    }
    for axes, (title, value) in zip(places, values.items(), strict=True):
        for name in by_number[numbers[0]]:
            axes.plot(numbers, [value(by_number[number][name]) for number in numbers], "o-", label=name)
        axes.set(xlabel="labels", ylabel=title, xscale="log", yscale="log")
    places[0].plot(numbers, numbers, ":", color="grey", label="1 s per label")
    places[0].legend(fontsize="small", ncols=2)
    figure.savefig(path, dpi=120)
    print(f"look at {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="a folder of photographs per label")
    parser.add_argument("--labels", default="10,100,1000", help="numbers of labels")
    parser.add_argument("--folder", type=Path, default=Path("runs/many_labels"), help="where everything is written")
    parser.add_argument("--only", default="", help="some stages, such as prepare,launch; the others have to be done")
    parser.add_argument("--plot", type=Path, help="a PNG of seconds and memory")
    arguments, settings = parser.parse_known_args()
    only = [name for name in arguments.only.split(",") if name]
    by_number = {}
    for number in map(int, arguments.labels.split(",")):
        folder = (arguments.folder / str(number)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        by_number[number] = run(arguments.source.resolve(), number, folder, only, settings)
    table = {number: {name: cost._asdict() for name, cost in costs.items()} for number, costs in by_number.items()}
    (arguments.folder / "costs.json").write_text(json.dumps(table, indent=1))
    if arguments.plot:
        draw(by_number, arguments.plot)


if __name__ == "__main__":
    main()
