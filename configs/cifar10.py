"""CIFAR-10, 32x32 photographs with ten labels, through TensorFlow Datasets.

    python -m wcgan_tf.pipeline --config cifar10

45 minutes for all labels together, from which each starts (train.pretraining), then 15 minutes per label on one core.

If the data set is prepared already: --config.dataset.tfds_dir=<the folder that has cifar10/>.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "cifar10"
    return config
