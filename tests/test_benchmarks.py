"""The benchmarks still run; what they measure is nobody's business here."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def test_the_benchmark_of_a_label_process_fills_its_table():
    arguments = ["--repeats", "1", "--config=configs/digits.py", "--config.model.width=4"]
    done = subprocess.run(
        [sys.executable, "benchmarks/label_process.py", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == 9 * ["s"] + ["GiB"]
