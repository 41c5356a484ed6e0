"""The train step of configs/cifar10.py on a CPU, beside PyTorch's and beside its own convolutions: one table.

    pip install -e '.[peer]'                       # PyTorch
    python benchmarks/speed/table.py               # on one core
    python benchmarks/speed/table.py --processes 2

All rows are measured in turn, in processes that stay; medians of the rounds.  PyTorch has the same networks, losses,
penalty in every fourth step, average and optimizer (benchmarks/gpu/torch_steps.py); its faster form counts.  The
convolutions and matrix products of our step are also run alone: what a step would take if there were nothing else.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable

import turns

PRECISIONS = ("float32", "mixed_bfloat16")
LAYOUTS = ("contiguous", "channels_last")  # of PyTorch
BATCH_SIZE = 32

Measured = dict[tuple[str, str], list[dict]]  # (precision, part or layout) -> what was measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a row in a round")
    parser.add_argument("--processes", type=int, default=1, help="at the same time, each on its own core")
    parser.add_argument("--peer_python", default=sys.executable, help="a Python that has PyTorch; empty: without it")
    arguments = parser.parse_args()
    if min(arguments.rounds, arguments.processes) < 1:
        parser.error("--rounds and --processes have to be 1 or more")
    if arguments.peer_python and not turns.has_pytorch(arguments.peer_python):
        parser.error("there is no PyTorch; type: pip install -e '.[peer]' (or --peer_python= to go without it)")
    cores = sorted(os.sched_getaffinity(0))[: arguments.processes]
    if len(cores) < arguments.processes:
        sys.exit(f"there are {len(cores)} cores for --processes={arguments.processes}")
    rows = start(arguments.peer_python, cores)
    measured: Measured = {row: [] for row in rows}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
        for row, workers in rows.items():
            measured[row] += workers.measure(arguments.seconds)
    for workers in rows.values():
        workers.end()
    print("\n".join(table(measured)))


def start(peer_python: str, cores: list[int]) -> dict[tuple[str, str], turns.Workers]:
    """The workers of each row of `Measured`, ready to measure."""
    rows = {}
    for precision in PRECISIONS:
        for part in ("step", "alone"):
            rows[precision, part] = turns.Workers(sys.executable, "ours.py", [precision, part], cores)
        for layout in LAYOUTS if peer_python else ():
            words = [layout, precision.removeprefix("mixed_")]
            rows[precision, layout] = turns.Workers(peer_python, "peer.py", words, cores)
    for workers in rows.values():
        workers.wait()
    return rows


def table(measured: Measured) -> list[str]:
    """Lines in Markdown."""

    def median(precision: str, part: str, key: str) -> float:
        return statistics.median(one[key] for one in measured[precision, part])

    def rate(precision: str, part: str = "step") -> float:
        return median(precision, part, "images_per_second")

    def alone(precision: str, key: str = "seconds") -> float:
        return median(precision, "alone", key)

    def peer(precision: str) -> tuple[float, str]:
        return max((rate(precision, layout), layout) for layout in LAYOUTS)

    with_peer: dict[str, Callable[[str], str]] = {
        "PyTorch, images/s": lambda precision: "{:.0f} ({})".format(*peer(precision)),
        "ours / PyTorch": lambda precision: f"{rate(precision) / peer(precision)[0]:.2f}",
    }
    lines: dict[str, Callable[[str], str]] = {
        "ours, images/s": lambda precision: f"{rate(precision):.0f}",
        **(with_peer if (PRECISIONS[0], LAYOUTS[0]) in measured else {}),
        "our step, ms": lambda precision: f"{1e3 * BATCH_SIZE / rate(precision):.1f}",
        "its convolutions and products alone, ms": lambda precision: f"{1e3 * alone(precision):.1f}",
        "their share": lambda precision: f"{alone(precision) * rate(precision) / BATCH_SIZE:.2f}",
        "MFLOP per real image": lambda precision: f"{alone(precision, 'operations') / BATCH_SIZE / 1e6:.0f}",
        "GFLOP/s of the step": lambda precision: (
            f"{alone(precision, 'operations') * rate(precision) / BATCH_SIZE / 1e9:.0f}"
        ),
        "GFLOP/s of the large ones alone": lambda precision: (
            f"{alone(precision, 'slowest') / 1e9:.0f} to {alone(precision, 'fastest') / 1e9:.0f}"
        ),
    }
    head = ["| | " + " | ".join(PRECISIONS) + " |", "|---|" + "---:|" * len(PRECISIONS)]
    return head + [f"| {title} | {' | '.join(map(value, PRECISIONS))} |" for title, value in lines.items()]


if __name__ == "__main__":
    main()
