"""The convolutional pair of DCGAN (Radford et al. 2016, arXiv 1511.06434), for any size that halving brings to 4 to 7.

The finest feature map has `width` channels and every halving doubles them: at 32 pixels and width 64 the generator
goes 4x4x256 -> 8x8x128 -> 16x16x64 -> 32x32xC, and the critic goes back.
"""

import keras
from keras import layers

from wcgan_tf.config import halvings


class Generator(keras.Model):
    """Latents [N, latent_size], normally distributed -> images [N, H, W, C], float32 in -1..1."""

    def __init__(self, resolution: int, channels: int, width: int):
        super().__init__(name="generator")
        stages = halvings(resolution)
        side = resolution >> stages
        coarse = width << (stages - 1)
        self.blocks = [
            layers.Dense(side * side * coarse, use_bias=False),
            layers.Reshape((side, side, coarse)),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
        ]
        for stage in range(1, stages):
            self.blocks += [
                layers.Conv2DTranspose(coarse >> stage, 4, strides=2, padding="same", use_bias=False),
                layers.BatchNormalization(momentum=0.9),
                layers.ReLU(),
            ]
        self.blocks.append(
            layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation="tanh", dtype="float32")
        )

    def call(self, latents, training=False):
        x = latents
        for block in self.blocks:
            x = block(x, training=training) if isinstance(block, layers.BatchNormalization) else block(x)
        return x


class Critic(keras.Model):
    """Images [N, H, W, C], float32 in -1..1 -> scores [N], float32, of any size and sign."""

    # No BatchNorm: it mixes the images of a batch, and the gradient penalty is a penalty per image.
    def __init__(self, resolution: int, width: int):
        super().__init__(name="critic")
        self.blocks = []
        for stage in range(halvings(resolution)):
            self.blocks += [layers.Conv2D(width << stage, 4, strides=2, padding="same"), layers.LeakyReLU(0.2)]
        self.blocks += [layers.Flatten(), layers.Dense(1, dtype="float32")]

    def call(self, images, training=False):
        x = images
        for block in self.blocks:
            x = block(x)
        return x[:, 0]


def build(resolution: int, channels: int, width: int) -> tuple[Generator, Critic]:
    """A fresh pair for square images of `resolution` pixels and `channels` colours."""
    return Generator(resolution, channels, width), Critic(resolution, width)
