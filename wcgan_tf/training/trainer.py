"""One label, or several in turn, from their images to their exported generators."""

import copy
import functools
import gc
import random
import shutil
import time

import keras
import msgspec
import numpy as np
import tensorflow as tf

from wcgan_tf import models
from wcgan_tf.config import Config
from wcgan_tf.core import files, machine, stateless_random
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.data import prepared
from wcgan_tf.evaluation.enough import FEWEST
from wcgan_tf.launching.gpus import unseen
from wcgan_tf.models.generator_export import export_generator, weights_digest
from wcgan_tf.runs import event_files
from wcgan_tf.runs.label_run import LabelRun
from wcgan_tf.training import divergence, optimizers
from wcgan_tf.training.best_weights import BestWeights
from wcgan_tf.training.callbacks import Budget, MetricsWriter, ProgressLogger
from wcgan_tf.training.checkpoint import Checkpoints, start_from
from wcgan_tf.training.classifying_gan import ClassifyingGAN
from wcgan_tf.training.device import device_name, is_out_of_memory, jit_compile, own_device, precision, unseen_gpus
from wcgan_tf.training.execution_length import ExecutionLength
from wcgan_tf.training.gan import LabelGAN
from wcgan_tf.training.objectives import OBJECTIVES, Objective

SMALLEST_BATCH = 2  # that the setting allows
SEED_STRIDE = 100003  # a prime: initial weights differ between labels and between seeds


