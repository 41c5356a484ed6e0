"""Random numbers from a seed alone, by a named algorithm, the same on every device, with and without XLA.

Philox's integers are that; its floats are not, in TensorFlow 2.21: XLA makes others of the same seed.  So they are made
of the integers here.  A seed is int64 [2].
"""

import tensorflow as tf

BITS = 23  # the middles of 2^23 equal parts of 0..1 are float32 numbers, 0 and 1 not among them


def uniform(shape, seed):
    """float32 of `shape`, uniform in the open interval 0..1."""
    integers = tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")
    return (tf.cast(tf.bitwise.right_shift(integers, tf.constant(32 - BITS, tf.uint32)), tf.float32) + 0.5) * 2.0**-BITS


def normal(shape, seed):
    """float32 of `shape`, normally distributed with mean 0 and deviation 1."""
    return tf.math.ndtri(uniform(shape, seed))


def below(limit, shape, seed):
    """int32 of `shape`, uniform in 0..limit - 1, for an int32 `limit`."""
    return tf.random.stateless_uniform(shape, seed, 0, limit, tf.int32, alg="philox")
