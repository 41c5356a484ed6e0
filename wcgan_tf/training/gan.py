"""The GAN of one label as a `keras.Model`: its `train_step` is the method."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from wcgan_tf.config import Train
from wcgan_tf.core import stateless_random
from wcgan_tf.core.images import to_unit
from wcgan_tf.training import augment, losses
from wcgan_tf.training.objectives import Objective

EMA_RAMP_STEPS = 10  # the average forgets faster at first: its decay is at most (1 + step) / (10 + step)


class Draws(NamedTuple):
    """Everything random in one step; the first axis is the turn of the critic, the last turn the generator's."""

    indices: tf.Tensor  # of real images, int32 [critic_steps, batch]
    latents: tf.Tensor  # float32 [critic_steps + 1, batch, latent_size], normally distributed
    mixes: tf.Tensor  # float32 [critic_steps, batch, 1, 1, 1] in 0..1, for the penalty
    augments: tf.Tensor  # float32 [critic_steps + 1, 2, batch, augment.DRAWS] in 0..1, for real and fake images


class Outcome(NamedTuple):
    """What an execution ended with."""

    step: int
    finite: bool  # whether every weight of both networks is a finite number


def spent_shares(settings: Train, step: Any, seconds: Any) -> list:
    """The spent shares of the limits that there are, of steps and of seconds; of numbers or of tensors."""
    limits = ((step, settings.max_steps), (seconds, settings.max_seconds))
    return [spent / limit for spent, limit in limits if limit]


