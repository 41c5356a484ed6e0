"""Random numbers from a seed alone, by a named algorithm, the same on every device, with and without XLA.

Philox's integers are that; its floats are not, in TensorFlow 2.21: XLA makes others of the same seed.  So they are made
of the integers here.  A seed is int64 [2].
"""

import tensorflow as tf

PHILOX, PHILOX_BLOCK = 1, 4
BITS = 23  # the middles of 2^23 equal parts of 0..1 are float32 numbers, 0 and 1 not among them


def uniform(shape, seed):
    """float32 of `shape`, uniform in the open interval 0..1."""
    return _between_0_and_1(tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox"))


def normal_rows(first, number, size: int, seed):
    """float32 [number, size], normally distributed: the rows `first`, `first` + 1, ... of an endless table.

    Row i depends on (seed, i) alone.  Philox numbers its blocks of four integers, so that it may begin at any of them.
    """
    blocks = -(-size // PHILOX_BLOCK)
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    counter += tf.stack([tf.cast(first, tf.uint64) * blocks, tf.constant(0, tf.uint64)])
    integers = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[number, blocks * PHILOX_BLOCK], key=key, counter=counter, alg=PHILOX, dtype=tf.uint32
    )
    return tf.math.ndtri(_between_0_and_1(integers[:, :size]))


def _between_0_and_1(integers):
    return (tf.cast(tf.bitwise.right_shift(integers, tf.constant(32 - BITS, tf.uint32)), tf.float32) + 0.5) * 2.0**-BITS


def normal(shape, seed):
    """float32 of `shape`, normally distributed with mean 0 and deviation 1."""
    return tf.math.ndtri(uniform(shape, seed))


def below(limit, shape, seed):
    """int32 of `shape`, uniform in 0..limit - 1, for an int32 `limit`."""
    return tf.random.stateless_uniform(shape, seed, 0, limit, tf.int32, alg="philox")
