"""The chain as a user runs it, each program in a process of its own, on the real digits."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import SMALL, STEPS, made_once, run, run_python, trained
from matplotlib import image

from wcgan_tf.core import errors, records
from wcgan_tf.core.errors import Command
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.models.generator_export import label_signs, latents_from_seed, read_weights


@pytest.fixture
def chain(whole_chain, tmp_path):
    """A folder in which two labels are prepared and trained."""
    return trained(whole_chain[0], tmp_path / "chain", 2, 7)


@pytest.fixture(scope="session")
def scored_once(whole_chain, tmp_path_factory):
    """As `chain`, with a model of both labels, and its scores."""

    def make(folder):
        trained(whole_chain[0], folder, 2, 7)
        run("combine", "--partial", folder=folder)
        run("evaluate", "--num_per_label=20", "--noaccuracy", folder=folder)

    return made_once(tmp_path_factory, "scored", make)


@pytest.fixture
def scored(scored_once, tmp_path):
    """A copy of `scored_once`."""
    return shutil.copytree(scored_once, tmp_path / "scored")


@pytest.fixture(scope="session")
def further_7(whole_chain, tmp_path_factory):
    """The folder of label 7, 20 steps further than in `chain`."""

    def make(folder):
        trained(whole_chain[0], folder, 7)
        run("train", "--label=7", *SMALL, "--config.train.max_steps=40", folder=folder)

    return made_once(tmp_path_factory, "further", make) / "runs/digits/labels/00007"


def evaluate_soon(*arguments: str, folder) -> str:
    """The output of `evaluate`; the classifier of its accuracy score trains on fewer images."""
    code = (
        "import sys; from wcgan_tf import cli, evaluate; from wcgan_tf.evaluation import domain_classifier; "
        "domain_classifier.FEWEST_IMAGES_SEEN = 5000; sys.argv[0] = 'evaluate'; "
    )
    return run_python("-c", code + "cli.run(evaluate.main, evaluate.define_flags)", *arguments, folder=folder).stdout


def test_the_chain_runs_from_labels_to_a_picture(chain):
    missing = run("combine", folder=chain, check=False)
    assert missing.returncode == errors.WRONG_INPUT
    assert "8 labels are not trained in runs/digits: 0 (0), 1 (1), 3 (3)" in missing.stderr
    assert "run: python -m wcgan_tf.launch --labels=0-1,3-6,8-9, or" in missing.stderr
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

    table = evaluate_soon("--num_per_label=20", folder=chain)
    scores = json.loads((chain / "runs/digits/scores.json").read_text())
    assert scores["images"]["generated"] == scores["images"]["real"] == 40
    assert scores["labels"] == [2, 7]
    assert scores["scores"]["real"]["recognised"] > 0.9
    assert scores["scores"]["generated"]["frechet_distance"] > scores["scores"]["real"]["frechet_distance"]
    assert scores["cost"]["core_hours"] > 0
    assert scores["split"] == "test"
    assert scores["few"]
    assert (scores["classifier"]["name"], scores["classifier"]["resize"]) == ("domain", "none")
    for kind in ("generated", "real"):
        assert (
            scores["by_label"]["7"][{"generated": "scores", "real": "real"}[kind]].keys()
            == scores["means"][kind].keys()
        )
    assert scores["scores"]["real"]["accuracy"] > 0.9 > scores["scores"]["generated"]["accuracy"] > 0.2
    events = list((chain / "runs/digits/scores").iterdir())
    assert len(events) == 1
    logged = {
        value.tag for event in tf.compat.v1.train.summary_iterator(str(events[0])) for value in event.summary.value
    }
    assert {"score, all labels/fcd", "score, mean of each label alone/kcd"} <= logged
    for words in (
        "40 generated",
        "40 real (floor)",
        "core-hours",
        "go by the kernel distance",
        "each label alone, the worst first, by kcd above its floor",
        "classifier: domain",
        f"{scores['images']['reference']}",
    ):
        assert words in table

    said = run("report", "--columns=4", folder=chain).stdout
    assert "look at runs/digits/report.html and runs/digits/grid.png" in said
    picture = image.imread(chain / "runs/digits/grid.png")
    assert picture.shape[1] > 300
    assert picture.std() > 0.1


def test_a_report_of_a_missing_model_is_refused(scored):
    done = run("report", "--model=nothing", folder=scored, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "there is no model in nothing" in done.stderr


def test_a_report_replaces_only_its_own_files(scored):
    notes = scored / "runs/digits/overview/chapter.tex"
    notes.parent.mkdir(exist_ok=True)
    notes.write_text("precious")
    done = run("report", folder=scored, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "overview has more in it than would be replaced, such as chapter.tex" in done.stderr
    assert notes.read_text() == "precious"


def test_a_model_of_another_data_set_is_refused(scored):
    done = run("evaluate", "--config.dataset.name=mnist", "--model=saved_models/digits", folder=scored, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith("error: the model was trained on digits, not on mnist")


def test_a_model_is_scored_by_the_users_classifier(scored):
    """A SavedModel with Inception's outputs replaces Inception: there is no network here."""
    module = tf.Module()
    module.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32)])
    def serve(images):
        means = tf.nn.avg_pool2d(images[..., :1], 4, 4, "VALID") * module.factor
        return {"pool_3": tf.reshape(means, [-1, 16]), "logits": tf.reshape(means, [-1, 16])}

    tf.saved_model.save(module, str(scored / "eyes"), signatures={"serving_default": serve})
    of_run = {path: path.read_bytes() for path in RunPaths(scored / "runs/digits").tensorboard.iterdir()}
    table = run(
        "evaluate", "--classifier=eyes", "--labels=7", "--num_per_label=15", "--output=own.json", folder=scored
    ).stdout
    own = json.loads((scored / "own.json").read_text())
    assert own["labels"] == [7]
    assert own["classifier"]["resize"] == "bilinear to 16x16"
    assert {"frechet_distance", "kernel_distance"} <= own["scores"]["generated"].keys()
    assert not {"recognised", "accuracy"} & own["scores"]["generated"].keys()
    assert "classifier: eyes" in table
    assert {path: path.read_bytes() for path in RunPaths(scored / "runs/digits").tensorboard.iterdir()} == of_run
    shutil.copytree(scored / "eyes", scored / "data/classifiers/inception")
    arguments = ["--classifier=inception", "--num_per_label=15", "--noaccuracy", "--output=own.json"]
    table = run("evaluate", *arguments, folder=scored).stdout
    own = json.loads((scored / "own.json").read_text())
    assert "accuracy" not in own["scores"]["generated"]
    assert {"inception score", "fid", "kid"} <= set(re.findall(r"^ +(\w+(?: score)?) ", table, re.MULTILINE))


