"""A label that diverges goes back once, if its settings say so; others end (test_trainer.py)."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import train_label

from wcgan_tf.core import records
from wcgan_tf.core.errors import DamagedError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.data import prepared
from wcgan_tf.training import checkpoint
from wcgan_tf.training.divergence import Divergence


@pytest.fixture
def data(config):
    return prepared.label_images(config.dataset, "train", 3)


@pytest.fixture
def paths(tmp_path):
    return LabelPaths(tmp_path / "run")


def weights_of(paths: LabelPaths) -> dict[str, np.ndarray]:
    """Every value in the newest checkpoint but the clock and the count of checkpoints."""
    reader = tf.train.load_checkpoint(str(paths.saved_checkpoints()[0]))
    keys = [key for key in reader.get_variable_to_shape_map() if key.endswith("VARIABLE_VALUE")]
    return {key: reader.get_tensor(key) for key in keys if key.split("/")[0] not in ("seconds", "save_counter")}


def test_after_a_checkpoint_it_goes_back_to_that_and_on_with_lower_learning_rates(config, data, paths, monkeypatch):
    train_label(config, data, paths)
    config.train.max_steps, config.train.after_divergence = 50, 0.5
    restore, times = checkpoint.Checkpoints.restore, []

    def poisoned(self, say):
        times.append(restore(self, say))
        if len(times) != 2:
            weight = self._gan.critic.trainable_variables[0]
            weight.assign(weight * np.nan)
        return times[-1]

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoints, "restore", poisoned)
        assert train_label(config, data, paths) == "done"
        config.train.max_steps = 60
        assert train_label(config, data, paths) == "diverged"  # the second time
    assert times == 3 * [True]
    known, status = json.loads(paths.divergence.read_text()), json.loads(paths.status.read_text())
    assert (known["step"], known["back_to"]) == (6 + config.train.steps_per_execution, 6)
    assert status["seconds"] > known["seconds"]
    log = paths.log.read_text()
    assert "not finite after step 10; goes back once, to step 6, and on with 0.5 times the learning rates" in log
    assert log.count("0.5 times the learning rates, since it diverged at step 10") == 2
    rows = [json.loads(row)["step"] for row in paths.metrics.read_text().splitlines()]
    assert rows == sorted(set(rows))


def test_before_its_first_checkpoint_it_begins_anew_with_lower_learning_rates(config, data, paths, tmp_path):
    """These rates are powers of two, and after them like the ones of an undisturbed training, bit for bit."""
    factor, rates = 2.0**-100, {"generator_learning_rate": 2.0**90, "critic_learning_rate": 2.0**89}
    for name, value in rates.items():
        setattr(config.train, name, value * factor)
    undisturbed = LabelPaths(tmp_path / "undisturbed")
    train_label(config, data, undisturbed)
    for name, value in rates.items():
        setattr(config.train, name, value)
    assert train_label(config, data, paths) == "diverged"
    config.train.after_divergence = factor
    assert train_label(config, data, paths) == "done"
    assert json.loads(paths.divergence.read_text())["back_to"] == 0
    expected = weights_of(undisturbed)
    assert len(expected) > 20
    for key, value in weights_of(paths).items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)


def test_that_of_a_training_whose_checkpoints_are_gone_is_forgotten(config, data, paths):
    config.train.after_divergence = 0.5
    records.write(paths.divergence, Divergence(step=9, seconds=5.0, back_to=4))
    assert train_label(config, data, paths) == "done"
    assert not paths.divergence.exists()
    assert "times the learning rates" not in paths.log.read_text()


@pytest.mark.parametrize("change", ["settings", "images"])
def test_that_of_a_training_with_other_settings_or_images_is_forgotten(config, data, paths, change):
    train_label(config, data, paths)
    for folder in (paths.checkpoints, paths.generator):
        shutil.rmtree(folder)
    records.write(paths.divergence, Divergence(step=7, seconds=900.0, back_to=0))
    config.train.after_divergence, config.train.max_seconds = 0.5, 1000.0
    if change == "settings":
        config.train.critic_learning_rate /= 2
    else:
        data = prepared.label_images(config.dataset, "train", 4)
    assert train_label(config, data, paths) == "done"
    assert json.loads(paths.status.read_text())["seconds"] < 900.0
    assert not paths.divergence.exists()


def test_a_damaged_one_is_an_error(config, data, paths):
    """It would be another training, in silence, with the learning rates of before."""
    paths.folder.mkdir()
    paths.divergence.write_text("{}")
    with pytest.raises(DamagedError, match=r"divergence.json is damaged, .*; delete it and run: .*train --label=3"):
        train_label(config, data, paths)


def test_a_label_that_follows_in_the_same_process_has_its_own_learning_rates(config, data, tmp_path):
    config.train.after_divergence = 0.5
    after = [LabelPaths(tmp_path / name) for name in ("alone", "after")]
    for paths in after:
        assert train_label(config, data, paths) == "done"
        diverged = LabelPaths(tmp_path / "diverged")
        records.write(diverged.divergence, Divergence(step=9, seconds=5.0, back_to=0))
        assert train_label(config, data, diverged) == "done"
        assert "0.5 times the learning rates" in diverged.log.read_text()
        shutil.rmtree(diverged.folder)
    alone, last = map(weights_of, after)
    for key, value in last.items():
        np.testing.assert_array_equal(value, alone[key], err_msg=key)
