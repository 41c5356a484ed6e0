"""CIFAR-100, 32x32 photographs with a hundred labels, through TensorFlow Datasets.

    python -m wcgan_tf.pipeline --config cifar100

If the data set is prepared already: --config.dataset.tfds_dir=<the folder that has cifar100/>.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "cifar100"
    config.evaluate.num_per_label = 100
    return config
