"""Ten labels of Tiny ImageNet, 64x64, from a folder of photographs.  For your own: --config photos.

    python -m wcgan_tf.pipeline --config tiny_imagenet10 --config.dataset.root=/where/the/photos/are

45 minutes for all labels together, from which each starts (train.pretraining), then 15 minutes per label on one core.

The root has a folder per label: <root>/train/<label name>/ and <root>/val/<label name>/.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "tiny_imagenet10"
    config.dataset.root = "tiny_imagenet10"
    config.dataset.resolution = 64
    config.evaluate.num_per_label = 50
    return config
