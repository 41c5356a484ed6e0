"""CIFAR-10, 32x32 photographs of ten kinds, through TensorFlow Datasets.

    python -m wcgan_tf.prepare --config configs/cifar10.py
    python -m wcgan_tf.launch --config configs/cifar10.py
    python -m wcgan_tf.combine --config configs/cifar10.py
    python -m wcgan_tf.evaluate --config configs/cifar10.py
    python -m wcgan_tf.report --config configs/cifar10.py

Where the data set is prepared already: --config.dataset.tfds_dir=<the folder that has cifar10/>.
"""

from wcgan_tf.config import default_config


def get_config():
    config = default_config()
    config.dataset.name = "cifar10"
    config.dataset.resolution = 32
    config.dataset.flip = True
    config.model.width = 32
    config.model.latent_size = 128
    config.model.batch_deviation = True
    config.train.gp_weight = 2.0
    config.train.gp_every = 4
    config.train.generator_learning_rate = 5e-4
    config.train.critic_learning_rate = 1e-3
    config.train.max_seconds = 900.0
    config.evaluate.num_per_label = 1000
    return config
