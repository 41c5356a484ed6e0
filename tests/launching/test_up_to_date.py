"""A result is up to date if its inputs are unchanged."""

import itertools
import json
import os

import examples
import h5py
import numpy as np
import pytest

from wcgan_tf.combined import manifest
from wcgan_tf.core import files, records
from wcgan_tf.core.paths import DatasetPaths, ModelPaths, RunPaths
from wcgan_tf.data import prepared
from wcgan_tf.data.prepared import CurrentDomain, DatasetInfo, ImageRecord
from wcgan_tf.evaluation import classifier_files
from wcgan_tf.launching import up_to_date
from wcgan_tf.runs.label_status import LabelStatus
from wcgan_tf.runs.recorded_settings import RecordedSettings, TrainingImages
from wcgan_tf.runs.score_report import Beside

LABELS = [0, 1]


@pytest.fixture
def world(config, tmp_path):
    """A finished run of two labels, with only the files that are checked."""
    run, model, data = RunPaths(tmp_path / "run"), ModelPaths(tmp_path / "model"), DatasetPaths.of(config.dataset)
    records.write(data.info, DatasetInfo("digits", 8, 1, ["cat", "dog"]))
    entries = []
    for label in LABELS:
        for split in ("train", "test"):
            records.write(data.record(split, label), ImageRecord(label, "", 90, 0, 0, f"{split}{label}"))
        images = TrainingImages((90, 8, 8, 1), f"train{label}")
        records.write(run.label(label).config, RecordedSettings(**config.to_dict(), images=images))
        status = LabelStatus(state="done", step=config.train.max_steps, seconds=1.5)
        records.write(run.label(label).status, status)
        for part in ("saved_model.pb", "variables/variables.index"):
            files.write_text(run.label(label).generator / part, "")
        entries.append(examples.label_entry(label, step=status.step))
    records.write(model.manifest, examples.manifest(entries, bytes=5))
    records.write(data.domain, CurrentDomain("c", 2))
    files.write_text(model.saved_model / "saved_model.pb", "graph")
    scores = examples.score_report(
        {label: examples.label_scores(label, {}, {}) for label in LABELS},
        num_per_label=config.evaluate.num_per_label,
        real_images=prepared.digests(config.dataset, LABELS),
        scores=Beside({"accuracy": 0.5}, {}),
    )
    records.write(run.scores, scores)
    return config, run, model


def change(path, **values) -> None:
    records.write(path, {**json.loads(path.read_text()), **values})


def test_a_finished_run_is_up_to_date(world):
    config, run, model = world
    assert up_to_date.is_prepared(config)
    assert all(up_to_date.is_trained(config, run, label) for label in LABELS)
    assert up_to_date.is_combined(run, model, LABELS)
    assert up_to_date.is_evaluated(config, run.scores, model)
    assert up_to_date.finished_labels(config, run, [0, 1, 2]) == LABELS


def test_a_data_set_with_missing_images_is_not_prepared(world):
    config, _, _ = world
    DatasetPaths.of(config.dataset).record("test", 1).unlink()
    assert not up_to_date.is_prepared(config)


def test_scoring_while_training_needs_the_domain_classifier(world):
    config, _, _ = world
    config.train.eval_seconds = 30.0
    paths = DatasetPaths.of(config.dataset)
    assert not up_to_date.is_prepared(config)
    records.write(paths.domain, CurrentDomain("d", 2))
    with files.publish(paths.classifier("d")) as path, h5py.File(path, "w") as file:
        file["weights"] = np.zeros(1000)
    assert not up_to_date.is_prepared(config)
    for split, label in itertools.product(("train", "test"), LABELS):
        with files.publish(paths.features("d", split, label)) as path:
            np.savez(path, features=np.zeros(100))
    assert up_to_date.is_prepared(config)
    for file in (paths.classifier("d"), paths.features("d", "test", LABELS[-1])):
        whole = file.read_bytes()
        file.write_bytes(whole[:-10])
        assert not up_to_date.is_prepared(config)
        file.write_bytes(whole)
    assert up_to_date.is_prepared(config)


def test_a_label_with_a_larger_budget_is_not_trained(world):
    config, run, _ = world
    config.train.max_steps += 1
    assert not up_to_date.is_trained(config, run, 1)


@pytest.mark.parametrize(
    ("name", "value"), [("model.width", 8), ("train.seed", 1), ("train.objective", "dcgan"), ("dataset.flip", True)]
)
def test_a_label_with_other_settings_is_not_trained(world, name, value):
    config, run, _ = world
    section, key = name.split(".")
    setattr(getattr(config, section), key, value)
    assert not up_to_date.is_trained(config, run, 1)


