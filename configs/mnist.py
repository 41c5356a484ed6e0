"""MNIST, 28x28 greyscale handwritten digits, through TensorFlow Datasets.

    python -m wcgan_tf.pipeline --config mnist

If the data set is prepared already: --config.dataset.tfds_dir=<the folder that has mnist/>.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "mnist"
    config.dataset.resolution = 28
    config.dataset.flip = False
    config.model.latent_size = 64
    config.train.max_seconds = 60.0
    config.evaluate.num_per_label = 500
    return config
