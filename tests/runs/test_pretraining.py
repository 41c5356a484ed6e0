"""Whether a run has a pretraining, or needs one."""

import numpy as np
import pytest

from wcgan_tf.core import records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.data import mixture
from wcgan_tf.data.prepared import LabelImages
from wcgan_tf.runs import pretraining, recorded_settings
from wcgan_tf.runs.label_status import LabelStatus


@pytest.fixture
def run(config, tmp_path):
    """A run without anything, of a config with a pretraining."""
    config.train.pretraining = 2.0
    return RunPaths(tmp_path / "run")


def checkpoint(paths) -> None:
    paths.checkpoints.mkdir(parents=True)
    (paths.checkpoints / "ckpt-6.index").touch()


def end(config, run, state: str, step: int = 12) -> None:
    """Write what a pretraining that has ended leaves."""
    images = LabelImages(np.zeros([5, 8, 8, 1], np.uint8), 10, "all labels", "d")
    run.pretraining.folder.mkdir(parents=True)
    recorded_settings.record(run.pretraining, pretraining.own_settings(config), images)
    checkpoint(run.pretraining)
    (run.pretraining.generator / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (run.pretraining.generator / name).touch()
    records.write(run.pretraining.status, LabelStatus(state=state, step=step))


def test_its_budget_is_a_multiple_of_a_labels(config):
    config.train.pretraining, config.train.max_seconds, config.train.eval_seconds = 2.5, 10.0, 3.0
    own = pretraining.own_settings(config)
    assert (own.train.max_steps, own.train.max_seconds, own.train.eval_seconds) == (15, 25.0, 0.0)
    assert (config.train.max_steps, config.train.max_seconds) == (6, 10.0)
    config.train.pretraining, config.train.max_seconds = 0.01, 0.0
    own = pretraining.own_settings(config)
    assert (own.train.max_steps, own.train.max_seconds) == (1, 0.0)


def test_it_is_needed_until_it_is_done(config, run):
    assert pretraining.is_needed(config, run, [3])
    end(config, run, "stopped", step=11)
    assert pretraining.is_needed(config, run, [3])
    records.write(run.pretraining.status, LabelStatus(state="done", step=12))
    assert not pretraining.is_needed(config, run, [3])


def test_it_is_not_needed_by_labels_that_have_begun_or_if_the_config_has_none(config, run):
    checkpoint(run.label(3))
    assert not pretraining.is_needed(config, run, [3])
    assert not pretraining.is_needed(config, run, [])
    assert pretraining.is_needed(config, run, [3, 4])
    config.train.pretraining = 0.0
    assert not pretraining.is_needed(config, run, [3, 4])


def test_it_goes_on_for_a_larger_budget_and_is_refused_for_other_settings(config, run):
    end(config, run, "done")
    for steps, done in ((6, True), (5, True), (7, False)):
        config.train.max_steps = steps
        assert pretraining.is_done(config, run) == done
    config.model.width = 5
    with pytest.raises(UserError, match=r"pretraining holds a training with other settings: model.width \(4 there, 5"):
        pretraining.is_done(config, run)


def test_one_that_saw_other_images_is_refused_by_who_looks(config, run, monkeypatch):
    end(config, run, "done")
    monkeypatch.setattr(mixture, "digest", lambda dataset: "d")
    assert not pretraining.is_needed(config, run, [3], compare_images=True)
    monkeypatch.setattr(mixture, "digest", lambda dataset: "other")
    assert not pretraining.is_needed(config, run, [3])  # a label's process opens no files of other labels
    with pytest.raises(UserError, match="saw other images than those that are prepared now; delete that folder"):
        pretraining.is_needed(config, run, [3], compare_images=True)
    checkpoint(run.label(3))
    assert not pretraining.is_needed(config, run, [3], compare_images=True)


def test_labels_do_not_start_from_one_that_diverged(config, run):
    end(config, run, "diverged")
    with pytest.raises(UserError, match=r"the pretraining in .* diverged; .* or go without it: --config.train.pretr"):
        pretraining.is_needed(config, run, [3])
