"""What is there already is found by what it was made of."""

import json
import os

import pytest
from conftest import PREPARE

from wcgan_tf.core import files
from wcgan_tf.core.paths import DatasetPaths, ModelPaths, RunPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.launching import up_to_date as uptodate

LABELS = [0, 1]


@pytest.fixture
def world(config, tmp_path):
    """A run of two labels as all stages leave it, without what is not looked at."""
    run, model, data = RunPaths(tmp_path / "run"), ModelPaths(tmp_path / "model"), DatasetPaths.of(config.dataset)
    files.write_json(data.info, {"labels": ["cat", "dog"]})
    records = []
    for label in LABELS:
        for split in ("train", "test"):
            record = {
                "label": label,
                "name": "",
                "count": 9,
                "resized": 0,
                "unreadable": 0,
                "digest": f"{split}{label}",
            }
            files.write_json(data.record(split, label), record)
        settings = {**config.to_dict(), "images": {"shape": [9, 8, 8, 1], "digest": f"train{label}"}}
        files.write_json(run.label(label).config, settings)
        state = {"state": "done", "step": config.train.max_steps, "seconds": 1.5, "updated": 0.0}
        files.write_json(run.label(label).status, state)
        for part in ("saved_model.pb", "variables/variables.index"):
            files.write_text(run.label(label).generator / part, "")
        records.append({"label": label, "step": state["step"], "seconds": 1.5, "weights_digest": f"w{label}"})
    files.write_json(model.manifest, {"labels": records, "bytes": 5})
    files.write_json(data.domain, {"digest": "c", "labels": 2})
    files.write_text(model.saved_model / "saved_model.pb", "graph")
    scores = {
        "labels": LABELS,
        "model": files.digest_json(["w0", "w1"]),
        "num_per_label": config.evaluate.num_per_label,
        "split": "test",
        "seed": 0,
        "classifier": {"name": "domain", "digest": "c"},
        "real_images": datasets.digests(config.dataset, LABELS, PREPARE),
        "scores": {"generated": {"accuracy": 0.5}},
    }
    files.write_json(run.scores, scores)
    return config, run, model


def change(path, **values) -> None:
    files.write_json(path, {**json.loads(path.read_text()), **values})


def test_all_is_there(world):
    config, run, model = world
    assert uptodate.prepared(config, PREPARE)
    assert uptodate.trained(config, run, LABELS)
    assert uptodate.combined(run, model, LABELS)
    assert uptodate.evaluated(config, run, model)
    assert uptodate.done(run, [0, 1, 2]) == LABELS


def test_images_of_a_label_are_missing(world):
    config, _, _ = world
    DatasetPaths.of(config.dataset).record("test", 1).unlink()
    assert not uptodate.prepared(config, PREPARE)


def test_a_training_that_scores_itself_wants_the_domain_classifier(world):
    config, _, _ = world
    config.train.eval_seconds = 30.0
    paths = DatasetPaths.of(config.dataset)
    assert not uptodate.prepared(config, PREPARE)
    files.write_json(paths.domain, {"digest": "d", "labels": 2})
    files.write_text(paths.classifier("d"), "")
    assert not uptodate.prepared(config, PREPARE)
    for split in ("train", "test"):
        for label in LABELS:
            files.write_text(paths.features("d", split, label), "")
    assert uptodate.prepared(config, PREPARE)


def test_a_larger_budget_leaves_something_to_train(world):
    config, run, _ = world
    config.train.max_steps += 1
    assert not uptodate.trained(config, run, LABELS)


@pytest.mark.parametrize(
    ("name", "value"), [("model.width", 8), ("train.seed", 1), ("train.objective", "dcgan"), ("dataset.flip", True)]
)
def test_what_was_trained_with_other_settings_is_not_this_training(world, name, value):
    config, run, _ = world
    config.update_from_flattened_dict({name: value})
    assert not uptodate.trained(config, run, LABELS)


def test_what_was_trained_on_other_images_is_not_this_training(world):
    config, run, _ = world
    change(DatasetPaths.of(config.dataset).record("train", 1), digest="other")
    assert not uptodate.trained(config, run, LABELS)
    run.label(0).config.unlink()
    assert not uptodate.trained(config, run, [0])


@pytest.mark.parametrize("changed", [{"step": 99}, {"seconds": 2.0}, {"best_step": 3}, {"state": "running"}])
def test_a_label_that_was_trained_on_is_combined_again(world, changed):
    _, run, model = world
    change(run.label(1).status, **changed)
    assert not uptodate.combined(run, model, LABELS)


def test_a_model_of_other_labels_is_made_again(world):
    _, run, model = world
    assert not uptodate.combined(run, model, [0])
    (model.saved_model / "saved_model.pb").write_text("gra")
    assert not uptodate.combined(run, model, LABELS)
    (model.saved_model / "saved_model.pb").unlink()
    assert not uptodate.combined(run, model, LABELS)


def test_a_label_whose_generator_is_damaged_is_not_done(world):
    config, run, _ = world
    (run.label(1).generator / "variables/variables.index").unlink()
    assert not uptodate.trained(config, run, LABELS)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "other"},
        {"num_per_label": 7},
        {"split": "train"},
        {"labels": [0]},
        {"classifier": {"name": "x", "digest": "c"}},
        {"classifier": {"name": "domain", "digest": "before"}},
        {"real_images": "other"},
        {"scores": 3},
    ],
)
def test_scores_of_something_else_are_made_again(world, changed):
    config, run, model = world
    change(run.scores, **changed)
    assert not uptodate.evaluated(config, run, model)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"labels": 3}', '{"labels": [3]}', '{"classifier": 3}'])
def test_what_is_damaged_is_not_there(world, text):
    config, run, model = world
    for path in (run.scores, model.manifest):
        path.write_text(text)
    assert not uptodate.evaluated(config, run, model)
    assert not uptodate.combined(run, model, LABELS)


def test_newer_is_not_older_than_anything_it_is_made_of(tmp_path):
    old, new, missing = tmp_path / "old", tmp_path / "new", tmp_path / "missing"
    for path, seconds in ((old, 100), (new, 200)):
        path.write_text("something")
        os.utime(path, (seconds, seconds))
    assert uptodate.newer(new, old, missing)
    assert not uptodate.newer(old, new)
    assert not uptodate.newer(missing, old)
    new.write_text("")
    assert not uptodate.newer(new, old)


def test_what_was_written_by_a_clock_that_was_ahead_is_made_again(tmp_path):
    result, source = tmp_path / "result", tmp_path / "source"
    for path in (source, result):
        path.write_text("something")
    assert uptodate.newer(result, source)
    os.utime(result, (2e10, 2e10))
    assert not uptodate.newer(result, source)
