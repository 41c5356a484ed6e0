"""The training of one label: what it writes, how it resumes, how it stops."""

import gc
import json
import os
import runpy
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import STEPS, made_once, small_config, train_label

from wcgan_tf.core import errors, records
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.images import to_uint8
from wcgan_tf.core.paths import DatasetPaths, LabelPaths
from wcgan_tf.core.signals import StopRequests
from wcgan_tf.data import prepared
from wcgan_tf.evaluation import domain_classifier, metrics
from wcgan_tf.models.generator_export import read_weights
from wcgan_tf.runs import event_files, label_status, recorded_settings
from wcgan_tf.runs.label_status import LabelStatus
from wcgan_tf.training import checkpoint
from wcgan_tf.training.best_weights import BestScore
from wcgan_tf.training.gan import LabelGAN
from wcgan_tf.training.objectives import OBJECTIVES
from wcgan_tf.training.trainer import Trainer, build

pytestmark = pytest.mark.xdist_group("training")  # the step of equal settings is traced once

TRAIN = Command("train")
SPEED = event_files.TAGS["images_per_second"]  # not in the first row: it needs two
CONFIGS = sorted(Path(__file__).parent.parent.parent.glob("configs/*.py"))


def settings_of(file: Path):
    """The settings of a config file, without the command line."""
    return runpy.run_path(str(file))["get_config"]()


def train(config, folder, label=3, trainer=None):
    data = prepared.label_images(config.dataset, "train", label)
    assert train_label(config, data, LabelPaths(folder), trainer=trainer).startswith("done")
    return LabelPaths(folder)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    return made_once(tmp_path_factory, "trained", lambda folder: train(small_config(folder), folder / "run"))


@pytest.fixture
def trained(trained_once, tmp_path):
    """The label of `train(config, tmp_path / "run")`: it has taken its 6 steps."""
    return LabelPaths(shutil.copytree(trained_once / "run", tmp_path / "run"))


@pytest.fixture(scope="session")
def stopped_once(tmp_path_factory):
    def make(folder):
        config = small_config(folder)
        config.train.learning_rate_decay = "none"
        for config.train.max_steps in (4, 6):
            train(config, folder / "run")

    return made_once(tmp_path_factory, "stopped", make)


@pytest.fixture
def two_checkpoints(config, stopped_once, tmp_path):
    """A label with checkpoints of steps 4, where it stopped, and 6."""
    config.train.learning_rate_decay = "none"
    return LabelPaths(shutil.copytree(stopped_once / "run", tmp_path / "run"))


def state_of(paths: LabelPaths) -> dict[str, np.ndarray]:
    """Every value in the newest checkpoint but the clock and the count of checkpoints."""
    reader = tf.train.load_checkpoint(str(paths.saved_checkpoints()[0]))
    keys = [key for key in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in key]
    keys = [key for key in keys if key.split("/")[0] not in ("seconds", "save_counter")]
    return {key: reader.get_tensor(key) for key in keys}


OWNERS = ("generator", "critic", "average", "generator_optimizer", "critic_optimizer")


def assert_same_state(one: LabelPaths, other: LabelPaths) -> None:
    a, b = state_of(one), state_of(other)
    assert a.keys() == b.keys()
    assert {key.split("/")[0] for key in a} == {*OWNERS, "step", "images"}
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_a_trained_label_leaves_its_files(config, tmp_path):
    paths = train(config, tmp_path / "run")
    status = json.loads(paths.status.read_text())
    assert (status["state"], status["step"], status["label"], status["name"]) == ("done", 6, 3, "3")
    assert status["device"] == "CPU:0"
    row = json.loads(paths.metrics.read_text().splitlines()[-1])
    names = {"wasserstein_estimate", "critic_loss", "gradient_penalty", "gradient_norm", "generator_loss"}
    assert names <= row.keys()
    assert row["step"] == 6
    (events,) = paths.tensorboard("3").iterdir()
    logged = [value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value]
    scalars = {event_files.TAGS[name] for name in names}
    assert scalars | {"generated", "_hparams_/session_start_info"} == set(logged) - {SPEED}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda path: path.stem)
