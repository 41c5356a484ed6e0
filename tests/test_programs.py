"""The chain as a user runs it, each program in a process of its own, on the real digits."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import run
from matplotlib import image

from wcgan_tf import errors

SMALL = ["--config.model.width=4", "--config.train.max_seconds=0"]
STEPS = [*SMALL, "--config.train.max_steps=20"]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A folder in which two labels were prepared and trained."""
    folder = tmp_path_factory.mktemp("chain")
    run("prepare", folder=folder)
    done = run("launch", "--labels=7,2,7", "--jobs=2", *STEPS, folder=folder)
    assert "trained 2 labels in runs/digits" in done.stdout
    return folder


def test_the_chain_from_labels_to_a_picture(chain):
    missing = run("combine", folder=chain, check=False)
    assert missing.returncode == errors.WRONG_INPUT
    assert "8 labels are not trained in runs/digits: 0 (0), 1 (1), 3 (3)" in missing.stderr
    assert "run: python -m wcgan_tf.launch --workdir=runs/digits, or" in missing.stderr
    assert not (chain / "saved_models").exists()

    assert "combined 2 of 10 labels into saved_models/digits" in run("combine", "--partial", folder=chain).stdout
    manifest = json.loads((chain / "saved_models/digits/manifest.json").read_text())
    assert [(label["label"], label["name"], label["step"]) for label in manifest["labels"]] == [
        (2, "2", 20),
        (7, "7", 20),
    ]
    again = run("combine", "--partial", folder=chain, check=False)
    assert again.returncode == errors.WRONG_INPUT
    assert "type --overwrite to replace it" in again.stderr
    run("combine", "--partial", "--overwrite", folder=chain)

    table = run("evaluate", "--config.evaluate.num_per_label=20", folder=chain).stdout
    scores = json.loads((chain / "runs/digits/scores.json").read_text())
    assert scores["images"]["generated"] == scores["images"]["real"] == 40
    assert scores["labels"] == [2, 7]
    assert scores["scores"]["real"]["recognised"] > 0.9
    assert scores["scores"]["generated"]["fcd"] > scores["scores"]["real"]["fcd"]
    assert scores["cost"]["core_hours"] > 0
    for words in (
        "40 generated",
        "40 real (floor)",
        "core-hours",
        "classifier: domain",
        f"{scores['images']['reference']}",
    ):
        assert words in table

    assert "look at runs/digits/grid.png" in run("report", "--columns=4", folder=chain).stdout
    picture = image.imread(chain / "runs/digits/grid.png")
    assert picture.shape[1] > 300
    assert picture.std() > 0.1


def test_a_program_leaves_no_temporary_files(chain, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    run("train", "--label=2", "--workdir=tidy", *STEPS, folder=chain)
    assert not list(tmp_path.iterdir())


def test_a_model_of_another_data_set_is_refused(chain):
    done = run("evaluate", "--config.dataset.name=mnist", folder=chain, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith("error: ")


def test_labels_trained_otherwise_are_not_combined(chain):
    shutil.copytree(chain / "runs/digits/labels/00002", chain / "other/labels/00002")
    run("train", "--label=3", "--workdir=other", *STEPS, "--config.model.latent_size=5", folder=chain)
    done = run("combine", "--partial", "--workdir=other", "--model=saved_models/other", folder=chain, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "label 3 was trained otherwise than label 2: model.latent_size (64 there, 5 here)" in done.stderr
    assert not (chain / "saved_models/other").exists()


def test_two_processes_draw_what_one_draws_from_the_same_seed(chain, tmp_path):
    """Labels trained side by side are, bit for bit, those trained alone with as many threads."""
    code = "import os, runpy, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); sys.argv[0] = 'train'; "
    code += "runpy.run_module('wcgan_tf.train', run_name='__main__', alter_sys=True)"
    arguments = ["--label=7", "--workdir=alone", *STEPS]
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=chain, check=True, capture_output=True)
    one, other = (chain / folder / "labels/00007/generator" for folder in ("alone", "runs/digits"))
    from wcgan_tf.export import read_weights

    for a, b in zip(read_weights(one, ""), read_weights(other, ""), strict=True):
        np.testing.assert_array_equal(a, b)