def test_a_label_is_scored_while_it_trains_once_the_domain_classifier_is_ready(scored, monkeypatch):
    arguments = ["--label=7", "--workdir=best", *STEPS, "--config.train.eval_seconds=1"]
    (scored / "data/digits-8/classifiers").rename(scored / "kept")
    missing = run("train", *arguments, folder=scored, check=False)
    assert missing.returncode == errors.WRONG_INPUT
    assert "there is no data/digits-8/classifiers/domain.json; run: python -m wcgan_tf.prepare" in missing.stderr
    assert missing.stderr.endswith("--config.train.eval_seconds=1.0 --classifier=domain\n")
    (scored / "kept").rename(scored / "data/digits-8/classifiers")
    said = run("prepare", "--classifier=domain", folder=scored).stdout
    assert "and what it sees are in data/digits-8" in said
    assert "training" not in said
    assert "classifier" not in run("prepare", "--config.train.eval_seconds=1", folder=scored).stdout
    shutil.rmtree(scored / "data/digits-8/features")
    said = run("prepare", "--config.train.eval_seconds=1", folder=scored).stdout
    assert "and what it sees are in data/digits-8" in said
    (scored / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(scored / "temporary"))
    run("train", *arguments, folder=scored)
    assert not list((scored / "temporary").iterdir())
    best = json.loads((scored / "best/labels/00007/best/score.json").read_text())["step"]
    assert 1 <= best <= 20
    run("combine", "--labels=7", "--workdir=best", "--model=best_model", folder=scored)
    assert json.loads((scored / "best_model/manifest.json").read_text())["labels"][0]["best_step"] == best


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--classifier=nowhere"],
            "there is no SavedModel in nowhere; the classifier may be domain, inception, or the path of one",
        ),
        (["--labels=3"], "the model has no generator of label 3 (3); it has 2,7"),
        (["--labels=cat"], "there is no label 'cat'"),
        (["--num_per_label=9"], "--num_per_label=9"),
        (["--config.evaluate.split=train"], "the domain classifier was trained on the split `train`; type"),
        (["--output=."], ". is a folder; name a file with --output"),
        (
            ["--config.dataset.resolution=16"],
            "the model makes images of 8x8 pixels; type --config.dataset.resolution=8",
        ),
        (["--model=nothing"], "type another --model, or run: python -m wcgan_tf.combine --model=nothing"),
    ],
)
def test_wrong_input_of_evaluate_is_one_line(scored, arguments, words):
    before = (scored / "runs/digits/scores.json").read_text()
    done = run("evaluate", *arguments, folder=scored, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert (scored / "runs/digits/scores.json").read_text() == before


def test_labels_trained_with_other_settings_are_not_combined(chain):
    for label in (2, 7):
        shutil.copytree(chain / f"runs/digits/labels/0000{label}", chain / f"other/labels/0000{label}")
    file = chain / "other/labels/00007/config.json"
    settings = json.loads(file.read_text())
    settings["model"]["latent_size"] = 5
    records.write(file, settings)
    done = run("combine", "--partial", "--workdir=other", "--model=saved_models/other", folder=chain, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "label 7 was trained otherwise than label 2: model.latent_size (64 there, 5 here)" in done.stderr
    assert not (chain / "saved_models/other").exists()


def images(folder, labels: list[int]) -> np.ndarray:
    """A combined model's images of these labels and seed 5."""
    model = tf.saved_model.load(str(folder / "1"))
    return model.signatures["generate"](labels=tf.constant(labels), seed=tf.constant(5, tf.int64))["images"].numpy()


def test_some_labels_are_combined_and_one_is_replaced(chain, further_7):
    def combine(*arguments, **more):
        return run("combine", "--workdir=many", "--output=models/many", *arguments, folder=chain, **more)

    for label in (2, 7):
        shutil.copytree(chain / f"runs/digits/labels/0000{label}", chain / f"many/labels/0000{label}")
    assert "1 label is not trained in many: 3 (3); run: " in combine("--labels=2,3,7", check=False).stderr
    status = chain / "many/labels/00007/status.json"
    done = status.read_text()
    status.write_text(done.replace('"done"', '"stopped"'))
    early = "labels that have not spent their budget: 7\ncombined 1 of 10 labels into models/many\n"
    assert combine("--labels=7").stdout == early
    status.write_text(done)
    assert combine("--labels=7", "--overwrite").stdout == "combined 1 of 10 labels into models/many\n"
    assert combine("--replace=2").stdout == "put 2 into models/many, which has 2 of 10 labels\n"
    before = images(chain / "models/many", [2] * 3 + [7] * 3)
    by_generator = [
        tf.saved_model.load(str(chain / f"many/labels/0000{label}/generator")).signatures["serving_default"]
        for label in (2, 7)
    ]
    latents = latents_from_seed(0, 6, tf.constant(5, tf.int64), 64)
    for place, (rows, label) in enumerate(((slice(3), 2), (slice(3, 6), 7))):
        own = latents[rows] * label_signs(label, 1, 64)
        np.testing.assert_array_equal(before[rows], by_generator[place](latents=own)["images"])

    manifest = json.loads((chain / "models/many/manifest.json").read_text())
    shutil.rmtree(chain / "many/labels/00007")
    shutil.copytree(further_7, chain / "many/labels/00007")
    combine("--replace=7")
    after = images(chain / "models/many", [2] * 3 + [7] * 3)
    np.testing.assert_array_equal(after[:3], before[:3])
    assert not np.array_equal(after[3:], before[3:])
    now = json.loads((chain / "models/many/manifest.json").read_text())
    assert now["labels"][0] == manifest["labels"][0]
    assert (now["labels"][1]["label"], now["labels"][1]["step"]) == (7, 40)
    assert now["labels"][1]["weights_digest"] != manifest["labels"][1]["weights_digest"]
    assert now["labels"][1]["settings_digest"] == manifest["labels"][1]["settings_digest"]
    inside = tf.saved_model.load(str(chain / "models/many/1")).signatures["manifest"]()["json"].numpy()
    only_in_file = {name: now[name] for name in ("bytes", "graph_digest", "checksum")}
    assert {**json.loads(inside), **only_in_file} == now
    again = "put 7 into models/many, which has 2 of 10 labels\n7 had these very weights before\n"
    assert combine("--replace=7").stdout == again
    same = (chain / "models/many/manifest.json").read_text()
    assert {**json.loads(same), **only_in_file} == now  # TensorFlow's files differ by some bytes each time
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
    assert (chain / "models/many/manifest.json").read_text() == same
    assert [path.name for path in (chain / "models").iterdir()] == ["many"]


def test_damaged_files_are_not_combined(chain):
    def combine(*arguments):
        return run("combine", "--workdir=hurt", "--output=models/hurt", *arguments, folder=chain, check=False)

    for label in (2, 7):
        shutil.copytree(chain / f"runs/digits/labels/0000{label}", chain / f"hurt/labels/0000{label}")
    assert combine("--labels=2,7").returncode == 0
    manifest = chain / "models/hurt/manifest.json"
    weights = "variables/variables.data-00000-of-00001"
    for path, content, again in (
        (manifest, b'{"names": 3, "settings": [], "labels": {}}', "--model=models/hurt --overwrite"),
        (chain / "models/hurt/1" / weights, b"short", "combine all labels anew, with --overwrite"),
        (chain / "hurt/labels/00007/generator" / weights, b"short", "delete it and run: python -m wcgan_tf.train"),
        (chain / "hurt/labels/00007/generator/training.json", b"{", "delete it and run: python -m wcgan_tf.train"),
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
    status = chain / "hurt/labels/00007/status.json"  # it resumed, and its process died: the generator is of before
    records.write(status, json.loads(status.read_text()) | {"step": 99, "state": "running"})
    assert combine("--replace=7").returncode == 0
    assert {own["step"] for own in json.loads(manifest.read_text())["labels"]} == {20}


def test_damaged_labels_are_named_together_or_left_out(whole_chain, tmp_path):
    folder = trained(whole_chain[0], tmp_path / "chain", 2, 3, 4, 7)
    labels = folder / "runs/digits/labels"
    (labels / "00003/config.json").write_text("{}")
    for label, name in ((4, "variables.index"), (7, "variables.data-00000-of-00001")):
        (labels / f"0000{label}/generator/variables/{name}").write_bytes(b"short")
    settings = run("combine", "--labels=2-4,7", folder=folder, check=False)
    assert settings.returncode == errors.WRONG_INPUT
    assert settings.stderr.startswith("error: runs/digits/labels/00003/config.json, which tells what is in ")
    assert settings.stderr.endswith("to train the label anew, or leave out what cannot be taken with --partial\n")
    weights = run("combine", "--labels=2,4,7", folder=folder, check=False)
    assert weights.returncode == errors.WRONG_INPUT
    assert weights.stderr.startswith(
        "error: labels 4,7 cannot be taken; the first: runs/digits/labels/00004/generator is damaged; "
        "delete it and run: python -m wcgan_tf.train --label=4, or leave"
    )
    assert not (folder / "saved_models").exists()
    said = run("combine", "--partial", folder=folder).stdout.splitlines()
    assert [line.split(" ")[:4] for line in said[:-1]] == [["left", "out:", "label", f"{k}:"] for k in (3, 4, 7)]
    assert said[-1] == "combined 1 of 10 labels into saved_models/digits"
    shutil.rmtree(labels / "00004/generator")  # as it said
    run("train", "--label=4", *STEPS, folder=folder)
    assert "combined 2 of 10" in run("combine", "--partial", "--overwrite", folder=folder).stdout


def test_a_generator_of_other_networks_is_not_combined(whole_chain, tmp_path):
    folder = trained(whole_chain[0], tmp_path / "chain", 2, 3)
    run("train", "--label=3", "--workdir=wide", *STEPS, "--config.model.width=6", folder=folder)
    shutil.rmtree(folder / "runs/digits/labels/00003/generator")
    shutil.copytree(folder / "wide/labels/00003/generator", folder / "runs/digits/labels/00003/generator")
    done = run("combine", "--labels=2,3", folder=folder, check=False)
    assert done.returncode == errors.WRONG_INPUT
    words = (
        "error: runs/digits/labels/00003/generator is of other networks than runs/digits/labels/00003/config.json tel"
    )
    assert done.stderr.startswith(words)
    assert "combined 1 of 10" in run("combine", "--partial", folder=folder).stdout


def test_scores_that_cannot_be_shown_are_written(scored):
    (scored / "runs/digits/scores.json").unlink()
    evaluate = [sys.executable, "-m", "wcgan_tf.evaluate", "--num_per_label=20", "--noaccuracy"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(evaluate, cwd=scored, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == errors.FAILED
    assert "no space is left on the device" in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads((scored / "runs/digits/scores.json").read_text())["labels"] == [2, 7]


def test_the_manifest_has_the_scores_of_the_same_weights_only(scored, further_7):
    def kept() -> list[dict]:
        manifest = json.loads((scored / "saved_models/digits/manifest.json").read_text())
        return [label["scores"] for label in manifest["labels"]]

    by_label = json.loads((scored / "runs/digits/scores.json").read_text())["by_label"]
    own = {label: by_label[label]["scores"] for label in ("2", "7")}
    assert 0.0 <= own["2"]["recognised"] <= 1.0
    run("combine", "--partial", "--overwrite", folder=scored)
    assert kept() == [own["2"], own["7"]]
    shutil.rmtree(scored / "runs/digits/labels/00007")
    shutil.copytree(further_7, scored / "runs/digits/labels/00007")
    run("combine", "--replace=7", folder=scored)
    assert kept() == [own["2"], {}]


def test_labels_trained_together_or_alone_have_the_same_weights(chain):
    """Labels trained in parallel or in turn equal, bit for bit, those trained alone with as many threads."""
    code = "import os, runpy, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); sys.argv[0] = 'train'; "
    code += "runpy.run_module('wcgan_tf.train', run_name='__main__', alter_sys=True)"
    arguments = ["--label=2,7", "--workdir=alone", *STEPS]
    run_python("-c", code, *arguments, folder=chain)
    for label in (2, 7):  # `whole_chain` trained label 2 as the third of a process, and label 7 alone
        one, other = (chain / folder / f"labels/0000{label}/generator" for folder in ("alone", "runs/digits"))
        for a, b in zip(*(read_weights(folder, Command("train")) for folder in (one, other)), strict=True):
            np.testing.assert_array_equal(a, b)
