"""The long form of the tests in this folder: that it tries, and what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import killing
import pytest

TORTURE = Path(__file__).with_name("torture.py")


def torture(*arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(TORTURE.parent.parent)}
    command = [sys.executable, TORTURE, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not killing.is_possible(), reason="needs strace")
def test_it_tries_and_prints_a_table(tmp_path):
    done = torture("--only=report", "--every=1000", "--random=0", f"--folder={tmp_path / 'tries'}")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = dict(re.findall(r"^\| report: (.+) \| ([0-9]+) \| 0 \| 0 \|$", done.stdout, re.MULTILINE))
    assert rows == dict.fromkeys(
        ["killed after a change of a file", "fsync fails once", "rename fails once", "mkdir fails once"], "1"
    )


def test_an_unknown_program_is_refused():
    done = torture("--only=report,crowd")
    assert done.returncode == 2
    assert "there is no crowd; type some of damage,crowds,launch,pipeline" in done.stderr
