"""The steps of the frozen baselines of fixed_budget.py on one core of a CPU, beside PyTorch's: one table.

    pip install -e '.[peer]'                       # PyTorch
    python benchmarks/speed/baselines.py

All rows are measured in turn, in processes that stay; medians of the rounds.  PyTorch has the same networks, losses and
batches; its faster layout counts.
"""

import argparse
import os
import statistics
import sys

import turns

METHODS = ("dcgan", "wgan_gp")
PRECISIONS = ("float32", "mixed_bfloat16")
LAYOUTS = ("contiguous", "channels_last")  # of PyTorch

Measured = dict[tuple[str, str, str], list[float]]  # (method, precision, "ours" or layout) -> images/s of each round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a row in a round")
    parser.add_argument("--peer_python", default=sys.executable, help="a Python that has PyTorch")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds has to be 1 or more")
    if not turns.has_pytorch(arguments.peer_python):
        parser.error("there is no PyTorch; type: pip install -e '.[peer]'")
    core = sorted(os.sched_getaffinity(0))[:1]
    rows = {}
    for method in METHODS:
        for precision in PRECISIONS:
            rows[method, precision, "ours"] = turns.Workers(sys.executable, "ours.py", [precision, method], core)
            for layout in LAYOUTS:
                words = [layout, precision.removeprefix("mixed_"), method]
                rows[method, precision, layout] = turns.Workers(arguments.peer_python, "peer.py", words, core)
    for workers in rows.values():
        workers.wait()
    measured: Measured = {row: [] for row in rows}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
        for row, workers in rows.items():
            measured[row] += [one["images_per_second"] for one in workers.measure(arguments.seconds)]
    for workers in rows.values():
        workers.end()
    print("\n".join(table(measured)))


def table(measured: Measured) -> list[str]:
    """Lines in Markdown."""
    lines = ["| | precision | ours, images/s | PyTorch, images/s | ours / PyTorch |", "|---|---|---:|---:|---:|"]
    for method in METHODS:
        for precision in PRECISIONS:
            ours = statistics.median(measured[method, precision, "ours"])
            peer, layout = max((statistics.median(measured[method, precision, form]), form) for form in LAYOUTS)
            lines.append(f"| {method} | {precision} | {ours:.0f} | {peer:.0f} ({layout}) | {ours / peer:.2f} |")
    return lines


if __name__ == "__main__":
    main()