def test_each_config_file_trains_a_few_steps(file, tmp_path):
    config = settings_of(file)
    config.train.max_steps, config.train.max_seconds = 2, 0.0
    config.train.batch_size, config.model.width, config.train.device = 4, 4, "cpu"
    channels = 1 if config.dataset.name in ("digits", "mnist") else 3
    side = config.dataset.resolution
    noise = np.random.default_rng(0).integers(0, 256, [9, side, side, channels], np.uint8)
    data = prepared.LabelImages(noise, 3, "noise", "its digest")
    assert train_label(config, data, LabelPaths(tmp_path)) == "done"
    generate = tf.saved_model.load(str(LabelPaths(tmp_path).generator)).signatures["generate"]
    images = generate(num=tf.constant(2), seed=tf.constant(0, tf.int64))["images"]
    assert images.shape == (2, side, side, channels)


def test_resuming_equals_an_uninterrupted_training(config, two_checkpoints, tmp_path):
    halves, whole = two_checkpoints, train(config, tmp_path / "whole")
    assert_same_state(halves, whole)
    steps = [json.loads(row)["step"] for row in halves.metrics.read_text().splitlines()]
    assert steps == sorted(set(steps))


class StopAfter(StopRequests):
    """A signal that comes after `executions` executions."""

    def __init__(self, executions: int):
        super().__init__()
        self._left = executions

    def ends_in_good_order(self) -> None:  # called at the end of each execution
        super().ends_in_good_order()
        self._left -= 1
        self.received = self._left <= 0


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_20_and_20_steps_equal_40_steps_bit_for_bit(config, tmp_path, objective):
    config.train.objective, config.train.gp_every = objective, 3
    config.train.augment, config.dataset.flip, config.model.batch_deviation = "color,translation,cutout", True, True
    config.train.max_steps = 40
    data = prepared.label_images(config.dataset, "train", 3)
    halves = LabelPaths(tmp_path / "halves")
    assert train_label(config, data, halves, StopAfter(5)) == "stopped"
    assert json.loads(halves.status.read_text())["step"] == 20
    train(config, tmp_path / "halves", trainer=Trainer(config))
    assert_same_state(halves, train(config, tmp_path / "whole"))


def test_a_label_is_the_same_after_others_in_one_process_as_alone(config, tmp_path):
    """It follows a label that resumes from a checkpoint and one with more images, for which the step is traced anew."""
    config.train.objective = "dcgan"  # it has more kinds of variables
    data = {label: prepared.label_images(config.dataset, "train", label) for label in (5, 1, 3)}
    assert len(data[1].images) > len(data[5].images) > len(data[3].images)
    in_turn = {label: LabelPaths(tmp_path / f"in_turn/{label}") for label in data}
    traced, step = [], LabelGAN.train_step
    trainer = Trainer(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelGAN, "train_step", lambda self, elements: traced.append(1) or step(self, elements))
        assert train_label(config, data[5], in_turn[5], StopAfter(1), trainer) == "stopped"
        for label, paths in in_turn.items():
            assert train_label(config, data[label], paths, trainer=trainer) == "done"
    assert len(traced) == 2
    for label in (5, 3):
        alone = Trainer(config)
        assert_same_state(train(config, tmp_path / f"alone/{label}", label, alone), in_turn[label])


def test_a_finished_label_is_recognised_by_its_files(config, trained, tmp_path):
    assert recorded_settings.finished(trained, config)
    config.train.max_steps = 7
    assert not recorded_settings.finished(trained, config)
    config.train.max_steps, config.train.max_seconds = 0, json.loads(trained.status.read_text())["seconds"]
    assert recorded_settings.finished(trained, config)
    shutil.rmtree(trained.generator)
    assert not recorded_settings.finished(trained, config)


def test_a_finished_label_returns_at_once_and_changes_nothing(config, trained, tmp_path):
    rows = trained.metrics.read_text()
    before = state_of(trained)
    train(config, tmp_path / "run")
    assert trained.metrics.read_text() == rows
    np.testing.assert_equal(state_of(trained), before)


def test_other_settings_are_refused_and_named(config, trained, tmp_path):
    config.train.max_steps = 7  # a budget may change
    config.model.width = 8
    config.train.seed = 1
    with pytest.raises(UserError, match=r"model.width \(4 there, 8 here\), train.seed \(0 there, 1 here\)"):
        train(config, tmp_path / "run")
    config.model.width, config.train.seed = 4, 0
    with pytest.raises(UserError, match="other training images"):
        train(config, tmp_path / "run", label=5)


def test_a_generator_without_checkpoints_keeps_its_settings(config, trained, tmp_path):
    shutil.rmtree(trained.checkpoints)
    config.train.seed = 1
    with pytest.raises(UserError, match=r"train.seed \(0 there, 1 here\)"):
        train(config, tmp_path / "run")
    assert recorded_settings.read(trained).train["seed"] == 0


