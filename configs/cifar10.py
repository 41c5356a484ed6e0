"""CIFAR-10, 32x32 photographs with ten labels, through TensorFlow Datasets.

    python -m wcgan_tf.pipeline --config cifar10

15 minutes per label on one core.  After 3 minutes, automobile, cat and horse have an FCD of 8.4; DC-GAN
(configs/cifar10_dcgan.py) has 20.1, real images 0.1 (benchmarks/fixed_budget.py).

If the data set is prepared already: --config.dataset.tfds_dir=<the folder that has cifar10/>.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "cifar10"
    return config
