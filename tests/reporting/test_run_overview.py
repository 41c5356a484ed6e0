"""The overview of a run: read from its files, without what is damaged or of another model."""

import json

import examples
import pytest

from wcgan_tf.config import Dataset
from wcgan_tf.core import files, records
from wcgan_tf.core.paths import ModelPaths, RunPaths
from wcgan_tf.reporting import run_overview
from wcgan_tf.runs.label_status import Cost, LabelStatus

NAMES = ["cat", "dog", "owl"]
DATASET = Dataset(data_dir="nowhere")
REAL = {"kernel_distance": 0.0, "coverage": 0.96, "nearest_train": 2.0, "variety": 1.0}


@pytest.fixture
def run(tmp_path):
    """Two labels that are trained and scored, the second one worse; a third not begun."""
    run, model = RunPaths(tmp_path / "run"), ModelPaths(tmp_path / "model")
    entries, by_label = [], {}
    for label, distance in ((0, 0.1), (1, 0.9)):
        paths = run.label(label)
        records.write(
            paths.status,
            LabelStatus(state="done", step=40, seconds=3600.0, progress=1.0, threads=2, device="CPU:0"),
        )
        row = {"step": 20, "seconds": 1.0, "wasserstein_estimate": 2.0, "kernel_distance": None}
        files.write_text(paths.metrics, f'{json.dumps(row)}\n{{"step": 30, "sec')
        entries.append(examples.label_entry(label, seconds=3600.0))
        scores = {**REAL, "kernel_distance": distance}
        by_label[label] = examples.label_scores(label, scores, REAL, taken_for={label: 0.9, 2: 0.1})
    records.write(model.manifest, examples.manifest(entries))
    records.write(run.scores, examples.score_report(by_label))
    return run, model


def change(path, **values) -> None:
    records.write(path, {**json.loads(path.read_text()), **values})


def test_the_worst_label_comes_first_and_costs_are_added_up(run):
    known = run_overview.gather(run[0], DATASET, NAMES, run[1])
    assert [own.name for own in known.labels] == ["owl", "dog", "cat"]
    assert [own.verdict.word for own in known.labels] == ["not begun", "fine", "fine"]
    assert known.verdicts() == {"fine": 2, "not begun": 1}
    assert known.cost == Cost(core_hours=4.0, gpu_hours=0.0)
    assert known.scores.labels == [0, 1]
    assert known.scores.scores.generated == {"kernel_distance": 0.5}
    assert known.labels[2].taken_for == {0: 0.9, 2: 0.1}


def test_an_incomplete_row_is_left_out(run):
    (row,) = run_overview.gather(run[0], DATASET, NAMES, run[1]).labels[1].rows
    assert row == {"step": 20, "seconds": 1.0, "wasserstein_estimate": 2.0}


@pytest.mark.parametrize(
    "row",
    [
        {"step": -3, "seconds": 1.0},
        {"step": 30, "seconds": -1.0},
        {"step": 1e308, "seconds": 1.0},
        {"step": 30, "seconds": 1e308},
        {"step": 20000000000000000000, "seconds": 1.0},
    ],
)
def test_impossible_rows_are_left_out(run, row):
    run[0].label(1).metrics.write_text(f"{json.dumps(row)}\n")
    assert run_overview.gather(run[0], DATASET, NAMES, run[1]).labels[1].rows == []


def test_extreme_values_are_left_out(run):
    run[0].label(1).metrics.write_text('{"step": 30, "seconds": 2, "critic_loss": 1.7e308, "kernel_distance": 1.0}\n')
    assert run_overview.gather(run[0], DATASET, NAMES, run[1]).labels[1].rows == [
        {"step": 30, "seconds": 2, "kernel_distance": 1.0}
    ]


def test_the_speed_of_a_label_is_the_median_of_its_training(run):
    """If a label went on for a few steps, its last value means nothing or is missing."""
    rows = [{"step": step, "seconds": step, "images_per_second": speed} for step, speed in ((1, 500), (2, 510), (3, 9))]
    run[0].label(1).metrics.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, {"step": 4, "seconds": 4}]))
    assert run_overview.gather(run[0], DATASET, NAMES, run[1]).labels[1].images_per_second == 500


def test_scores_of_other_weights_are_left_out(run):
    entries = json.loads(run[1].manifest.read_text())["labels"]
    entries[1]["weights_digest"] = "new"
    change(run[1].manifest, labels=entries)
    known = run_overview.gather(run[0], DATASET, NAMES, run[1])
    assert {own.name: own.verdict.word for own in known.labels} == {
        "cat": "fine",
        "dog": "not scored",
        "owl": "not begun",
    }
    assert known.scores is None


@pytest.mark.parametrize(
    ("since", "word"),
    [
        ({"step": 80}, "not scored"),
        ({"seconds": 99.0}, "not scored"),
        ({"best_step": 30}, "not scored"),
        ({"step": 80, "state": "diverged"}, "diverged"),
    ],
)
def test_scores_of_a_label_trained_further_are_left_out(run, since, word):
    change(run[0].label(1).status, **since)
    known = run_overview.gather(run[0], DATASET, NAMES, run[1])
    assert {own.name: (own.verdict.word, own.in_model) for own in known.labels} == {
        "cat": ("fine", True),
        "dog": (word, False),
        "owl": ("not begun", False),
    }
    assert known.uncombined == (word == "not scored")
    if known.uncombined:
        assert known.labels[0].verdict.reason == "its present generator is not in the combined model"
    assert known.scores is None


def test_scores_of_some_labels_are_shown_for_those_only(run):
    change(run[0].scores, by_label={"0": json.loads(run[0].scores.read_text())["by_label"]["0"]})
    change(run[0].scores, model=files.digest_json(["w0"]))
    known = run_overview.gather(run[0], DATASET, NAMES, run[1])
    assert list(known.scores.by_label) == [0]
    assert [own.name for own in known.labels if own.scores] == ["cat"]


@pytest.mark.parametrize(
    "damage",
    [
        {"scores": 3},
        {"by_label": []},
        {"by_label": {"cat": {}}},
        {"images": {}},
        {"by_label": {"0": {"weights_digest": "w0", "scores": "none", "step": 40}}},
        {"images": {"generated": 1e999, "real": 1, "reference": 1}},
    ],
)
def test_damaged_scores_are_no_scores(run, damage):
    change(run[0].scores, **damage)
    known = run_overview.gather(run[0], DATASET, NAMES, run[1])
    assert known.scores is None
    assert "diverged" not in known.verdicts()


def test_without_a_model_or_scores_the_labels_are_still_shown(run, tmp_path):
    run[0].scores.unlink()
    assert run_overview.gather(run[0], DATASET, NAMES, ModelPaths(tmp_path / "none")).verdicts() == {
        "not scored": 2,
        "not begun": 1,
    }


def test_changed_settings_are_those_that_differ():
    settings = {"train": {"batch_size": 64, "critic_steps": 1}, "others": {"shape": [1]}}
    defaults = {"train": {"batch_size": 32, "critic_steps": 1}}
    assert run_overview.changed(settings, defaults) == {"train.batch_size": 64}