class Trainer:
    """Trains labels one after another on this process's device.

    The step is traced and compiled for the first, and again only if there is no room for a later one's images.

    Args:
        config: all settings.
        start: of a training that is done, from whose weights every label starts.
        spare: room for larger labels that follow, as a share of a label's images.
    """

    def __init__(self, config: Config, start: LabelPaths | None = None, spare: float = 0.0):
        self._config, self._start, self._spare = config, start, spare
        self._capacity = 0  # images of a label that there is room for
        self._strategy = own_device(config.train.device)
        self._unseen = unseen_gpus(config.train.device, self._strategy)
        self._gan: LabelGAN | None = None

    def train(self, run: LabelRun) -> str:
        """Train a label until its budget is spent, or resume it; writes only into its own folder.

        Raises:
            UserError: if the device has too little memory.

        Returns:
            "done"; "stopped" after a signal, with a checkpoint; or "diverged" after a number that is not finite, with
            the last good checkpoint kept.
        """
        for folder in (run.paths.checkpoints, run.tensorboard):  # an error here costs nothing yet
            folder.mkdir(exist_ok=True)
            files.clear_leftovers(folder)
            files.write_text(folder / "writable", "", durable=False)
            (folder / "writable").unlink()
        files.refuse_read_only(run.paths.generator)
        if self._unseen:
            run.say(f"this process may use GPU {', '.join(self._unseen)}, but {unseen()}")
        try:
            return self._train(run) or self._train(run)  # the second time after it went back, which it does once
        except tf.errors.OpError as error:
            if not is_out_of_memory(error):
                raise
        self._gan = None
        gc.collect()  # it and its functions refer to each other, and hold its memory
        raise UserError(self._what_fits(run))

    def _train(self, run: LabelRun) -> str:
        """As `_fit`."""
        self._make_room(len(run.data.images))
        if self._gan is None:
            self._gan = build(self._config, run.data, self._strategy, self._capacity)
        else:
            new = None if self._start else networks(self._config, run.data, self._strategy)
            self._gan.begin(run.data.images, run.data.label, new)
        if self._start and not run.paths.saved_checkpoints():
            start_from(self._gan, self._start, run.say)
            run.say(f"starts from the weights in {self._start.folder}")
        compiles = self._gan.train_function is None  # no label before this one took a step
        return _fit(self._gan, run, device_name(self._strategy), compiles)

    def _make_room(self, number: int) -> None:
        """Give up the step if it has no room for so many images."""
        if number <= self._capacity:
            return
        if self._gan is not None:
            self._gan = None
            gc.collect()
        self._capacity = number + int(self._spare * number)

    def _what_fits(self, run: LabelRun) -> str:
        """The message for too little memory: which half, quarter, ... of the batch size has room for a step."""
        config = copy.deepcopy(self._config)
        batch, model = config.train.batch_size, config.model
        widest = "critic_width" if model.critic_width > model.width else "width"
        at = f"model.{widest}={getattr(model, widest)}"
        problem = f"{device_name(self._strategy)} has no memory for train.batch_size={batch} at {at}"
        run.say(f"{problem}; looking for a batch size that fits")
        while config.train.batch_size > SMALLEST_BATCH and not run.stop.received:
            config.train.batch_size = max(SMALLEST_BATCH, config.train.batch_size // 2)
            if self._has_room(config, run):
                fits = config.train.batch_size
                return f"{problem}; type --config.train.batch_size={fits}, which fits, or start fewer processes on it"
        smaller = "--config.train.batch_size" if run.stop.received else f"--config.model.{widest}"
        return f"{problem}; type a smaller {smaller}, or start fewer processes on it"

    def _has_room(self, config: Config, run: LabelRun) -> bool:
        """Whether an execution with these settings runs, beside whatever else uses the device now."""
        try:
            build(config, run.data, self._strategy, self._capacity).fit(_endless().take(1), verbose=0, shuffle=False)
        except tf.errors.OpError as error:
            if not is_out_of_memory(error):
                raise
            return False
        finally:
            gc.collect()
        return True


def networks(
    config: Config, data: prepared.LabelImages, strategy: tf.distribute.Strategy
) -> tuple[keras.Model, keras.Model]:
    """The label's generator and critic as they are before the first step, their variables on the strategy's device."""
    # Keras draws from it what initial weights depend on. To seed TensorFlow too would clear what it has compiled.
    random.seed((config.train.seed * SEED_STRIDE + data.label) % 2**32)
    _, side, _, channels = data.images.shape
    objective, computed_in = OBJECTIVES[config.train.objective], precision(config.train, strategy, side)
    taught = _taught(config, data)
    classes = 0 if taught is None else int(taught.max()) + 1
    with strategy.scope():
        generator = models.generator(config.model, side, channels, computed_in)
        critic = models.critic(
            config.model, side, channels, computed_in, batch_norm=objective.batch_norm, classes=classes
        )
        _set_weights(objective, [*generator.trainable_variables, *critic.trainable_variables], data.label, config)
    return generator, critic


def _taught(config: Config, data: prepared.LabelImages) -> np.ndarray | None:
    """The label of each image, int32 [n], if the critic learns to tell them."""
    return data.labels if config.train.classification_weight else None


def build(config: Config, data: prepared.LabelImages, strategy: tf.distribute.Strategy, capacity: int = 0) -> LabelGAN:
    """Build and compile the label's GAN as it is before the first step, its variables on the strategy's device.

    Args:
        capacity: the number of images that there is room for, if the label has fewer; see `LabelGAN.begin`.
    """
    generator, critic = networks(config, data, strategy)
    _, side, _, channels = data.images.shape
    objective, taught = OBJECTIVES[config.train.objective], _taught(config, data)
    kind = LabelGAN if taught is None else functools.partial(ClassifyingGAN, labels=taught)
    with strategy.scope():
        gan = kind(
            generator,
            critic,
            models.generator(config.model, side, channels),  # the average, which is kept, computes in float32
            data.images,
            objective,
            settings=config.train,
            latent_size=config.model.latent_size,
            flip=config.dataset.flip,
            label=data.label,
            capacity=capacity,
        )
        gan.compile(
            generator_optimizer=optimizers.Adam(config.train.generator_learning_rate, *objective.adam_betas),
            critic_optimizer=optimizers.Adam(config.train.critic_learning_rate, *objective.adam_betas),
            jit_compile=jit_compile(config.train.jit_compile, strategy),
        )
    return gan


def _set_weights(objective: Objective, variables: list, label: int, config: Config) -> None:
    """Draw the kernels around 0, and BatchNorm's scales around 1, if the objective asks for it."""
    if objective.weight_deviation is None:
        return
    means = {"kernel": 0.0, "gamma": 1.0}
    for place, variable in enumerate(variables):
        if variable.name in means:
            seed = tf.random.fold_in([config.train.seed, label], place, alg="philox")
            variable.assign(
                means[variable.name] + objective.weight_deviation * stateless_random.normal(variable.shape, seed)
            )


def _fit(gan: LabelGAN, run: LabelRun, device: str, compiles: bool) -> str:
    """Train, save and export; returns the state in which the label ended, or "" if it has diverged and goes back."""
    checkpoints = Checkpoints(gan, run.paths, run.config.train.checkpoint_seconds, run.data.digest)
    resumed, before = checkpoints.restore(run.say), run.heartbeat.trained().step
    divergence.resume(gan, run)
    if not resumed:  # what an earlier training left that had no checkpoint yet
        shutil.rmtree(run.paths.best, ignore_errors=True)
        event_files.delete(run.tensorboard)
    best = _best_weights(gan, run)
    if not (resumed and best):  # nothing is scored yet, or the last weights are exported
        run.heartbeat.note(best_kernel_distance=None, best_step=None)
    budget = Budget(gan, run.stop, compiles)
    metrics = MetricsWriter(gan, run, budget, device, machine.threads())
    progress = ProgressLogger(gan, run, budget, compiles)
    if budget.progress >= 1.0:  # the process ended between its last checkpoint and its export
        run.stop.ends_in_good_order()
        budget.state = "done"
    else:
        checkpoints.refuse_full_disk()
        anew = ", begins anew: there was no checkpoint yet" if before else ""
        resumes = f", resumes from step {budget.step}" if resumed else anew
        place, now = f"{machine.host()} {device}", time.strftime("%Y-%m-%d %H:%M:%S")
        run.say(f"{len(run.data.images)} images, {place}, {gan.critic.dtype_policy.name}, {now}{resumes}")
        with run.out.show(progress.bar):
            length = [] if run.config.train.steps_per_execution else [ExecutionLength(gan, budget)]
            callbacks = [budget, *length, *best, metrics, progress, checkpoints]
            gan.fit(_endless(), callbacks=callbacks, verbose=0, shuffle=False)
        if budget.state == "running":  # Keras took an OutOfRangeError of TensorFlow for the end of the data
            raise UserError(
                f"TensorFlow ended the training at step {budget.step}, before its budget; if TF_XLA_FLAGS names a"
                " folder of compiled programs, delete that folder"
            )
    if budget.state == "diverged" and divergence.goes_back(run, budget.step, budget.seconds):
        return ""
    if budget.state != "diverged":
        checkpoints.save()
        for scorer in best:
            scorer.score()
            scorer.restore()
        digest = weights_digest([variable.numpy() for variable in gan.average.variables])
        about = msgspec.structs.replace(run.heartbeat.trained(), weights_digest=digest)
        export_generator(gan.average, run.data.label, run.config.model.latent_size, run.paths.generator, about)
    run.heartbeat.end(budget.state)
    and_now = ", the same command resumes" if budget.state == "stopped" else ""
    run.say(f"{budget.state} after {budget.step} steps and {budget.seconds:.0f} s{and_now}; see {run.paths.folder}")
    return budget.state


def _best_weights(gan: LabelGAN, run: LabelRun) -> list[BestWeights]:
    """What scores the label while it trains, if it is to be scored and enough of its images are held out for that."""
    if not run.config.train.eval_seconds:
        return []
    best = BestWeights(gan, run)
    if best.held_out >= FEWEST:
        return [best]
    run.say(f"{best.held_out} images are held out for scores, which want {FEWEST}: the last weights are exported")
    return []


@functools.cache  # TensorFlow keeps 50 kB of every data set until the process ends
def _endless() -> tf.data.Dataset:
    """Elements for `fit`, which `Budget` ends."""
    options = tf.data.Options()
    options.autotune.enabled = False  # nothing to tune, and its thread takes seconds to end
    return tf.data.Dataset.counter().with_options(options)
