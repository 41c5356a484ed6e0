"""Your own photographs, 64x64, from a folder of folders.

    python -m wcgan_tf.pipeline --config photos
    python -m wcgan_tf.pipeline --config photos --config.dataset.root=/where/the/photos/are

The root has a folder per label, <root>/train/<label name>/, and may have <root>/val/<label name>/, with images in any
format at any depth.  45 minutes for all labels together, from which each starts (train.pretraining), then 15 minutes
per label on one core.  With two or three labels, --config.train.pretraining=1 keeps the first part short.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "photos"
    config.dataset.root = "photos"
    config.dataset.resolution = 64
    config.evaluate.num_per_label = 50
    return config
