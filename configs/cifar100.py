"""CIFAR-100, 32x32 photographs with a hundred labels, through TensorFlow Datasets.

    python -m wcgan_tf.pipeline --config cifar100

If the data set is prepared already: --config.dataset.tfds_dir=<the folder that has cifar100/>.

On two cores the pretraining takes 10 minutes, all labels 50, and everything else 9.  A label has 500 images.  The
pretraining takes 10 times a label's budget, not 3: a hundred labels share it, and gain by it.  Twice the time brings
little, and much more is used only with train.augment = "color,translation,cutout" (docs/quality.md#a-hundred-labels).
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "cifar100"
    config.train.pretraining = 10.0
    config.train.max_seconds = 60.0
    config.evaluate.num_per_label = 100
    return config
