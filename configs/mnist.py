"""MNIST, 28x28 handwritten digits in grey, through TensorFlow Datasets.

    python -m wcgan_tf.prepare --config configs/mnist.py
    python -m wcgan_tf.launch --config configs/mnist.py
    python -m wcgan_tf.combine --config configs/mnist.py
    python -m wcgan_tf.evaluate --config configs/mnist.py
    python -m wcgan_tf.report --config configs/mnist.py

Where the data set is prepared already: --config.dataset.tfds_dir=<the folder that has mnist/>.
"""

from wcgan_tf.config import default_config


def get_config():
    config = default_config()
    config.dataset.name = "mnist"
    config.dataset.resolution = 28
    config.model.width = 32
    config.train.gp_weight = 2.0
    config.train.gp_every = 4
    config.train.generator_learning_rate = 5e-4
    config.train.critic_learning_rate = 1e-3
    config.train.max_seconds = 60.0
    config.evaluate.num_per_label = 500
    return config