def test_a_generator_without_checkpoints_is_not_replaced_by_a_new_training(config, trained, tmp_path):
    shutil.rmtree(trained.checkpoints)
    status = trained.status.read_bytes()
    train(config, tmp_path / "run")  # its budget is spent
    config.train.max_steps = 7
    with pytest.raises(UserError, match=r"run has a generator, but no checkpoint to go on from; .*delete that folder"):
        train(config, tmp_path / "run")
    assert trained.status.read_bytes() == status
    shutil.rmtree(trained.folder)
    assert json.loads(train(config, tmp_path / "run").status.read_text())["step"] == 7


def cut(file) -> None:
    file.write_bytes(file.read_bytes()[:100])


def test_if_the_newest_checkpoint_is_damaged_the_previous_one_is_restored(config, two_checkpoints, tmp_path, capsys):
    good = state_of(two_checkpoints)
    for file in two_checkpoints.checkpoints.glob("ckpt-6.data*"):
        cut(file)
    shutil.rmtree(two_checkpoints.generator)  # else nothing is left to do
    for stray in ("ckpt-foo.index", "ckpt-5.data-00000-of-00001", "ckpt-5_temp/part"):
        (two_checkpoints.checkpoints / stray).parent.mkdir(exist_ok=True)
        (two_checkpoints.checkpoints / stray).write_text("left by a kill")
    train(config, tmp_path / "run")
    said = capsys.readouterr().out
    assert "checkpoints/ckpt-6 is damaged" in said
    assert "resumes from step 4" in said
    kinds = ("data-00000-of-00001", "index")
    assert {path.name for path in two_checkpoints.checkpoints.iterdir()} == {
        f"ckpt-{s}.{kind}" for s in (4, 6) for kind in kinds
    }
    for key, value in state_of(two_checkpoints).items():
        np.testing.assert_array_equal(value, good[key])


def test_a_damaged_checkpoint_is_not_kept_in_place_of_a_good_one(config, two_checkpoints, tmp_path, device):
    for file in two_checkpoints.checkpoints.glob("ckpt-6.data*"):
        cut(file)
    data = prepared.label_images(config.dataset, "train", 3)
    gan = build(config, data, device)
    checkpoints = checkpoint.Checkpoints(gan, two_checkpoints, 1.0, data.digest)
    assert checkpoints.restore(lambda text: None)
    gan.step.assign(5)
    checkpoints.save()
    assert [path.name for path in two_checkpoints.saved_checkpoints()] == ["ckpt-5", "ckpt-4"]


def test_checkpoints_without_their_settings_are_refused(config, trained, tmp_path):
    for damage in (
        trained.config.unlink,
        lambda: trained.config.write_text("{}"),
        lambda: trained.config.write_text("[]"),
    ):
        damage()
        config.model.width = 5
        with pytest.raises(
            UserError, match=r"config.json, which tells what is in .*run, is missing or damaged; put it back, or delete"
        ):
            train(config, tmp_path / "run")


def test_a_checkpoint_of_another_label_counts_as_damaged(config, two_checkpoints, tmp_path):
    other = LabelPaths(tmp_path / "other")
    train_label(config, prepared.label_images(config.dataset, "train", 4), other)
    for file in other.checkpoints.iterdir():
        shutil.copy(file, two_checkpoints.checkpoints / file.name)
    config.train.max_steps = 8
    train(config, tmp_path / "run")
    log = two_checkpoints.log.read_text()
    assert "checkpoints/ckpt-6 is damaged: it is of a training on other images" in log
    assert "resumes from step 4" in log


def test_a_checkpoint_of_an_older_version_does_not_tell_of_its_images(config, two_checkpoints, tmp_path, device):
    data = prepared.label_images(config.dataset, "train", 3)
    checkpoints = checkpoint.Checkpoints(build(config, data, device), two_checkpoints, 1.0, data.digest)
    checkpoints.restore(pytest.fail)
    newest = two_checkpoints.saved_checkpoints()[0]
    checkpoints._of_older_version.write(str(newest))
    assert checkpoints.restore(pytest.fail)
    assert int(checkpoints._gan.step) == 6


def test_only_two_checkpoints_are_kept(config, two_checkpoints, tmp_path):
    assert [path.name for path in two_checkpoints.saved_checkpoints()] == ["ckpt-6", "ckpt-4"]
    config.train.max_steps = 8
    train(config, tmp_path / "run")
    assert [path.name for path in two_checkpoints.saved_checkpoints()] == ["ckpt-8", "ckpt-6"]


