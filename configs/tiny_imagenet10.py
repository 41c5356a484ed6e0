"""A folder of photographs as data set: ten kinds of Tiny ImageNet, 64x64, as an example for your own.

    python -m wcgan_tf.prepare --config configs/tiny_imagenet10.py --config.dataset.root=/where/the/photos/are
    python -m wcgan_tf.launch --config configs/tiny_imagenet10.py
    python -m wcgan_tf.combine --config configs/tiny_imagenet10.py
    python -m wcgan_tf.report --config configs/tiny_imagenet10.py

The folder has a folder per label: <root>/train/<label name>/ and <root>/val/<label name>/, with .jpg, .jpeg or .png
files at any depth.  Copy this file, and change the name and the root.
"""

from wcgan_tf.config import default_config


def get_config():
    config = default_config()
    config.dataset.name = "tiny_imagenet10"
    config.dataset.root = "tiny_imagenet10"
    config.dataset.resolution = 64
    config.dataset.flip = True
    config.model.width = 32
    config.model.latent_size = 128
    config.model.batch_deviation = True
    config.train.gp_weight = 2.0
    config.train.gp_every = 4
    config.train.generator_learning_rate = 5e-4
    config.train.critic_learning_rate = 1e-3
    config.train.max_seconds = 900.0
    config.evaluate.num_per_label = 50
    return config
