"""What each stage of the pipeline takes, by the number of labels: seconds, memory, files and bytes.

    python benchmarks/many_labels.py --source photos/train --labels 10,100,1000 --plot scaling.png
    python benchmarks/many_labels.py --source photos/train --labels 100 --folder runs/longer --config.train.max_steps=50

Makes folders of that many labels from the photographs in --source, a folder per label (many_photos.py), and runs
all programs on them, with the networks of configs/imagenet64.py and 2 steps for each label.  Memory is that of the
stage's largest process.  Of the web pages, the time to the first answer.  What each stage took is kept in
<folder>/costs.json: the next start goes on after it, --only and other --labels add to it, and the plot has all of it.
A stage that was killed goes on too, so that what is measured then is its rest.
Other networks or photographs need another --folder.  A thousand labels take 40 GB with --config.model.width=32, which
is half the width, and three quarters of an hour on two cores.
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
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import NamedTuple

from many_photos import make

from wcgan_tf.core import files

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

    board = [sys.executable, "-m", "tensorboard.main", "--logdir=runs", f"--port={BOARD_PORT}"]
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
        Stage("tensorboard", board, address=f"http://127.0.0.1:{BOARD_PORT}/data/plugin/scalars/tags"),
    ]


NAMES = [stage.name for stage in stages(Path(), 1, [])]
ONCE = {"prepare", "pretrain", "launch"}  # a second start finds them done


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


def run(
    source: Path, labels: int, folder: Path, left_out: Container[str], settings: list[str]
) -> Iterator[tuple[str, Cost]]:
    """Run each stage with this many labels, except for those that are left out: its name and its cost."""
    photos = folder / "photos"
    if not photos.exists():
        unfinished = folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # of a start that was killed
        make(source, unfinished, labels)
        unfinished.rename(photos)
    for stage in stages(photos, labels, settings):
        if stage.name not in left_out:
            cost = measure(stage, folder)
            print(f"{labels:6} {stage.name:12}" + _cells(cost), flush=True)
            yield stage.name, cost


def _cells(cost: Cost) -> str:
    return f"{cost.seconds:10.1f} s {cost.gigabytes:8.2f} GiB {cost.files:9} files {cost.megabytes:10.1f} MB"


def read(costs: Path, made_of: list[str]) -> dict[int, dict[str, Cost]]:
    """Number of labels -> stage -> what it took, of earlier starts; ends this program if they were made otherwise."""
    if not costs.exists():
        return {}
    known = json.loads(costs.read_text())
    if known["made_of"] != made_of:
        sys.exit(f"error: {costs} is of {' '.join(known['made_of'])}; type another --folder")
    return {int(number): {name: Cost(**cost) for name, cost in own.items()} for number, own in known["costs"].items()}


def write(costs: Path, made_of: list[str], by_number: dict[int, dict[str, Cost]]) -> None:
    table = {number: {name: cost._asdict() for name, cost in own.items()} for number, own in by_number.items()}
    files.write_text(costs, json.dumps({"made_of": made_of, "costs": table}, indent=1))


def draw(by_number: dict[int, dict[str, Cost]], path: Path) -> None:
    """Plot what each stage took over the number of labels."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, places = pyplot.subplots(2, 2, figsize=(10, 8), layout="constrained")
    numbers = sorted(by_number)
    values: dict[str, Callable[[Cost], float]] = {
        "seconds": lambda cost: cost.seconds,
        "GiB, largest process": lambda cost: cost.gigabytes,
        "files that it adds": lambda cost: cost.files,
        "MB that it adds": lambda cost: cost.megabytes,
    }
    for axes, (title, value) in zip(places.flat, values.items(), strict=True):
        for color, name in enumerate(NAMES):
            known = {number: value(by_number[number][name]) for number in numbers if name in by_number[number]}
            if known and max(known.values()) > 0:  # else it adds no file
                axes.plot(*zip(*known.items(), strict=True), "o-", color=f"C{color}", label=name)
        axes.set(xlabel="labels", ylabel=title, xscale="log", yscale="log")
    places[0, 0].plot(numbers, numbers, ":", color="grey", label="1 s per label")
    figure.legend(*places[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(path, dpi=120)
    print(f"look at {path}")


def _numbers(text: str) -> list[int]:
    numbers = [int(word) for word in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("they begin at 1")
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="a folder of photographs per label")
    parser.add_argument("--labels", type=_numbers, default="10,100,1000", help="numbers of labels")
    parser.add_argument("--folder", type=Path, default=Path("runs/many_labels"), help="where everything is written")
    parser.add_argument("--only", default="", help="some stages, such as evaluate,report, even if they are done")
    parser.add_argument("--plot", type=Path, help="a PNG of what each stage took")
    arguments, settings = parser.parse_known_args()
    only = [name for name in arguments.only.split(",") if name]
    if unknown := set(only) - set(NAMES):
        parser.error(f"there is no stage {min(unknown)}; type some of {','.join(NAMES)}")
    if other := [word for word in settings if not word.startswith("--config.")]:
        parser.error(f"{other[0]} is neither an option nor a setting, such as --config.model.width=32")
    costs, source = arguments.folder / "costs.json", arguments.source.resolve()
    made_of = [str(source), *settings]
    by_number = read(costs, made_of)
    if done := ONCE & set(only) & set().union(*(by_number.get(number, ()) for number in arguments.labels)):
        parser.error(f"{min(done)} is done in {arguments.folder}; type another --folder to measure it again")
    for number in arguments.labels:
        folder = (arguments.folder / str(number)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        known = by_number.setdefault(number, {})
        left_out = set(NAMES) - set(only) if only else set(known)
        if left_out >= set(NAMES):
            print(f"{number:6} all stages are in {costs}")
        for name, cost in run(source, number, folder, left_out, settings):
            before = known.get(name, cost)  # the second time it replaces its files
            known[name] = cost._replace(files=before.files, megabytes=before.megabytes)
            write(costs, made_of, by_number)
    if arguments.plot:
        draw(by_number, arguments.plot)


if __name__ == "__main__":
    main()