def test_a_file_where_a_folder_should_be_is_an_error_before_any_training(config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/checkpoints").write_text("a file")
    with pytest.raises(FileExistsError, match="checkpoints"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run/metrics.jsonl").exists()


def test_if_all_checkpoints_are_damaged_it_is_an_error_and_they_are_kept(config, two_checkpoints, tmp_path, capsys):
    for file in two_checkpoints.checkpoints.glob("*.data*"):
        cut(file)
    shutil.rmtree(two_checkpoints.generator)
    before = {path: path.read_bytes() for path in two_checkpoints.checkpoints.iterdir()}
    with pytest.raises(UserError, match=r"all checkpoints in .*checkpoints are damaged; delete .* to train it anew"):
        train(config, tmp_path / "run")
    said = capsys.readouterr().out
    assert "ckpt-6 is damaged" in said
    assert "ckpt-4 is damaged" in said
    assert {path: path.read_bytes() for path in two_checkpoints.checkpoints.iterdir()} == before


def test_a_checkpoint_that_cannot_be_read_now_is_not_damaged(config, two_checkpoints, tmp_path, monkeypatch):
    """Else steps would be lost, or the user told to delete them, for an error that passes."""
    read, asked = tf.train.Checkpoint.read, []

    def fail_once(state, path):
        if not asked:
            asked.append(path)
            raise tf.errors.UnknownError(None, None, f"{path}.index; Input/output error")
        return read(state, path)

    shutil.rmtree(two_checkpoints.generator)
    monkeypatch.setattr(tf.train.Checkpoint, "read", fail_once)
    with pytest.raises(tf.errors.UnknownError) as error:
        train(config, tmp_path / "run")
    said, code = errors.problem(error.value)
    assert said.startswith(f"{asked[0]}.index: the disk or the file server fails (input/output error); mend that")
    assert code == errors.FAILED
    train(config, tmp_path / "run")
    assert two_checkpoints.saved_checkpoints()[0].name == "ckpt-6"


def variables_made_by(build) -> tuple[object, list[tf.Variable]]:
    """The result of `build`, and every TensorFlow variable that it has created."""
    gc.collect()
    before = {id(thing) for thing in gc.get_objects() if isinstance(thing, tf.Variable)}
    made = build()
    return made, [thing for thing in gc.get_objects() if isinstance(thing, tf.Variable) and id(thing) not in before]


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_a_checkpoint_restores_every_variable(config, tmp_path, device, objective):
    """Each gets a number of its own, is saved, overwritten and restored."""
    config.train.objective, config.model.architecture = objective, "resnet"
    data = prepared.label_images(config.dataset, "train", 3)
    gan, variables = variables_made_by(lambda: build(config, data, device))
    of_metrics = {id(variable.value) for metric in gan.metrics for variable in metric.variables}
    of_data = {id(variable) for variable in (gan.images, gan.count, gan.label, gan.learning_rate_factor)}
    variables = [variable for variable in variables if id(variable) not in of_metrics | of_data]
    assert len(variables) > 100

    def fill(numbers):
        for variable, number in zip(variables, numbers, strict=True):
            variable.assign(tf.cast(tf.fill(variable.shape, number), variable.dtype))

    paths = LabelPaths(tmp_path / "run")
    paths.checkpoints.mkdir(parents=True)
    paths.config.touch()
    checkpoints = checkpoint.Checkpoints(gan, paths, 1.0, "d")
    fill(range(len(variables)))
    checkpoints.save()
    fill(len(variables) * [-1])
    assert checkpoints.restore(pytest.fail)
    for number, variable in enumerate(variables):
        np.testing.assert_array_equal(variable, tf.fill(variable.shape, number), err_msg=variable.name)


def test_a_kill_during_the_first_checkpoint_leaves_none(config, tmp_path, device, monkeypatch):
    paths = LabelPaths(tmp_path / "run")
    paths.checkpoints.mkdir(parents=True)
    paths.config.touch()
    data = prepared.label_images(config.dataset, "train", 3)
    checkpoints = checkpoint.Checkpoints(build(config, data, device), paths, 1.0, "d")
    write = tf.train.Checkpoint.write

    def killed(state, prefix):
        write(state, prefix)
        for file in Path(prefix).parent.glob("*"):
            cut(file)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tf.train.Checkpoint, "write", killed)
        checkpoints.save()
    assert not checkpoints.restore(pytest.fail)
    checkpoints.save()
    assert checkpoints.restore(pytest.fail)
    assert {file.suffix for file in paths.checkpoints.iterdir()} == {".index", ".data-00000-of-00001"}


def test_a_checkpoint_is_on_the_disk_before_an_older_one_is_deleted(config, tmp_path, device, disk_calls):
    paths = LabelPaths(tmp_path / "run")
    paths.checkpoints.mkdir(parents=True)
    paths.config.touch()
    gan = build(config, prepared.label_images(config.dataset, "train", 3), device)
    checkpoints = checkpoint.Checkpoints(gan, paths, 1.0, "d")
    for step in (1, 2, 3):
        gan.step.assign(step)
        disk_calls.clear()
        checkpoints.save()
    data, index = "ckpt-3.data-00000-of-00001", "ckpt-3.index"
    flushed = [f"flush {data}", f"rename {data}", f"flush {index}", f"rename {index}", "flush checkpoints"]
    assert disk_calls[:5] == flushed
    assert sorted(disk_calls[5:]) == ["delete ckpt-1.data-00000-of-00001", "delete ckpt-1.index"]


def test_a_full_disk_is_said_before_the_first_step(config, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        full(patch)
        with pytest.raises(OSError, match="No space left on device") as caught:
            train(config, tmp_path / "run")
    assert errors.problem(caught.value)[0].startswith(f"{tmp_path}/run/checkpoints: no space is left on the device")
    status = label_status.read(LabelPaths(tmp_path / "run").status)
    assert (status.state, status.step) == ("failed", 0)
    assert label_status.read(train(config, tmp_path / "run").status).state == "done"


def full(patch: pytest.MonkeyPatch) -> None:
    """The disk has 1,000 bytes left, which is less than a checkpoint of the small networks here."""
    disk = types.SimpleNamespace(f_bavail=1, f_bfree=1, f_blocks=100, f_frsize=1000)
    patch.setattr(os, "statvfs", lambda folder: disk)


def test_the_exported_generator_is_the_average(config, tmp_path, device):
    config.model.latent_size = 5
    paths = train(config, tmp_path / "run")
    data = prepared.label_images(config.dataset, "train", 3)
    gan = build(config, data, device)
    checkpoint.Checkpoints(gan, paths, 1.0, data.digest).restore(pytest.fail)
    latents = tf.random.stateless_normal([9, 5], [1, 2])
    exported = tf.saved_model.load(str(paths.generator)).signatures["serving_default"](latents=latents)["images"]
    np.testing.assert_array_equal(exported, to_uint8(gan.average(latents, training=False)))
    assert not np.array_equal(exported, to_uint8(gan.generator(latents, training=False)))


def test_a_row_without_a_penalty_has_none(config, tmp_path):
    """Of two rows, one for each step, only the first has a step with a penalty."""
    config.train.gp_every, config.train.max_steps, config.train.steps_per_execution = 2, 2, 1
    rows = [json.loads(row) for row in train(config, tmp_path / "run").metrics.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    for name in ("gradient_penalty", "gradient_norm"):
        assert rows[0][name] > 0
        assert rows[1][name] is None
    logged = [
        value.tag
        for file in (tmp_path / "run/3").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    ]
    assert logged.count(event_files.TAGS["gradient_penalty"]) == 1
    assert logged.count(event_files.TAGS["critic_loss"]) == 2


def test_leftovers_of_a_kill_are_deleted(config, tmp_path):
    folder = tmp_path / "run"
    for name in (".status.json.abc", "temporary"):
        (folder / name).mkdir(parents=True)
        (folder / name / "half").write_text("half a file")
    for name in ("checkpoints", "3"):
        (folder / name).mkdir()
        (folder / name / ".writable.abc").touch()
    train(config, folder)
    assert not list(folder.rglob(".*"))
    assert not (folder / "temporary").exists()


def test_rows_after_the_checkpoint_and_torn_rows_are_dropped(config, trained, tmp_path):
    rows = trained.metrics.read_text()
    trained.metrics.write_text(rows + json.dumps({"step": 99}) + '\n{"step": 3, "sec')
    config.train.max_steps = 8
    train(config, tmp_path / "run")
    assert trained.metrics.read_text().startswith(rows)
    added = trained.metrics.read_text()[len(rows) :].splitlines()
    assert [json.loads(row)["step"] for row in added] == [8]


@pytest.mark.parametrize("where", ["critic", "generator"])
def test_a_number_that_is_not_finite_ends_the_label_and_keeps_its_checkpoint(config, trained, where):
    good = state_of(trained)
    config.train.max_steps = 50
    data = prepared.label_images(config.dataset, "train", 3)
    restore = checkpoint.Checkpoints.restore

    def poisoned(self, say):
        found = restore(self, say)
        weight = getattr(self._gan, where).trainable_variables[0]
        weight.assign(weight * np.nan)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint.Checkpoints, "restore", poisoned)
        assert train_label(config, data, trained) == "diverged"
    assert json.loads(trained.status.read_text())["state"] == "diverged"
    for key, value in state_of(trained).items():
        np.testing.assert_array_equal(value, good[key])


def test_weights_that_are_not_finite_end_the_label_before_its_losses_show_it(config, trained, monkeypatch):
    config.train.max_steps = 50
    data = prepared.label_images(config.dataset, "train", 3)
    monkeypatch.setattr(LabelGAN, "finite", lambda self: tf.constant(False))
    assert train_label(config, data, trained, trainer=Trainer(config)) == "diverged"
    assert json.loads(trained.status.read_text())["step"] == 6 + config.train.steps_per_execution


def test_a_checkpoint_that_is_larger_than_files_may_be_is_an_error_that_says_so(config, tmp_path, device, monkeypatch):
    """TensorFlow's word for it is one that Keras takes for the end of the data."""
    paths = LabelPaths(tmp_path / "run")
    data = prepared.label_images(config.dataset, "train", 3)

    def too_large(*_):
        raise tf.errors.OutOfRangeError(None, None, "; File too large")

    monkeypatch.setattr(tf.train.Checkpoint, "write", too_large)
    config.train.checkpoint_seconds = 0.0
    with pytest.raises(OSError, match="File too large") as error:
        train_label(config, data, paths)
    assert error.value.filename.endswith("run/checkpoints/ckpt-4")
    words = "ckpt-4: a file may not become that large; raise ulimit -f, and the same command resumes"
    assert errors.problem(error.value)[0].endswith(words)


def test_a_label_whose_folder_is_moved_ends_and_leaves_no_second_one(config, tmp_path, monkeypatch):
    paths, elsewhere = LabelPaths(tmp_path / "run"), LabelPaths(tmp_path / "elsewhere")
    data = prepared.label_images(config.dataset, "train", 3)
    config.train.max_steps, config.train.checkpoint_seconds = 400, 0.0
    save = checkpoint.Checkpoints.save

    def move_before_the_third(self):
        if len(paths.saved_checkpoints()) == 2:
            paths.folder.rename(elsewhere.folder)
        save(self)

    monkeypatch.setattr(checkpoint.Checkpoints, "save", move_before_the_third)
    with pytest.raises(UserError, match=r"run was moved or deleted while its label trained"):
        train_label(config, data, paths)
    assert len(elsewhere.saved_checkpoints()) == 2
    assert not paths.checkpoints.exists()
    assert not paths.config.exists()


def test_a_label_that_was_killed_before_its_first_checkpoint_begins_anew_and_says_so(config, tmp_path):
    paths = LabelPaths(tmp_path / "run")
    records.write(paths.status, LabelStatus(state="running", label=3, step=70))
    with tf.summary.create_file_writer(str(paths.tensorboard("3"))).as_default():
        tf.summary.image("generated", np.zeros([1, 9, 9, 1]), 1)  # perhaps of another size
    assert train_label(config, prepared.label_images(config.dataset, "train", 3), paths) == "done"
    assert ", begins anew: there was no checkpoint yet" in paths.log.read_text()
    steps = [step for step, _ in event_files.read_images(paths.tensorboard("3"), event_files.PICTURES)]
    assert steps
    assert 1 not in steps


def test_without_scores_the_last_weights_are_not_taken_for_those_of_the_best_step(config, tmp_path):
    """After a training with `eval_seconds`, which is off now."""
    paths = LabelPaths(tmp_path / "run")
    records.write(paths.status, LabelStatus(state="done", label=3, step=4, best_step=4, best_kernel_distance=0.5))
    assert train_label(config, prepared.label_images(config.dataset, "train", 3), paths) == "done"
    assert json.loads(paths.trained.read_text())["best_step"] is None
    assert json.loads(paths.status.read_text())["best_kernel_distance"] is None


def test_a_generator_that_cannot_be_replaced_is_an_error_before_the_first_step(config, trained, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != trained.generator and access(path, mode))
    config.train.max_steps = 50
    with pytest.raises(PermissionError) as error:
        train_label(config, prepared.label_images(config.dataset, "train", 3), trained)
    assert error.value.filename == str(trained.generator)
    assert json.loads(trained.status.read_text())["step"] == 6


def test_a_training_that_ends_before_its_budget_is_an_error(config, trained, monkeypatch):
    """As Keras ends it if TensorFlow reads a truncated program from XLA's cache."""
    good = state_of(trained)
    config.train.max_steps = 50
    monkeypatch.setattr("wcgan_tf.training.trainer._endless", lambda: tf.data.Dataset.range(1))
    with pytest.raises(UserError, match="ended the training at step 10, before its budget"):
        train_label(config, prepared.label_images(config.dataset, "train", 3), trained)
    assert json.loads(trained.status.read_text())["state"] == "failed"
    for key, value in state_of(trained).items():
        np.testing.assert_array_equal(value, good[key])


@pytest.fixture
def judge(config, digits):
    """The digest of the digits' domain classifier; its features are cached."""
    shutil.copytree(digits / "data", config.dataset.data_dir)
    return json.loads(DatasetPaths.of(config.dataset).domain.read_text())["digest"]


def test_the_generator_that_scored_best_is_exported(config, judge, tmp_path, monkeypatch):
    scores = iter([0.3, 0.1, 0.2, 0.4, 0.5])
    monkeypatch.setattr(metrics, "kernel_distance", lambda *_: next(scores))
    config.train.steps_per_execution, config.train.eval_seconds = 2, 1e-6
    paths = train(config, tmp_path / "run")  # scored after steps 2, 4 and, at the end, 6
    images = prepared.label_images(config.dataset, "train", 3).digest
    assert records.read(paths.best_score, BestScore, TRAIN) == BestScore(0.1, 4, judge, images)
    best = tf.train.load_checkpoint(str(paths.best / "weights"))
    exported = read_weights(paths.generator, TRAIN)
    for place, values in enumerate(exported):
        np.testing.assert_array_equal(values, best.get_tensor(f"average/{place}/.ATTRIBUTES/VARIABLE_VALUE"))
    last = tf.train.load_checkpoint(str(paths.saved_checkpoints()[0]))
    assert any(
        not np.array_equal(values, last.get_tensor(f"average/{place}/.ATTRIBUTES/VARIABLE_VALUE"))
        for place, values in enumerate(exported)
    )
    status = json.loads(paths.status.read_text())
    assert (status["step"], status["best_step"], status["best_kernel_distance"]) == (6, 4, 0.1)
    assert json.loads(paths.metrics.read_text().splitlines()[-1])["kernel_distance"] == 0.1
    config.train.max_steps = 8
    train(config, tmp_path / "run")  # none of its scores is better
    assert json.loads((paths.best / "score.json").read_text())["step"] == 4
    assert json.loads(paths.status.read_text())["best_step"] == 4
    for one, other in zip(exported, read_weights(paths.generator, TRAIN), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_best_weights_of_a_training_without_a_checkpoint_are_not_taken(config, judge, tmp_path):
    """It was killed after its first score, and its settings may have been others."""
    config.train.eval_seconds = 1000.0
    (tmp_path / "run/best").mkdir(parents=True)
    records.write(tmp_path / "run/best/score.json", {"kernel_distance": -1e9, "step": 2, "classifier": judge})
    paths = train(config, tmp_path / "run")
    assert json.loads((paths.best / "score.json").read_text())["step"] == 6
    assert json.loads(paths.status.read_text())["best_step"] == 6


def test_a_label_with_too_few_images_for_scores_is_trained_without(config, judge, tmp_path, monkeypatch, capsys):
    config.train.eval_seconds = 1e-6
    monkeypatch.setattr(domain_classifier, "held_out", lambda places: np.arange(len(places)) < 9)
    paths = train(config, tmp_path / "run")
    assert "9 images are held out for scores, which want 10: the last weights are exported" in capsys.readouterr().out
    assert not paths.best.exists()
    assert paths.generator.is_dir()


def test_the_best_weights_of_another_classifier_are_replaced(config, judge, tmp_path):
    config.train.eval_seconds = 1000.0
    paths = train(config, tmp_path / "run")
    records.write(paths.best / "score.json", {"kernel_distance": -1e9, "step": 2, "classifier": "another"})
    config.train.max_steps = 8
    train(config, tmp_path / "run")
    record = json.loads((paths.best / "score.json").read_text())
    assert (record["step"], record["classifier"]) == (8, judge)


def test_the_best_weights_of_another_label_are_replaced(config, judge, tmp_path):
    config.train.eval_seconds = 1000.0
    paths = train(config, tmp_path / "run")
    score = {"kernel_distance": -1e9, "step": 2, "classifier": judge, "images": "those of another"}
    records.write(paths.best / "score.json", score)
    config.train.max_steps = 8
    train(config, tmp_path / "run")
    assert json.loads((paths.best / "score.json").read_text())["step"] == 8


def test_damaged_best_weights_are_an_error_and_without_them_the_last_are_taken(config, judge, tmp_path):
    config.train.eval_seconds = 1000.0
    paths = train(config, tmp_path / "run")
    cut(paths.best / "weights.data-00000-of-00001")
    score = json.loads((paths.best / "score.json").read_text())
    records.write(paths.best / "score.json", {**score, "kernel_distance": -1e9})
    config.train.max_steps = 8
    with pytest.raises(UserError, match=r"run/best, the weights with the best score, is damaged; delete it to take"):
        train(config, tmp_path / "run")
    shutil.rmtree(paths.best)
    assert label_status.read(train(config, tmp_path / "run").status).state == "done"


def test_scoring_while_training_needs_the_features_of_prepare(config, tmp_path):
    config.train.eval_seconds = 1.0
    with pytest.raises(UserError, match=r"domain.json; run: python -m wcgan_tf.prepare --classifier=domain"):
        train(config, tmp_path / "run")
    paths = DatasetPaths.of(config.dataset)
    records.write(paths.domain, {"digest": "d", "labels": 10})
    with pytest.raises(UserError, match=r"sees in label 3 is missing or damaged; run: .*--classifier=domain"):
        train(config, tmp_path / "run")


def room_for(monkeypatch, batch_size: int) -> None:
    """A device whose memory is enough for so many images."""
    draw = LabelGAN._draw

    def checked(gan):
        if gan.settings.batch_size > batch_size:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[8,32,8,8]")
        return draw(gan)

    monkeypatch.setattr(LabelGAN, "_draw", checked)


@pytest.mark.parametrize("batch_size", [8, 3])
def test_if_the_device_has_too_little_memory_the_batch_size_that_fits_is_told(
    config, tmp_path, monkeypatch, batch_size
):
    config.train.batch_size = batch_size
    room_for(monkeypatch, 2)
    problem = rf"CPU:0 has no memory for train.batch_size={batch_size} at model.width=4"
    words = rf"{problem}; type --config.train.batch_size=2, which fits, or"
    with pytest.raises(UserError, match=words):
        train(config, tmp_path / "run", trainer=Trainer(config))  # of its own, which traces the step
    status = json.loads(LabelPaths(tmp_path / "run").status.read_text())
    assert status["state"] == "failed"
    assert "which fits" in status["error"]
    config.train.batch_size = 2
    train(config, tmp_path / "run")


def test_if_no_batch_fits_a_smaller_width_is_advised(config, tmp_path, monkeypatch):
    room_for(monkeypatch, 1)
    with pytest.raises(UserError, match=r"no memory for .* at model.width=4; type a smaller --config.model.width, or"):
        train(config, tmp_path / "run", trainer=Trainer(config))
    config.model.critic_width = 5
    with pytest.raises(UserError, match=r"at model.critic_width=5; type a smaller --config.model.critic_width, or"):
        train(config, tmp_path / "wide", trainer=Trainer(config))


def test_the_compilation_of_the_step_is_not_taken_from_the_budget(config, tmp_path):
    """It takes seconds."""
    config.train.jit_compile, config.train.max_steps, config.train.max_seconds = "on", 0, 0.5
    config.train.steps_per_execution = 1
    paths = train(config, tmp_path / "run", trainer=Trainer(config))
    assert json.loads(paths.status.read_text())["step"] > 1


def test_nor_if_the_label_before_it_was_only_exported(config, trained, tmp_path):
    shutil.rmtree(trained.generator)
    trainer = Trainer(config)
    train(config, tmp_path / "run", trainer=trainer)
    other = train(config, tmp_path / "other", label=5, trainer=trainer)
    third = train(config, tmp_path / "third", label=7, trainer=trainer)
    assert "tracing the step" in other.log.read_text()
    assert "tracing the step" not in third.log.read_text()


def test_the_next_label_of_a_process_compiles_nothing(tmp_path):
    """XLA dumps each program that it compiles: the step, once."""
    environment = {**os.environ, "XLA_FLAGS": f"--xla_dump_to={tmp_path}/xla"}
    command = [sys.executable, "-m", "wcgan_tf.train", "--label=3,4", "--config.train.jit_compile=on", *STEPS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "label 3: tracing and compiling the step" in done.stdout
    assert "label 4: done after 20 steps" in done.stdout
    assert len(list((tmp_path / "xla").glob("*before_optimizations.txt"))) == 1
