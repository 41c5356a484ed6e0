"""The table of architectures.  Adding one: a file beside this one with a `build`, a row here, its name in config.py."""

import tensorflow as tf

from wcgan_tf.models import dcgan

ARCHITECTURES = {"dcgan": dcgan.build}


def build(model, resolution: int, channels: int):
    """A fresh, built (generator, critic) of the settings `config.model`."""
    generator, critic = ARCHITECTURES[model.architecture](resolution, channels, model.width)
    critic(generator(tf.zeros([1, model.latent_size])))  # the first call makes the variables
    return generator, critic
