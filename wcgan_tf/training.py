"""One label, from its images to its exported generator."""

import contextlib
import signal
from collections.abc import Iterator

import keras
import tensorflow as tf

from wcgan_tf import checkpoint, datasets, devices, export, files, models, monitor
from wcgan_tf.gan import WassersteinGAN
from wcgan_tf.paths import LabelPaths

ADAM_BETAS = (0.0, 0.9)  # Gulrajani 2017, algorithm 1
SEED_STRIDE = 100003  # a prime: initial weights differ between labels and between seeds


def train_label(config, data: datasets.LabelImages, paths: LabelPaths) -> str:
    """Train one label until its budget is spent, or go on where it stopped; write only into its own folder.

    Args:
        config: all settings.
        data: the label's training images.
        paths: the label's folder.

    Returns:
        "done"; "stopped" after SIGINT or SIGTERM, with a checkpoint; or "diverged" after a number that is not finite,
        with the last good checkpoint kept.
    """
    strategy = devices.own(config.train.device)
    with files.only_one(paths.folder):
        checkpoint.claim(paths, config, data)
        return _train(config, data, paths, strategy)


def _train(config, data: datasets.LabelImages, paths: LabelPaths, strategy: tf.distribute.Strategy) -> str:
    keras.utils.set_random_seed((config.train.seed * SEED_STRIDE + data.label) % 2**32)
    with strategy.scope():
        gan = _build(config, data)
        gan.compile(
            generator_optimizer=_adam(config.train.generator_learning_rate),
            critic_optimizer=_adam(config.train.critic_learning_rate),
            steps_per_execution=config.train.steps_per_execution,
            jit_compile=devices.jit_compile(config.train.jit_compile, strategy),
        )
        return _fit(gan, config, data, paths, devices.name(strategy))


def _build(config, data: datasets.LabelImages) -> WassersteinGAN:
    _, side, _, channels = data.images.shape
    generator, critic = models.build(config.model, side, channels)
    average, _ = models.build(config.model, side, channels)
    return WassersteinGAN(
        generator,
        critic,
        average,
        data.images,
        settings=config.train,
        latent_size=config.model.latent_size,
        flip=config.dataset.flip,
        label=data.label,
    )


def _adam(learning_rate: float) -> keras.optimizers.Adam:
    return keras.optimizers.Adam(learning_rate, *ADAM_BETAS)


def _fit(gan, config, data, paths: LabelPaths, device: str) -> str:
    checkpoints = checkpoint.Checkpoints(gan, paths, config.train.checkpoint_seconds)
    resumed = checkpoints.restore()
    progress = monitor.Progress(gan, data.label, data.name)
    recorder = monitor.Recorder(gan, paths, data.label, data.name, device, devices.cpu_threads())
    budget = monitor.Budget(gan, config.train)
    with _stopped_by_signals(budget):
        if budget.spent():
            budget.state = "done"
            progress.say("nothing is left of its budget; give it more train.max_seconds or train.max_steps to go on")
        else:
            going_on = f", goes on from step {int(gan.step)}" if resumed else ""
            progress.say(f"{len(data.images)} images, {device}{going_on}")
            with progress.shown():
                gan.fit(_steps_left(gan), callbacks=[budget, recorder, progress, checkpoints], verbose=0, shuffle=False)
        if budget.state != "diverged":
            checkpoints.save()
            export.export_generator(gan.average, config.model.latent_size, paths.generator)
        recorder.write_status(budget.state)
    progress.say(f"{budget.state} after {int(gan.step)} steps and {float(gan.seconds):.0f} s; see {paths.folder}")
    return budget.state


def _steps_left(gan) -> tf.data.Dataset:
    """As many elements as there are steps left, so that `fit` ends on the step, in mid-execution if need be."""
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune, and its thread takes seconds to end
    if gan.settings.max_steps:
        return tf.data.Dataset.range(int(gan.step), gan.settings.max_steps).with_options(options)
    return tf.data.Dataset.counter().with_options(options)


@contextlib.contextmanager
def _stopped_by_signals(budget: monitor.Budget) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the training in good order."""
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: budget.stop()) for number in wanted]
    try:
        yield
    finally:
        for number, handler in zip(wanted, before, strict=True):
            signal.signal(number, handler)