class LabelGAN(keras.Model):
    """Generator and critic of one label, trained by an objective; the average of the generator is what is kept.

    Args:
        generator: latents [N, z], standard normal -> images [N, H, W, C] in -1..1.
        critic: such images -> scores [N].
        average: of the generator's kind; becomes the exponential moving average of it, BatchNorm's statistics included.
        images: the label's images, uint8 [n, H, W, C]; batches are drawn from them inside the step, with replacement.
        objective: a row of `objectives.OBJECTIVES`.
        settings: `config.train`.
        latent_size: z.
        flip: mirror half of the images, real and fake, left to right.
        label: its index; all randomness comes from (settings.seed, label, step).
        capacity: the number of images that there is room for; `begin` may bring more than there are now.

    `fit` takes a dataset of as many elements as there are executions, each of up to `execution_steps` steps and never
    beyond `settings.max_steps`; the elements themselves are not used.

    Attributes:
        execution_steps: steps of the next execution.
        learning_rate_factor: of both learning rates, float32 scalar; below 1 after a divergence.
        last: what the last execution ended with.
    """

    train_function: Callable | None

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        average: keras.Model,
        images: np.ndarray,
        objective: Objective,
        settings: Train,
        latent_size: int,
        flip: bool,
        label: int,
        capacity: int = 0,
    ) -> None:
        super().__init__(name="label_gan")
        self.generator, self.critic, self.average = generator, critic, average
        # Variables, not constants: the compiled step is the same for every label.  None of int32: on a GPU TensorFlow
        # keeps those on the host, where a step compiled for the GPU may not read them.
        self.images = tf.Variable(_padded(images, capacity), trainable=False, name="images")
        self.count = tf.Variable(len(images), dtype=tf.int64, trainable=False, name="count")
        self.label = tf.Variable(label, dtype=tf.int64, trainable=False, name="label")
        self.objective = objective
        self.settings = settings
        self.latent_size = latent_size
        self.flip = flip
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False, name="seconds")
        self.learning_rate_factor = tf.Variable(1.0, trainable=False, name="learning_rate_factor")
        self.means = {name: keras.metrics.Mean(name) for name in objective.logged}
        self.execution_steps = settings.steps_per_execution or 1
        self.last = Outcome(step=0, finite=True)
        _assign(average, generator)
        self.built = True

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        critic_optimizer: keras.optimizers.Optimizer,
        **kwargs: Any,
    ) -> None:
        """Take the two optimizers; `kwargs` are those of `keras.Model.compile`."""
        super().compile(optimizer=None, **kwargs)
        self.generator_optimizer, self.critic_optimizer = generator_optimizer, critic_optimizer
        generator_optimizer.build(self.generator.trainable_variables)
        critic_optimizer.build(self.critic.trainable_variables)

    def begin(self, images: np.ndarray, label: int, networks: tuple[keras.Model, keras.Model] | None) -> None:
        """Begin with another label as a new GAN of it would; the compiled step stays.

        Args:
            images: uint8 [n, H, W, C], n at most `capacity`.
            networks: generator and critic with the weights to begin with; None: those of now, to be replaced.
        """
        self.images.assign(_padded(images, self.images.shape[0]))
        self.count.assign(len(images))
        self.label.assign(label)
        self.step.assign(0)
        self.seconds.assign(0.0)
        self.reset_metrics()
        for optimizer in (self.generator_optimizer, self.critic_optimizer):
            for variable in optimizer.variables:
                variable.assign(tf.zeros_like(variable))  # also the learning rate, which each step sets
        if networks:
            for own, new in zip((self.generator, self.critic), networks, strict=True):
                _assign(own, new)
            _assign(self.average, self.generator)

    def progress(self) -> tf.Tensor:
        """The share of the budget that is spent, float32 scalar in 0..1: of steps or of seconds, the larger."""
        spent = tf.cast(self.step, tf.float32), tf.cast(self.seconds, tf.float32)
        return tf.minimum(tf.reduce_max(spent_shares(self.settings, *spent)), 1.0)

    def finite(self) -> tf.Tensor:
        """Whether every weight of both networks is a finite number, bool scalar."""
        weights = self.generator.variables + self.critic.variables
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights])

    def unmeasured(self) -> dict[str, float]:
        """NaN for each mean of which there was no value since the last reset, as of a penalty in every n-th step."""
        return {name: float("nan") for name, mean in self.means.items() if not float(mean.count)}

    def make_train_function(self, force: bool = False) -> None:
        """Make what `fit` calls for an execution: steps in a loop, and one transfer to the host at their end.

        Keras's own has the number of steps in its graph, and would be traced again for another.
        """
        if self.train_function is not None and not force:
            return
        one_step = tf.function(
            lambda: self.distribute_strategy.run(self.train_step, (None,)),
            jit_compile=self.jit_compile,
            autograph=False,
        )

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
        def execute(number: tf.Tensor) -> tf.Tensor:
            if self.settings.max_steps:
                left = tf.minimum(self.settings.max_steps - self.step, number.dtype.max)
                number = tf.minimum(number, tf.cast(left, number.dtype))

            def take(turn: tf.Tensor) -> tf.Tensor:
                one_step()
                return turn + 1

            tf.while_loop(lambda turn: turn < number, take, [0])
            ended = [self.step.value(), self.finite(), *(mean.result() for mean in self.means.values())]
            return tf.stack([tf.cast(value, tf.float64) for value in ended])

        def train_function(_: Any) -> dict[str, float]:
            step, finite, *means = execute(self.execution_steps).numpy().tolist()
            self.last = Outcome(int(step), bool(finite))
            return dict(zip(self.means, means, strict=True))

        self.train_function = train_function

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """`critic_steps` steps of the critic, one of the generator, one of its average.  Returns the means so far."""
        self._set_learning_rates()
        drawn = self._draw()
        for turn in range(self.settings.critic_steps):
            self._critic_step(turn, drawn.indices[turn], drawn.latents[turn], drawn.mixes[turn], drawn.augments[turn])
        self._generator_step(drawn.latents[-1], drawn.augments[-1, 0])
        self._average_step()
        self.step.assign_add(1)
        return {name: mean.result() for name, mean in self.means.items()}

    def _draw(self) -> Draws:
        """From (seed, label, step) alone: the same on every device, after any resume."""
        turns, batch = self.settings.critic_steps, self.settings.batch_size
        seed = stateless_random.fold_in([self.settings.seed, tf.cast(self.label, tf.int32)], self.step)
        seeds = stateless_random.split(seed, 4)
        return Draws(
            indices=stateless_random.below(tf.cast(self.count, tf.int32), [turns, batch], seeds[0]),
            latents=stateless_random.normal([turns + 1, batch, self.latent_size], seeds[1]),
            mixes=stateless_random.uniform([turns, batch, 1, 1, 1], seeds[2]),
            augments=stateless_random.uniform([turns + 1, 2, batch, augment.DRAWS], seeds[3]),
        )

    def _augment(self, images: np.ndarray, numbers: tf.Tensor) -> tf.Tensor:
        return augment.augment(images, numbers, tuple(self.settings.augment.split(",")), self.flip)

    def _critic_step(
        self, turn: int, indices: tf.Tensor, latents: tf.Tensor, mix: tf.Tensor, augments: tf.Tensor
    ) -> None:
        real = self._augment(to_unit(tf.gather(self.images, indices)), augments[0])
        fake = self._augment(self.generator(latents, training=True), augments[1])
        with tf.GradientTape() as tape:
            real_scores, further_losses = self._look_at_real(real, indices)
            fake_scores = self.critic(fake, training=True)
            loss = tf.add_n([self.objective.critic_loss(real_scores, fake_scores), *further_losses])
            if self.objective.wasserstein:
                penalty = self._penalty(turn, real, fake, mix)
                loss += self.settings.gp_weight * self.settings.gp_every * penalty
        variables = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(loss, variables), variables)
        self.means[self.objective.critic_loss_name].update_state(loss)
        if self.objective.wasserstein:
            self.means["wasserstein_estimate"].update_state(losses.wasserstein_estimate(real_scores, fake_scores))

    def _look_at_real(self, real: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The scores of real images, and what else the critic learns from them: scalars to minimise."""
        return self.critic(real, training=True), []

    def _penalty(self, turn: int, real: tf.Tensor, fake: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
        """The penalty in every `gp_every`-th critic step, and 0 in the others."""
        every = self.settings.gp_every
        measured = functools.partial(losses.PENALTIES[self.settings.penalty], self.critic, real, fake, mix)
        if every == 1:
            due = tf.constant(True)
            penalty, norm = measured()
        else:
            due = (self.step * self.settings.critic_steps + turn) % every == 0
            penalty, norm = tf.cond(due, measured, lambda: (tf.constant(0.0), tf.constant(0.0)))
        self.means["gradient_penalty"].update_state(penalty, sample_weight=tf.cast(due, tf.float32))
        self.means["gradient_norm"].update_state(norm, sample_weight=tf.cast(due, tf.float32))
        return penalty

    def _generator_step(self, latents: tf.Tensor, augments: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            fake = self._augment(self.generator(latents, training=True), augments)
            loss = self.objective.generator_loss(self.critic(fake, training=True))
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(loss, variables), variables)
        self.means["generator_loss"].update_state(loss)

    def _average_step(self) -> None:
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.settings.ema_decay, (1.0 + step) / (EMA_RAMP_STEPS + step))
        for average, variable in zip(self.average.variables, self.generator.variables, strict=True):
            average.assign_sub((1.0 - decay) * (average - variable))

    def _set_learning_rates(self) -> None:
        """Constant, or from the middle of the budget on in a straight line to zero."""
        scale = self.learning_rate_factor.value()
        if self.settings.learning_rate_decay == "linear":
            scale *= tf.minimum(1.0, 2.0 * (1.0 - self.progress()))
        self.generator_optimizer.learning_rate = scale * self.settings.generator_learning_rate
        self.critic_optimizer.learning_rate = scale * self.settings.critic_learning_rate


def _padded(images: np.ndarray, capacity: int) -> np.ndarray:
    """`capacity` images, if there are fewer: these, and then black ones."""
    padding = np.zeros([max(0, capacity - len(images)), *images.shape[1:]], np.uint8)
    return np.concatenate([images, padding])


def _assign(network: keras.Model, other: keras.Model) -> None:
    """Give a network the variables of another of its kind."""
    for variable, value in zip(network.variables, other.variables, strict=True):
        variable.assign(value)
