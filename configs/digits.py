"""scikit-learn's handwritten digits, 8x8: built in, to try the whole pipeline in minutes.

    python -m wcgan_tf.pipeline --config digits

These are the defaults: the same command without --config does the same.
"""

from wcgan_tf.config import Config, default_config


def get_config() -> Config:
    return default_config()
