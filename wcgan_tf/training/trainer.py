"""One label, or several in turn, from their images to their exported generators."""

import random

import tensorflow as tf

from wcgan_tf import models
from wcgan_tf.core import files
from wcgan_tf.core import stateless_random as draws
from wcgan_tf.data import prepared as datasets
from wcgan_tf.launching import ranks
from wcgan_tf.models import generator_export as export
from wcgan_tf.runs.label_run import Work
from wcgan_tf.training import callbacks as monitor
from wcgan_tf.training import checkpoint, optimizers
from wcgan_tf.training import device as devices
from wcgan_tf.training.gan import LabelGAN
from wcgan_tf.training.objectives import OBJECTIVES, Objective

SEED_STRIDE = 100003  # a prime: initial weights differ between labels and between seeds


class Trainer:
    """Trains labels one after another on this process's device; the step is traced and compiled for the first only.

    Args:
        config: all settings.
        room: for so many images of a label.
    """

    def __init__(self, config, room: int):
        self._config, self._room = config, room
        self._strategy = devices.own(config.train.device)
        self._gan: LabelGAN | None = None

    def train(self, work: Work) -> str:
        """Train a label until its budget is spent, or go on where it stopped; write only into its own folder.

        Returns:
            "done"; "stopped" after a signal, with a checkpoint; or "diverged" after a number that is not finite, with
            the last good checkpoint kept.
        """
        for folder in (work.paths.checkpoints, work.board):  # what cannot be written costs nothing yet
            folder.mkdir(exist_ok=True)
            files.write_text(folder / "writable", "")
            (folder / "writable").unlink()
        fresh = build(self._config, work.data, self._strategy, self._room)
        first = self._gan is None
        if self._gan is None:
            self._gan = fresh
        else:
            self._gan.become(fresh)
        progress = monitor.Progress(self._gan, work, compiles=first)
        return _fit(self._gan, work, devices.name(self._strategy), progress)


def build(config, data: datasets.LabelImages, strategy: tf.distribute.Strategy, room: int = 0) -> LabelGAN:
    """The label's GAN as it is before the first step, compiled, its variables on the strategy's device.

    Args:
        room: for so many images, where another label may have more than this one.
    """
    # Keras draws from it what initial weights depend on. To seed TensorFlow too would clear what it has compiled.
    random.seed((config.train.seed * SEED_STRIDE + data.label) % 2**32)
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
            room=room,
        )
        gan.compile(
            generator_optimizer=optimizers.Adam(config.train.generator_learning_rate, *objective.adam_betas),
            critic_optimizer=optimizers.Adam(config.train.critic_learning_rate, *objective.adam_betas),
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


def _fit(gan: LabelGAN, work: Work, device: str, progress: monitor.Progress) -> str:
    checkpoints = checkpoint.Checkpoints(gan, work.paths, work.config.train.checkpoint_seconds)
    best = _best(gan, work)
    resumed = checkpoints.restore(work.say)
    recorder = monitor.Recorder(gan, work, device, ranks.cpu_threads())
    budget = monitor.Budget(gan, work.stop)
    if budget.spent():  # it was ended between its last checkpoint and its export
        work.stop.ends_in_good_order()
        budget.state = "done"
    else:
        going_on = f", goes on from step {int(gan.step)}" if resumed else ""
        work.say(f"{len(work.data.images)} images, {recorder.place}, {monitor.now()}{going_on}")
        with progress.shown():
            callbacks = [budget, *best, recorder, progress, checkpoints]
            gan.fit(_steps_left(gan), callbacks=callbacks, verbose=0, shuffle=False)
    if budget.state != "diverged":
        checkpoints.save()
        for scorer in best:
            scorer.score()
            scorer.restore()
        export.export_generator(gan.average, work.config.model.latent_size, work.paths.generator)
    work.heartbeat.end(budget.state)
    and_now = ", the same command goes on" if budget.state == "stopped" else ""
    spent = f"{int(gan.step)} steps and {float(gan.seconds):.0f} s"
    work.say(f"{budget.state} after {spent}{and_now}; see {work.paths.folder}")
    return budget.state


def _best(gan: LabelGAN, work: Work) -> list:
    """What scores the label's generator while it trains, where that is asked for."""
    if not work.config.train.eval_seconds:
        return []
    from wcgan_tf.training.best_weights import Best

    return [Best(gan, work)]


def _steps_left(gan: LabelGAN) -> tf.data.Dataset:
    """As many elements as there are steps left, so that `fit` ends on the step, in mid-execution if need be."""
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune, and its thread takes seconds to end
    if gan.settings.max_steps:
        return tf.data.Dataset.range(int(gan.step), gan.settings.max_steps).with_options(options)
    return tf.data.Dataset.counter().with_options(options)
