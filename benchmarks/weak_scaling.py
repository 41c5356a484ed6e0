"""Weak scaling: real images per second of a label process, by how many run at the same time.

    python benchmarks/weak_scaling.py runs/one runs/two runs/sixteen --plot weak_scaling.png
    python benchmarks/weak_scaling.py --measure scaling --config configs/cifar10.py    # makes runs and reads them
    python benchmarks/weak_scaling.py --measure scaling --slurm                        # under Slurm too

Reads each label's metrics.jsonl, on any machine.  A run has as many tasks as labels; they should have been trained at
the same time.  Efficiency is the rate of the median label divided by that of the smallest run.

`--measure` trains 1 label, and one label per core, each on one core: as independent copies of
`python -m wcgan_tf.train`, under `launch`, and under Slurm.  What the copies lose is due to the shared machine;
what `launch` or Slurm loses beyond that is due to this project.  Every round runs each once.
"""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from label_process import DEFAULT_CONFIG, prepared

PROJECT = Path(__file__).parent.parent
ROUNDS, SECONDS = 5, 20


def rates(run: Path) -> list[float]:
    """Each label's real images per second: the median of its rows without the first, its warm-up."""
    found = []
    for metrics in sorted(run.glob("labels/*/metrics.jsonl")):
        rows = [json.loads(line) for line in metrics.read_text().splitlines()]
        known = [row["images_per_second"] for row in rows if row.get("images_per_second")]
        if known:
            found.append(statistics.median(known[1:] or known))
    return found


def table(runs: list[Path]) -> dict[int, list[float]]:
    """The rates of all labels by the number of tasks at the same time; prints them with the efficiency."""
    by_tasks = collections.defaultdict(list)
    for run in runs:
        if not (found := rates(run)):
            sys.exit(f"error: there are no rows in {run}/labels/*/metrics.jsonl; name the folder of a run")
        by_tasks[len(found)] += found
    first = statistics.median(by_tasks[min(by_tasks)])
    print(f"{'tasks':>6} {'images/s each':>14} {'lowest':>8} {'highest':>8} {'together':>9} {'efficiency':>11}")
    for tasks, found in sorted(by_tasks.items()):
        each = statistics.median(found)
        ends = f"{min(found):8.0f} {max(found):8.0f}"
        print(f"{tasks:6} {each:14.0f} {ends} {tasks * each:9.0f} {each / first:11.3f}")
    return by_tasks


def draw(tables: dict[str, dict[int, list[float]]], path: Path) -> None:
    """Plot efficiency over the number of tasks, one line per way to start them."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for name, by_tasks in tables.items():
        tasks = sorted(by_tasks)
        first = statistics.median(by_tasks[tasks[0]])
        axes.plot(tasks, [statistics.median(by_tasks[n]) / first for n in tasks], "o-", label=name)
    axes.axhline(1.0, color="grey", linewidth=0.8)
    axes.set(xlabel="label processes at the same time", ylabel="efficiency (images/s of each)", ylim=(0.0, 1.1))
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend()
    figure.savefig(path, dpi=150)
    print(f"look at {path}")


def copies(tasks: int, arguments: list[str], workdir: Path) -> None:
    """Train `tasks` labels in independent processes, each on one core."""
    processes = []
    for label, core in zip(range(tasks), sorted(os.sched_getaffinity(0)), strict=False):
        command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "wcgan_tf.train", *arguments]
        own = [f"--label={label}", f"--workdir={workdir}"]
        processes.append(subprocess.Popen([*command, *own], stdout=subprocess.DEVNULL))
    codes = [process.wait() for process in processes]
    if any(codes):
        sys.exit("error: a training failed")


def launch(tasks: int, arguments: list[str], workdir: Path) -> None:
    command = [sys.executable, "-m", "wcgan_tf.launch", *arguments, f"--labels=0-{tasks - 1}", f"--workdir={workdir}"]
    # One core per process, even if there are more cores than processes.
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:tasks]]
    subprocess.run(["taskset", "--cpu-list", ",".join(cores), *command], check=True, stdout=subprocess.DEVNULL)


def slurm(tasks: int, arguments: list[str], workdir: Path) -> None:
    """Submit slurm/train.sbatch, a task per label, its log in the work directory."""
    workdir.mkdir(parents=True)
    options = [f"--ntasks={tasks}", "--cpus-per-task=1", "--wait", f"--output={workdir}/slurm.log"]
    script = PROJECT / "slurm/train.sbatch"
    labels = [f"--labels=0-{tasks - 1}", f"--workdir={workdir}"]
    subprocess.run(["sbatch", *options, script, *arguments, *labels], check=True, stdout=subprocess.DEVNULL)


def measure(folder: Path, ways: dict, rounds: int, arguments: list[str]) -> dict[str, dict[int, list[float]]]:
    """Make runs of one label and of one per core, in every way and round, and print the table of each way."""
    counts = sorted({1, len(os.sched_getaffinity(0))})
    if folder.exists():
        sys.exit(f"error: {folder} is there already; delete it, or name another")
    prepared(folder / "data", arguments, labels=counts[-1])
    arguments = [*arguments, f"--config.dataset.data_dir={(folder / 'data').resolve()}"]
    runs = collections.defaultdict(list)
    for repeat in range(rounds):
        for name, way in ways.items():
            for tasks in counts:
                print(f"round {repeat + 1} of {rounds}: {name}, {tasks}", file=sys.stderr, flush=True)
                runs[name].append((folder / f"{name}-{tasks}-{repeat}").resolve())
                way(tasks, arguments, runs[name][-1])
    tables = {}
    for name, made in runs.items():
        print(f"\n{name}, {rounds} rounds")
        tables[name] = table(made)
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, help="work directories")
    parser.add_argument("--measure", type=Path, metavar="FOLDER", help="make runs below this folder, and read them")
    parser.add_argument("--slurm", action="store_true", help="measure under Slurm, too")
    parser.add_argument("--config", default=DEFAULT_CONFIG, help="the settings; single ones as --config.x.y=...")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--plot", type=Path, metavar="PNG")
    flags, settings = parser.parse_known_args()
    if flags.measure:
        ways = {"copies": copies, "launch": launch} | ({"slurm": slurm} if flags.slurm else {})
        own = [f"--config={flags.config}", f"--config.train.max_seconds={SECONDS}", "--config.train.pretraining=0"]
        settings = [*own, *settings]
        tables = measure(flags.measure, ways, flags.rounds, settings)
    elif flags.runs:
        tables = {"runs": table(flags.runs)}
    else:
        parser.error("name the folders of runs, or --measure FOLDER")
    if flags.plot:
        draw(tables, flags.plot)


if __name__ == "__main__":
    main()
