"""The chain as a user runs it, each program in a process of its own, on the real digits."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from conftest import run
from matplotlib import image

from wcgan_tf import errors, export

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
    assert "run: python -m wcgan_tf.launch --workdir=runs/digits --labels=0-1,3-6,8-9, or" in missing.stderr
    assert not (chain / "saved_models").exists()

    said = run("combine", "--partial", folder=chain).stdout
    assert said == "combined 2 of 10 labels into saved_models/digits\n"
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


def images(folder, labels: list[int]) -> np.ndarray:
    """What a combined model makes of these labels and seed 5."""
    model = tf.saved_model.load(str(folder / "1"))
    return model.signatures["generate"](labels=tf.constant(labels), seed=tf.constant(5, tf.int64))["images"].numpy()


def test_some_labels_are_combined_and_one_is_replaced(chain):
    def combine(*arguments, **more):
        return run("combine", "--workdir=many", "--output=models/many", *arguments, folder=chain, **more)

    for label in (2, 7):
        shutil.copytree(chain / f"runs/digits/labels/0000{label}", chain / f"many/labels/0000{label}")
    assert "1 label is not trained in many: 3 (3); run: " in combine("--labels=2,3,7", check=False).stderr
    assert combine("--labels=7").stdout == "combined 1 of 10 labels into models/many\n"
    assert combine("--replace=2").stdout == "put 2 into models/many, which has 2 of 10 labels\n"
    before = images(chain / "models/many", [2] * 3 + [7] * 3)
    by_generator = [
        tf.saved_model.load(str(chain / f"many/labels/0000{label}/generator")).signatures["serving_default"]
        for label in (2, 7)
    ]
    latents = export.latents_of(0, 6, tf.constant(5, tf.int64), 64)
    np.testing.assert_array_equal(before[:3], by_generator[0](latents=latents[:3])["images"])
    np.testing.assert_array_equal(before[3:], by_generator[1](latents=latents[3:])["images"])

    manifest = json.loads((chain / "models/many/manifest.json").read_text())
    run("train", "--label=7", "--workdir=many", *SMALL, "--config.train.max_steps=60", folder=chain)
    combine("--replace=7")
    after = images(chain / "models/many", [2] * 3 + [7] * 3)
    np.testing.assert_array_equal(after[:3], before[:3])
    assert not np.array_equal(after[3:], before[3:])
    now = json.loads((chain / "models/many/manifest.json").read_text())
    assert now["labels"][0] == manifest["labels"][0]
    assert (now["labels"][1]["label"], now["labels"][1]["step"]) == (7, 60)
    assert now["labels"][1]["weights_digest"] != manifest["labels"][1]["weights_digest"]
    assert now["labels"][1]["settings_digest"] == manifest["labels"][1]["settings_digest"]
    inside = tf.saved_model.load(str(chain / "models/many/1")).signatures["manifest"]()["json"].numpy()
    assert json.loads(inside) == now
    again = "put 7 into models/many, which has 2 of 10 labels\n7 had these very weights before\n"
    assert combine("--replace=7").stdout == again
    for arguments, words in (
        (
            ["--replace=3"],
            "1 label is not trained in many: 3 (3); run: python -m wcgan_tf.launch --workdir=many --labels=3",
        ),
        (["--replace=3", "--workdir=mani"], "there is no run in mani; name its --workdir, or run: "),
        (["--replace=14"], "there is no label '14'; the labels are 0 to 9"),
        (["--replace=7", "--partial"], "--replace keeps all other labels of the model"),
        (["--replace=7", "--output=models/none"], "there is no models/none/manifest.json; run: "),
        (["--labels=7"], "models/many is there already; type --overwrite to replace it, or --replace=7 for one label"),
        (["--labels=7", "--overwrite", "--output=many"], "many has more in it than would be replaced, such as labels"),
    ):
        done = combine(*arguments, check=False)
        assert done.returncode == errors.WRONG_INPUT
        assert done.stderr.startswith(f"error: {words}")
        assert done.stderr.count("\n") == 1
    assert json.loads((chain / "models/many/manifest.json").read_text()) == now
    assert [path.name for path in (chain / "models").iterdir()] == ["many"]


def test_what_is_damaged_is_not_combined(chain):
    def combine(*arguments):
        return run("combine", "--workdir=hurt", "--output=models/hurt", *arguments, folder=chain, check=False)

    for label in (2, 7):
        shutil.copytree(chain / f"runs/digits/labels/0000{label}", chain / f"hurt/labels/0000{label}")
    assert combine("--labels=2,7").returncode == 0
    manifest = chain / "models/hurt/manifest.json"
    weights = "variables/variables.data-00000-of-00001"
    for path, content, again in (
        (manifest, b'{"names": 3, "settings": [], "labels": {}}', "combine all labels anew, with --overwrite"),
        (chain / "models/hurt/1" / weights, b"short", "combine all labels anew, with --overwrite"),
        (chain / "hurt/labels/00007/generator" / weights, b"short", "delete it and run: python -m wcgan_tf.train"),
        (chain / "hurt/labels/00007/status.json", b"{", "delete it and run: python -m wcgan_tf.train"),
        (chain / "hurt/labels/00007/config.json", b"[]", "put it back, or delete that folder"),
        (chain / "hurt/scores.json", b'{"by_label": 3}', "delete it and run: python -m wcgan_tf.evaluate"),
    ):
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(content)
        done = combine("--replace=7")
        assert done.returncode == errors.WRONG_INPUT, done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert "damaged" in done.stderr
        assert again in done.stderr
        path.unlink() if before is None else path.write_bytes(before)
    assert combine("--replace=7").returncode == 0


def test_scores_go_into_the_manifest_of_the_weights_that_were_scored(chain):
    shutil.copytree(chain / "runs/digits/labels/00002", chain / "scored/labels/00002")
    arguments = ["--workdir=scored", "--model=scored_models/scored"]
    run("combine", "--labels=2", *arguments, folder=chain)
    run("evaluate", "--config.evaluate.num_per_label=20", *arguments, folder=chain)
    run("combine", "--labels=2", "--overwrite", *arguments, folder=chain)
    own = json.loads((chain / "scored/scores.json").read_text())["by_label"]["2"]["scores"]
    assert 0.0 <= own["recognised"] <= 1.0
    manifest = chain / "scored_models/scored/manifest.json"
    assert json.loads(manifest.read_text())["labels"][0]["scores"] == own
    run("train", "--label=2", "--workdir=scored", *SMALL, "--config.train.max_steps=40", folder=chain)
    run("combine", "--replace=2", *arguments, folder=chain)
    assert json.loads(manifest.read_text())["labels"][0]["scores"] == {}


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
