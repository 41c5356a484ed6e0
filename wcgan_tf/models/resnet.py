"""Residual generator and critic of Gulrajani et al. 2017 (arXiv 1704.00028, appendix F).

For any size that `halvings` accepts.  Up to 32 pixels, every feature map has `width` channels (CIFAR-10 in the paper:
128); above, a feature map of side s has `width * min(8, resolution / s)` (64x64 in the paper: width 64).
"""

import keras
import tensorflow as tf
from keras import layers

from wcgan_tf.config import halvings
from wcgan_tf.models.blocks import BatchDeviation, BatchNormalization
from wcgan_tf.models.feature_critic import FeatureCritic

MOST_TIMES = 8
CRITIC_SIDE = 8  # the critic halves its input at least once, and until its side is at most this
PLAIN_BLOCKS = 2  # critic blocks after these, which keep the size


def channels_at(side: int, resolution: int, width: int) -> int:
    """The number of channels of a feature map with a side of `side` pixels."""
    return width if resolution <= 32 else width * min(MOST_TIMES, resolution // side)


def _conv(channels: int, size: int = 3) -> layers.Conv2D:
    return layers.Conv2D(channels, size, padding="same", kernel_initializer="he_uniform")


class GeneratorBlock(layers.Layer):
    """Residual block: [N, H, W, any] -> [N, 2 H, 2 W, channels]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = [BatchNormalization() for _ in range(2)]
        self.convs = [_conv(channels) for _ in range(2)]
        self.enlarge = layers.UpSampling2D(interpolation="nearest")
        self.shortcut = _conv(channels, 1)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        y = keras.ops.relu(self.norms[0](x, training=training))
        y = self.convs[0](self.enlarge(y))
        y = keras.ops.relu(self.norms[1](y, training=training))
        return self.convs[1](y) + self.enlarge(self.shortcut(x))


class CriticBlock(layers.Layer):
    """Residual block: [N, H, W, any] -> [N, H, W, channels]; `halve` halves H, W; `first`: no norm, no first ReLU."""

    def __init__(self, channels: int, *, halve: bool, first: bool, batch_norm: bool) -> None:
        super().__init__()
        self.norms = [BatchNormalization() for _ in range(2)] if batch_norm and not first else []
        self.convs = [_conv(channels) for _ in range(2)]
        self.shrink = layers.AveragePooling2D(2) if halve else layers.Identity()
        self.shortcut = _conv(channels, 1)
        self.first = first

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        y = x if self.first else self._activate(x, 0, training)
        y = self.convs[1](self._activate(self.convs[0](y), 1, training))
        return self.shrink(y) + self.shortcut(self.shrink(x))

    def _activate(self, x: tf.Tensor, turn: int, training: bool) -> tf.Tensor:
        return keras.ops.relu(self.norms[turn](x, training=training) if self.norms else x)


class Generator(keras.Model):
    """Standard normal latents [N, latent_size] -> images [N, H, W, C], float32 in -1..1."""

    def __init__(self, resolution: int, channels: int, width: int) -> None:
        super().__init__(name="generator")
        stages = halvings(resolution)
        side = resolution >> stages
        coarse = channels_at(side, resolution, width)
        self.start = layers.Dense(side * side * coarse)
        self.reshape = layers.Reshape((side, side, coarse))
        self.blocks = [GeneratorBlock(channels_at(side << up, resolution, width)) for up in range(1, stages + 1)]
        self.norm = BatchNormalization()
        self.last = layers.Conv2D(channels, 3, padding="same", activation="tanh", dtype="float32")

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = self.reshape(self.start(latents))
        for block in self.blocks:
            x = block(x, training=training)
        return self.last(keras.ops.relu(self.norm(x, training=training)))


class Critic(FeatureCritic):
    """Images [N, H, W, C], float32 in -1..1 -> scores [N], float32, unbounded.

    `batch_norm` is for a discriminator with cross-entropy loss; a critic has none (see `dcgan.Critic`).  With
    `classes`, `logits` classifies the same features.
    """

    def __init__(
        self,
        resolution: int,
        width: int,
        *,
        batch_norm: bool = False,
        batch_deviation: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__(name="critic")
        sides = [resolution // 2]
        while sides[-1] > CRITIC_SIDE:
            sides.append(sides[-1] // 2)
        self.blocks = [
            CriticBlock(channels_at(side, resolution, width), halve=True, first=not turn, batch_norm=batch_norm)
            for turn, side in enumerate(sides)
        ]
        last = channels_at(sides[-1], resolution, width)
        self.blocks += [CriticBlock(last, halve=False, first=False, batch_norm=batch_norm) for _ in range(PLAIN_BLOCKS)]
        self.deviation = BatchDeviation() if batch_deviation else layers.Identity()
        self.pool = layers.GlobalAveragePooling2D(dtype="float32")
        self.add_heads(classes)

    def features(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[N, H, W, C] -> the last feature map, averaged over its positions: float32 [N, F]."""
        x = images
        for block in self.blocks:
            x = block(x, training=training)
        return self.pool(self.deviation(keras.ops.relu(x)))
