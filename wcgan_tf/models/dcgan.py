"""Generator and critic of DCGAN (Radford et al. 2016, arXiv 1511.06434), for any size that `halvings` accepts.

The finest feature map has `width` channels; every halving doubles them, up to 8 times `width`.  At 32 pixels and width
64, the generator has the shapes 4x4x256 -> 8x8x128 -> 16x16x64 -> 32x32xC, and the critic the reverse.
"""

import keras
import tensorflow as tf
from keras import layers

from wcgan_tf.config import halvings
from wcgan_tf.models.blocks import BatchDeviation, BatchNormalization, LeakyReLU
from wcgan_tf.models.convolutions import Doubling, Halving
from wcgan_tf.models.feature_critic import FeatureCritic

MOST_DOUBLINGS = 3


class Generator(keras.Model):
    """Standard normal latents [N, latent_size] -> images [N, H, W, C], float32 in -1..1."""

    def __init__(self, resolution: int, channels: int, width: int) -> None:
        super().__init__(name="generator")
        stages = halvings(resolution)
        side = resolution >> stages
        widths = [width << min(stage, MOST_DOUBLINGS) for stage in reversed(range(stages))]
        self.blocks = [
            layers.Dense(side * side * widths[0], use_bias=False),
            layers.Reshape((side, side, widths[0])),
            BatchNormalization(),
            layers.ReLU(),
        ]
        for finer in widths[1:]:
            self.blocks += [Doubling(finer, use_bias=False), BatchNormalization(), layers.ReLU()]
        self.blocks.append(Doubling(channels, activation="tanh", dtype="float32"))

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        x = latents
        for block in self.blocks:
            x = block(x, training=training) if isinstance(block, (BatchNormalization, Doubling)) else block(x)
        return x


class Critic(FeatureCritic):
    """Images [N, H, W, C], float32 in -1..1 -> scores [N], float32, unbounded.

    `batch_norm`, for the discriminator of DCGAN, adds batch normalization after every convolution but the first.  A
    critic has none: it mixes the images of a batch, but the gradient penalty is per image (arXiv 1704.00028, sec. 4).
    With `classes`, `logits` classifies the same features.
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
        self.blocks = []
        for stage in range(halvings(resolution)):
            self.blocks.append(Halving(width << min(stage, MOST_DOUBLINGS)))
            if batch_norm and stage > 0:
                self.blocks.append(BatchNormalization())
            self.blocks.append(LeakyReLU(0.2))
        if batch_deviation:
            self.blocks.append(BatchDeviation())
        self.flatten = layers.Flatten()
        self.add_heads(classes)

    def features(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[N, H, W, C] -> the coarsest feature map, flattened: [N, F]."""
        x = images
        for block in self.blocks:
            x = block(x, training=training) if isinstance(block, BatchNormalization) else block(x)
        return self.flatten(x)
