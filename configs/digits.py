"""scikit-learn's handwritten digits, 8x8: built in, so that anyone can try all of it in minutes.

    python -m wcgan_tf.prepare --config configs/digits.py
    python -m wcgan_tf.launch --config configs/digits.py
    python -m wcgan_tf.combine --config configs/digits.py
    python -m wcgan_tf.evaluate --config configs/digits.py
    python -m wcgan_tf.report --config configs/digits.py

These are the defaults: the same commands without --config do the same.
"""

from wcgan_tf.config import default_config


def get_config():
    return default_config()
