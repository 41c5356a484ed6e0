"""One Wasserstein GAN conditioned on the label: what people would do without this project; for single.py.

The networks are those of `wcgan_tf.models.dcgan` with class-conditional BatchNorm in the generator (Dumoulin et al.
2017, arXiv 1610.07629) and a projection critic (Miyato and Koyama 2018, arXiv 1802.05637).  Losses, penalty, average
and settings are those of a training of one label.
"""

import functools

import keras
import tensorflow as tf
from keras import layers

from wcgan_tf import models
from wcgan_tf.config import Config
from wcgan_tf.core import stateless_random
from wcgan_tf.core.images import to_unit
from wcgan_tf.models import dcgan
from wcgan_tf.models.blocks import BatchNormalization
from wcgan_tf.training import augment, losses, optimizers
from wcgan_tf.training.gan import EMA_RAMP_STEPS

BETAS = (0.0, 0.9)  # of Adam


class LabelTable(layers.Layer):
    """(features [N, ..., C], labels [N]) -> a trained vector [N, C] of each label."""

    def __init__(self, labels: int, initializer: str) -> None:
        super().__init__()
        self.labels, self.initializer = labels, initializer

    def build(self, shape: tuple) -> None:
        self.table = self.add_weight(shape=[self.labels, shape[-1]], initializer=self.initializer, name="table")

    def call(self, features: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return tf.gather(tf.convert_to_tensor(self.table), labels)


class Generator(dcgan.Generator):
    """(latents [N, z], labels [N]) -> images [N, H, W, C] in -1..1."""

    def __init__(self, resolution: int, channels: int, width: int, labels: int) -> None:
        super().__init__(resolution, channels, width)
        number = sum(isinstance(block, BatchNormalization) for block in self.blocks)
        self.scales = [LabelTable(labels, "ones") for _ in range(number)]
        self.offsets = [LabelTable(labels, "zeros") for _ in range(number)]

    def call(self, latents: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
        x, tables = latents, zip(self.scales, self.offsets, strict=True)
        for block in self.blocks:
            trains = isinstance(block, (BatchNormalization, dcgan.Doubling))
            x = block(x, training=training) if trains else block(x)
            if isinstance(block, BatchNormalization):
                scale, offset = (table(x, labels)[:, None, None] for table in next(tables))
                x = x * scale + offset
        return x

    def copy_to(self, plain: dcgan.Generator, label: int) -> None:
        """Make an ordinary generator draw what this one draws of a label."""
        tables = zip(self.scales, self.offsets, strict=True)
        for own, other in zip(self.blocks, plain.blocks, strict=True):
            for variable, value in zip(other.variables, own.variables, strict=True):
                variable.assign(value)
            if isinstance(own, BatchNormalization):
                scale, offset = (table.table[label] for table in next(tables))
                other.gamma.assign(own.gamma * scale)
                other.beta.assign(own.beta * scale + offset)


class Critic(dcgan.Critic):
    """(images [N, H, W, C], labels [N]) -> scores [N]: w . f + v_label . s, with s the sum of features f by channel."""

    def __init__(self, resolution: int, width: int, labels: int, *, batch_deviation: bool) -> None:
        super().__init__(resolution, width, batch_deviation=batch_deviation)
        self.projection = LabelTable(labels, "zeros")

    def call(self, images: tf.Tensor, labels: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = images
        for block in self.blocks:
            x = block(x)
        summed = tf.reduce_sum(tf.cast(x, tf.float32), [1, 2])
        projected = tf.reduce_sum(tf.cast(self.projection(x, labels), tf.float32) * summed, 1)
        return self.scores(self.flatten(x)) + projected


class ConditionalGAN:
    """Generator, critic, average and optimizers, and the step that trains them on images of all labels.

    Args:
        images, labels: uint8 [n, H, W, C] and int32 [n].
        progress: the spent share of the budget, 0..1; the caller assigns it.
    """

    def __init__(self, config: Config, images: tf.Tensor, labels: tf.Tensor, number: int, precision: str) -> None:
        self.config, self.images, self.labels = config, images, labels
        self.step, self.progress = tf.Variable(0, dtype=tf.int64), tf.Variable(0.0)
        _, side, _, channels = images.shape
        model, sizes = config.model, (side, channels, config.model.width)
        keras.utils.set_random_seed(config.train.seed)
        with models.computing_in(precision):
            self.generator = Generator(*sizes, number)
            width = model.critic_width or model.width
            self.critic = Critic(side, width, number, batch_deviation=model.batch_deviation)
        self.average = Generator(*sizes, number)
        one = tf.zeros([1], tf.int32)
        for generator in (self.generator, self.average):
            generator(tf.zeros([1, config.model.latent_size]), one)
        self.critic(tf.zeros([1, side, side, channels]), one)
        for own, other in zip(self.average.variables, self.generator.variables, strict=True):
            own.assign(other)
        self.generator_optimizer = optimizers.Adam(config.train.generator_learning_rate, *BETAS)
        self.critic_optimizer = optimizers.Adam(config.train.critic_learning_rate, *BETAS)
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.critic_optimizer.build(self.critic.trainable_variables)

    @tf.function(autograph=False)
    def take(self, number: tf.Tensor) -> tf.Tensor:
        """Take so many steps, int32 scalar.  Returns whether every weight is finite."""

        def one(turn: tf.Tensor) -> tf.Tensor:
            self._step()
            return turn + 1

        tf.while_loop(lambda turn: turn < number, one, [0])
        weights = self.generator.variables + self.critic.variables
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights])

    def _step(self) -> None:
        settings = self.config.train
        scale = 1.0 if settings.learning_rate_decay == "none" else tf.minimum(1.0, 2.0 * (1.0 - self.progress))
        self.generator_optimizer.learning_rate = scale * settings.generator_learning_rate
        self.critic_optimizer.learning_rate = scale * settings.critic_learning_rate
        seeds = stateless_random.split(stateless_random.fold_in([settings.seed, 0], self.step), 4)
        batch = settings.batch_size
        chosen = stateless_random.below(tf.constant(len(self.images)), [batch], seeds[0])
        latents = stateless_random.normal([2, batch, self.config.model.latent_size], seeds[1])
        mix = stateless_random.uniform([batch, 1, 1, 1], seeds[2])
        draws = stateless_random.uniform([3, batch, augment.DRAWS], seeds[3])
        labels = tf.gather(self.labels, chosen)
        self._critic_step(to_unit(tf.gather(self.images, chosen)), labels, latents[0], mix, draws)
        self._generator_step(labels, latents[1], draws[2])
        decay = tf.cast(self.step, tf.float32)
        decay = tf.minimum(settings.ema_decay, (1.0 + decay) / (EMA_RAMP_STEPS + decay))
        for average, variable in zip(self.average.variables, self.generator.variables, strict=True):
            average.assign_sub((1.0 - decay) * (average - variable))
        self.step.assign_add(1)

    def _flip(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        return augment.augment(images, draws, (), self.config.dataset.flip)

    def _critic_step(
        self, real: tf.Tensor, labels: tf.Tensor, latents: tf.Tensor, mix: tf.Tensor, draws: tf.Tensor
    ) -> None:
        settings = self.config.train
        real = self._flip(real, draws[0])
        fake = self._flip(self.generator(latents, labels, training=True), draws[1])

        def penalty() -> tf.Tensor:
            critic = functools.partial(self.critic, labels=labels)
            return losses.PENALTIES[settings.penalty](critic, real, fake, mix)[0]

        with tf.GradientTape() as tape:
            loss = losses.critic_loss(self.critic(real, labels), self.critic(fake, labels))
            due = self.step % settings.gp_every == 0
            loss += settings.gp_weight * settings.gp_every * tf.cond(due, penalty, lambda: tf.constant(0.0))
        variables = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(loss, variables), variables)

    def _generator_step(self, labels: tf.Tensor, latents: tf.Tensor, draws: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            fake = self._flip(self.generator(latents, labels, training=True), draws)
            loss = losses.generator_loss(self.critic(fake, labels))
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(loss, variables), variables)
