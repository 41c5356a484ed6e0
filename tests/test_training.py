"""One label in a process of its own: what it leaves behind, how it goes on, how it stops."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from conftest import run

from wcgan_tf import checkpoint, datasets, training
from wcgan_tf.errors import UserError
from wcgan_tf.paths import LabelPaths


def train(config, folder, label=3):
    data = datasets.label_images(config.dataset, "train", label, "")
    state = training.train_label(config, data, LabelPaths(folder))
    assert state == "done"
    return LabelPaths(folder)


def state_of(paths: LabelPaths) -> dict[str, np.ndarray]:
    """Every value in the newest checkpoint but the clock and the count of checkpoints."""
    reader = tf.train.load_checkpoint(str(paths.checkpoints))
    keys = [key for key in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in key]
    keys = [key for key in keys if key.split("/")[0] not in ("seconds", "save_counter")]
    return {key: reader.get_tensor(key) for key in keys}


def assert_same_state(one: LabelPaths, other: LabelPaths) -> None:
    a, b = state_of(one), state_of(other)
    assert a.keys() == b.keys()
    assert len(a) > 20
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_what_a_label_leaves_behind(config, tmp_path):
    paths = train(config, tmp_path / "run")
    status = json.loads(paths.status.read_text())
    assert (status["state"], status["step"], status["label"], status["name"]) == ("done", 6, 3, "3")
    assert status["device"] == "CPU:0"
    row = json.loads(paths.metrics.read_text().splitlines()[-1])
    names = {"wasserstein_estimate", "critic_loss", "gradient_penalty", "gradient_norm", "generator_loss"}
    assert names <= row.keys()
    assert row["step"] == 6
    events = [value for file in paths.tensorboard.iterdir() for value in scalars_and_images(str(file))]
    assert names | {"generated"} <= set(events)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def scalars_and_images(file: str):
    for event in tf.compat.v1.train.summary_iterator(file):
        yield from (value.tag for value in event.summary.value)


def test_going_on_is_the_same_as_never_having_stopped(config, tmp_path):
    config.train.max_steps, config.train.learning_rate_decay = 4, "none"
    train(config, tmp_path / "halves")
    config.train.max_steps = 8
    halves = train(config, tmp_path / "halves")
    whole = train(config, tmp_path / "whole")
    assert_same_state(halves, whole)
    steps = [json.loads(row)["step"] for row in halves.metrics.read_text().splitlines()]
    assert steps == sorted(set(steps))


def test_a_label_is_the_same_after_another_as_alone(config, tmp_path):
    alone = train(config, tmp_path / "alone")
    train(config, tmp_path / "other", label=5)
    assert_same_state(alone, train(config, tmp_path / "after"))


def test_a_finished_label_returns_at_once_and_changes_nothing(config, tmp_path):
    paths = train(config, tmp_path / "run")
    rows = paths.metrics.read_text()
    before = state_of(paths)
    train(config, tmp_path / "run")
    assert paths.metrics.read_text() == rows
    np.testing.assert_array_equal(before["step/.ATTRIBUTES/VARIABLE_VALUE"], 6)


def test_other_settings_are_refused_and_named(config, tmp_path):
    train(config, tmp_path / "run")
    config.train.max_steps = 7  # a budget may change
    config.model.width = 8
    config.train.seed = 1
    with pytest.raises(UserError, match=r"model.width \(4 there, 8 here\), train.seed \(0 there, 1 here\)"):
        train(config, tmp_path / "run")
    config.model.width, config.train.seed = 4, 0
    with pytest.raises(UserError, match="other training images"):
        train(config, tmp_path / "run", label=5)


def test_a_damaged_checkpoint_is_named_and_kept(config, tmp_path):
    paths = train(config, tmp_path / "run")
    for file in paths.checkpoints.glob("*.data*"):
        file.write_bytes(file.read_bytes()[:100])
    before = sorted(paths.checkpoints.iterdir())
    with pytest.raises(
        UserError, match=r"checkpoints/ckpt-6 is damaged .* delete .*checkpoints to train the label anew"
    ):
        train(config, tmp_path / "run")
    assert sorted(paths.checkpoints.iterdir()) == before


def test_rows_after_the_checkpoint_and_torn_rows_are_dropped(config, tmp_path):
    paths = train(config, tmp_path / "run")
    rows = paths.metrics.read_text()
    paths.metrics.write_text(rows + json.dumps({"step": 99}) + '\n{"step": 3, "sec')
    config.train.max_steps = 8
    train(config, tmp_path / "run")
    assert paths.metrics.read_text().startswith(rows)
    added = paths.metrics.read_text()[len(rows) :].splitlines()
    assert [json.loads(row)["step"] for row in added] == [8]


def test_a_number_that_is_not_finite_ends_the_label_and_keeps_its_checkpoint(config, tmp_path):
    paths = train(config, tmp_path / "run")
    good = state_of(paths)
    config.train.max_steps = 50
    data = datasets.label_images(config.dataset, "train", 3, "")
    restore = checkpoint.Checkpoints.restore

    def poisoned(self):
        found = restore(self)
        self._gan.critic.trainable_variables[0].assign(self._gan.critic.trainable_variables[0] * np.nan)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint.Checkpoints, "restore", poisoned)
        assert training.train_label(config, data, paths) == "diverged"
    assert json.loads(paths.status.read_text())["state"] == "diverged"
    for key, value in state_of(paths).items():
        np.testing.assert_array_equal(value, good[key])


def test_a_signal_saves_and_the_next_start_goes_on(tmp_path):
    arguments = ["--label=3", "--workdir=run", "--config.model.width=4", "--config.train.max_seconds=300"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "wcgan_tf.train", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200"},
        text=True,
    )
    paths = LabelPaths(tmp_path / "run/labels/00003")
    deadline = time.monotonic() + 60
    while not paths.status.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 75, output
    status = json.loads(paths.status.read_text())
    assert status["state"] == "stopped"
    assert status["step"] > 0
    step = str(status["step"])
    again = run("train", *arguments, f"--config.train.max_steps={int(step) + 10}", folder=tmp_path)
    assert f"goes on from step {step}" in again.stdout
    assert json.loads(paths.status.read_text())["step"] == int(step) + 10
