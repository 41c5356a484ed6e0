"""Many processes at once: one does the work, no update is lost, and nobody reads half a file."""

import shutil

import crowds
import pytest
from conftest import CHAIN, wait_until

from wcgan_tf.core import errors
from wcgan_tf.core.paths import RunPaths

SHORT = {"train a label": 20, "prepare": 10, "combine --replace": 3}  # `torture.py` has longer ones


@pytest.mark.parametrize("name", crowds.CROWDS)
def test_of_a_crowd_nothing_is_lost(whole_chain, tmp_path, begin, name):
    crowds.CROWDS[name](SHORT[name], whole_chain[0], tmp_path, begin)


def test_readers_find_whole_files_while_they_are_replaced(whole, begin):
    """`sample` finds a model, and `report` and `status` whatever there is, while all of it is made anew."""
    shutil.rmtree(whole / "runs/digits/labels/00003")
    writer = begin("pipeline", "--from=launch", *CHAIN, folder=whole, stdout=-1, stderr=-1)
    label = RunPaths(whole / "runs/digits").label(3)
    wait_until(label.status.exists, "the first label", writer)
    times = 0
    while writer.poll() is None or times < 2:
        times += 1
        crowds.read(whole)
    assert crowds.ended([writer])[0][0] == errors.DONE
