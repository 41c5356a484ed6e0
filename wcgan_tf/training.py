"""One label, from its images to its exported generator."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator

import keras
import tensorflow as tf

from wcgan_tf import checkpoint, datasets, devices, draws, export, files, models, monitor
from wcgan_tf.gan import LabelGAN
from wcgan_tf.objectives import OBJECTIVES, Objective
from wcgan_tf.paths import LabelPaths
from wcgan_tf.signals import StopRequests

SEED_STRIDE = 100003  # a prime: initial weights differ between labels and between seeds


def train_label(config, data: datasets.LabelImages, paths: LabelPaths, stop: StopRequests) -> str:
    """Train one label until its budget is spent, or go on where it stopped; write only into its own folder.

    Args:
        config: all settings.
        data: the label's training images.
        paths: the label's folder.
        stop: tells whether a signal came.

    Returns:
        "done"; "stopped" after a signal, with a checkpoint; or "diverged" after a number that is not finite, with the
        last good checkpoint kept.
    """
    strategy = devices.own(config.train.device)
    with files.only_one(paths.folder), _own_temporary_files(paths):
        checkpoint.claim(paths, config, data)
        for folder in (paths.checkpoints, paths.tensorboard):  # what cannot be written is said before it costs anything
            folder.mkdir(exist_ok=True)
            files.write_text(folder / "writable", "")
            (folder / "writable").unlink()
        gan = build(config, data, strategy)
        progress = monitor.Progress(gan, data.label, data.name)
        try:
            return _fit(gan, config, data, paths, devices.name(strategy), progress, stop)
        finally:
            progress.finish()


def build(config, data: datasets.LabelImages, strategy: tf.distribute.Strategy) -> LabelGAN:
    """The label's GAN as it is before the first step, compiled, its variables on the strategy's device."""
    keras.utils.set_random_seed((config.train.seed * SEED_STRIDE + data.label) % 2**32)
    objective = OBJECTIVES[config.train.objective]
    _, side, _, channels = data.images.shape
    with strategy.scope():
        generator = models.generator(config.model, side, channels, config.train.precision)
        critic = models.critic(config.model, side, channels, config.train.precision, batch_norm=objective.batch_norm)
        _set_weights(objective, [*generator.trainable_variables, *critic.trainable_variables], data.label, config)
        gan = LabelGAN(
            generator,
            critic,
            models.generator(config.model, side, channels),  # the average, which is kept, computes in float32
            data.images,
            objective,
            settings=config.train,
            latent_size=config.model.latent_size,
            flip=config.dataset.flip,
            label=data.label,
        )
        gan.compile(
            generator_optimizer=keras.optimizers.Adam(config.train.generator_learning_rate, *objective.adam_betas),
            critic_optimizer=keras.optimizers.Adam(config.train.critic_learning_rate, *objective.adam_betas),
            steps_per_execution=config.train.steps_per_execution,
            jit_compile=devices.jit_compile(config.train.jit_compile, strategy),
        )
    return gan


def _set_weights(objective: Objective, variables: list, label: int, config) -> None:
    """Draw the kernels around 0, and BatchNorm's scales around 1, where the objective wants that."""
    if objective.weight_deviation is None:
        return
    means = {"kernel": 0.0, "gamma": 1.0}
    for place, variable in enumerate(variables):
        if variable.name in means:
            seed = tf.random.fold_in([config.train.seed, label], place, alg="philox")
            variable.assign(means[variable.name] + objective.weight_deviation * draws.normal(variable.shape, seed))


def _fit(gan, config, data, paths: LabelPaths, device: str, progress: monitor.Progress, stop: StopRequests) -> str:
    checkpoints = checkpoint.Checkpoints(gan, paths, config.train.checkpoint_seconds)
    resumed = checkpoints.restore(progress.say)
    recorder = monitor.Recorder(gan, paths, data.label, data.name, device, devices.cpu_threads())
    budget = monitor.Budget(gan, stop)
    if budget.spent():
        budget.state = "done"
        progress.say("nothing is left of its budget; give it more train.max_seconds or train.max_steps to go on")
        if recorder.was_done() and paths.generator.exists():
            return budget.state
    else:
        going_on = f", goes on from step {int(gan.step)}" if resumed else ""
        progress.say(f"{len(data.images)} images, {recorder.host} {device}{going_on}")

        def farewell():
            recorder.write_status("stopped")
            progress.say("stopped before it took a step; the same command goes on")
            shutil.rmtree(paths.temporary, ignore_errors=True)
            progress.finish()

        stop.ends_at_once(farewell)
        with progress.shown():
            gan.fit(_steps_left(gan), callbacks=[budget, recorder, progress, checkpoints], verbose=0, shuffle=False)
    if budget.state != "diverged":
        checkpoints.save()
        export.export_generator(gan.average, config.model.latent_size, paths.generator)
    recorder.write_status(budget.state)
    and_now = ", the same command goes on" if budget.state == "stopped" else ""
    spent = f"{int(gan.step)} steps and {float(gan.seconds):.0f} s"
    progress.say(f"{budget.state} after {spent}{and_now}; see {paths.folder}")
    return budget.state


def _steps_left(gan) -> tf.data.Dataset:
    """As many elements as there are steps left, so that `fit` ends on the step, in mid-execution if need be."""
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune, and its thread takes seconds to end
    if gan.settings.max_steps:
        return tf.data.Dataset.range(int(gan.step), gan.settings.max_steps).with_options(options)
    return tf.data.Dataset.counter().with_options(options)


@contextlib.contextmanager
def _own_temporary_files(paths: LabelPaths) -> Iterator[None]:
    """Keep what TensorFlow writes on its way in the label's folder, and clear away what a kill has left there."""
    files.clear_leftovers(paths.folder)
    shutil.rmtree(paths.temporary, ignore_errors=True)
    paths.temporary.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(paths.temporary)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(paths.temporary, ignore_errors=True)
