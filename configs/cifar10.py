"""CIFAR-10, 32x32 photographs of ten kinds, through TensorFlow Datasets.

    python -m wcgan_tf.prepare --config configs/cifar10.py
    python -m wcgan_tf.launch --config configs/cifar10.py
    python -m wcgan_tf.combine --config configs/cifar10.py
    python -m wcgan_tf.evaluate --config configs/cifar10.py
    python -m wcgan_tf.report --config configs/cifar10.py

15 minutes per label on one core; after 3 minutes, cat and automobile have an FCD of 8.6 where DC-GAN
(configs/cifar10_dcgan.py) has 27.4, and 17.4 without `model.batch_deviation` (2,000 images, real ones: 0.1).

Where the data set is prepared already: --config.dataset.tfds_dir=<the folder that has cifar10/>.
"""

from wcgan_tf.config import photo_config


def get_config():
    config = photo_config()
    config.dataset.name = "cifar10"
    return config