def test_a_label_with_other_images_is_not_trained(world):
    config, run, _ = world
    change(DatasetPaths.of(config.dataset).record("train", 1), digest="other")
    assert not up_to_date.is_trained(config, run, 1)
    run.label(0).config.unlink()
    assert not up_to_date.is_trained(config, run, 0)


@pytest.mark.parametrize("changed", [{"step": 99}, {"seconds": 2.0}, {"best_step": 3}, {"state": "running"}])
def test_a_label_trained_further_is_combined_again(world, changed):
    _, run, model = world
    change(run.label(1).status, **changed)
    assert not up_to_date.is_combined(run, model, LABELS)


def test_a_model_of_other_labels_or_a_damaged_one_is_combined_again(world):
    _, run, model = world
    assert not up_to_date.is_combined(run, model, [0])
    (model.saved_model / "saved_model.pb").write_text("gra")
    assert not up_to_date.is_combined(run, model, LABELS)
    (model.saved_model / "saved_model.pb").unlink()
    assert not up_to_date.is_combined(run, model, LABELS)


def test_a_label_with_a_damaged_generator_is_not_trained(world):
    config, run, _ = world
    (run.label(1).generator / "variables/variables.index").unlink()
    assert not up_to_date.is_trained(config, run, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "other"},
        {"num_per_label": 7},
        {"split": "train"},
        {"labels": [0]},
        {"classifier": {"name": "x", "digest": "c", "resize": ""}},
        {"classifier": {"name": "domain", "digest": "before", "resize": ""}},
        {"real_images": "other"},
        {"scores": {"generated": {}, "real": {}}},
        {"scores": 3},
        {"format": 1},
    ],
)
def test_scores_of_something_else_are_computed_again(world, changed):
    config, run, model = world
    change(run.scores, **changed)
    assert not up_to_date.is_evaluated(config, run.scores, model)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"labels": 3}', '{"labels": [3]}', '{"classifier": 3}'])
def test_damaged_files_are_not_up_to_date(world, text):
    config, run, model = world
    for path in (run.scores, model.manifest):
        path.write_text(text)
    assert not up_to_date.is_evaluated(config, run.scores, model)
    assert not up_to_date.is_combined(run, model, LABELS)


def test_is_newer_compares_a_result_with_all_its_sources(tmp_path):
    old, new, missing = tmp_path / "old", tmp_path / "new", tmp_path / "missing"
    for path, seconds in ((old, 100), (new, 200)):
        path.write_text("something")
        os.utime(path, (seconds, seconds))
    assert up_to_date.is_newer(new, old, missing)
    assert not up_to_date.is_newer(old, new)
    assert not up_to_date.is_newer(missing, old)
    new.write_text("")
    assert not up_to_date.is_newer(new, old)


def test_a_file_from_the_future_is_not_up_to_date(tmp_path):
    result, source = tmp_path / "result", tmp_path / "source"
    for path in (source, result):
        path.write_text("something")
    assert up_to_date.is_newer(result, source)
    os.utime(result, (2e10, 2e10))
    assert not up_to_date.is_newer(result, source)


def test_scores_by_a_saved_model_that_was_replaced_are_computed_again(world, tmp_path):
    config, run, model = world
    judge = tmp_path / "judge"
    files.write_text(judge / "saved_model.pb", "graph")
    config.evaluate.classifier = str(judge)
    facts = {"name": str(judge), "digest": classifier_files.digest(judge), "resize": "none"}
    change(run.scores, classifier=facts)
    assert up_to_date.is_evaluated(config, run.scores, model)
    files.write_text(judge / "saved_model.pb", "another graph")
    assert not up_to_date.is_evaluated(config, run.scores, model)
    (judge / "saved_model.pb").unlink()
    assert not up_to_date.is_evaluated(config, run.scores, model)


def test_labels_with_too_few_images_need_no_scores(world):
    config, run, model = world
    change(DatasetPaths.of(config.dataset).record("train", 1), count=49)
    change(run.scores, labels=[0], real_images=prepared.digests(config.dataset, [0]))
    change(run.scores, model=manifest.weights_digest([examples.label_entry(0, step=config.train.max_steps)]))
    config.evaluate.accuracy = False
    assert up_to_date.is_evaluated(config, run.scores, model)
    change(DatasetPaths.of(config.dataset).record("train", 1), count=50)
    assert not up_to_date.is_evaluated(config, run.scores, model)
