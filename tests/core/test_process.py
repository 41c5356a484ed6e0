"""What the project asks of the system for its own process."""

import resource
import subprocess
import sys

import pytest

KEPT = """
import os, resource, sys
from wcgan_tf.core import process

if sys.argv[1] == "kept":
    process.keep_freed_memory()
os.environ["NUMPY_MADVISE_HUGEPAGE"] = "0"  # its pages are 512 times as large
import numpy as np

def faults():
    for _ in range(5):
        np.full(100 * 2**20, 1, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

print(-faults() + faults())
"""
PAGES = 5 * 100 * 2**20 // resource.getpagesize()
NEW_PAGES = {"kept": (0, PAGES // 100), "given back": (PAGES // 2, 2 * PAGES)}


@pytest.mark.parametrize("memory", NEW_PAGES)
def test_freed_memory_is_kept(memory):
    """Large arrays that come and go take new pages from the system each time, or the same ones."""
    done = subprocess.run([sys.executable, "-c", KEPT, memory], capture_output=True, text=True, check=True)
    least, most = NEW_PAGES[memory]
    assert least <= int(done.stdout) <= most
