"""Random numbers that depend on a seed alone (Philox): the same on every device, with and without XLA.

In TensorFlow 2.21 this holds for Philox's integers, but not for its floats: XLA computes others from the same seed.  So
this module computes floats from the integers.  The integers equal those of `tf.random`, with less than half of its
operations, each of which takes time to trace.  A seed is two integers of up to 64 bits.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

Shape = Sequence[Any]
Seed = Any  # two integers, or a tensor of them

PHILOX, PHILOX_BLOCK = 1, 4
SCRAMBLER = 0x02461E293EC8F720  # the constant key with which TensorFlow derives keys from seeds
BITS = 23  # float32 represents the midpoints of 2^23 equal parts of 0..1 exactly; 0 and 1 are not among them


def uniform(shape: Shape, seed: Seed) -> tf.Tensor:
    """float32 of `shape`, uniform in the open interval (0, 1)."""
    return _between_0_and_1(integers(shape, seed, tf.uint32))


def integers(shape: Shape, seed: Seed, dtype: tf.DType) -> tf.Tensor:
    """Integers of `shape` and `dtype` (32 or 64 bits), uniform over all values of the type."""
    key, counter = _key_and_counter(seed)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(shape=shape, key=key, counter=counter, alg=PHILOX, dtype=dtype)


def _key_and_counter(seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    """Philox's key and counter, as in `tf.random`; XLA's `StatelessRandomGetKeyCounter` uses half of the seed."""
    key, low = tf.split(
        tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=[2],
            key=tf.constant([SCRAMBLER], tf.uint64),
            counter=tf.cast(seed, tf.uint64),
            alg=PHILOX,
            dtype=tf.uint64,
        ),
        2,
    )
    return key, tf.concat([tf.zeros([1], tf.uint64), low], 0)


def fold_in(seed: Seed, number: tf.Tensor) -> tf.Tensor:
    """A seed from a seed and an int64 `number`: the same as `tf.random.fold_in`."""
    return tf.stack([integers([], seed, tf.int64), number])


def split(seed: Seed, number: int) -> list:
    """`number` seeds from one: the same as `tf.random.split`."""
    return tf.unstack(integers([number, 2], seed, tf.int64))


def normal_rows(first: tf.Tensor, number: tf.Tensor, size: int, seed: Seed) -> tf.Tensor:
    """float32 [number, size], standard normal: the rows `first`, `first` + 1, ... of an infinite table.

    Row i depends on (seed, i) alone.  Philox numbers its blocks of four integers, so it can start at any block.
    """
    blocks = -(-size // PHILOX_BLOCK)
    key, counter = _key_and_counter(seed)
    counter += tf.stack([tf.cast(first, tf.uint64) * blocks, tf.constant(0, tf.uint64)])
    drawn = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[number, blocks * PHILOX_BLOCK], key=key, counter=counter, alg=PHILOX, dtype=tf.uint32
    )
    return tf.math.ndtri(_between_0_and_1(drawn[:, :size]))


def _between_0_and_1(drawn: tf.Tensor) -> tf.Tensor:
    return (tf.cast(tf.bitwise.right_shift(drawn, tf.constant(32 - BITS, tf.uint32)), tf.float32) + 0.5) * 2.0**-BITS


def normal(shape: Shape, seed: Seed) -> tf.Tensor:
    """float32 of `shape`, standard normal (mean 0, standard deviation 1)."""
    return tf.math.ndtri(uniform(shape, seed))


def below(limit: tf.Tensor, shape: Shape, seed: Seed) -> tf.Tensor:
    """int32 of `shape`, uniform in 0..limit - 1, for an int32 `limit`."""
    key, counter = _key_and_counter(seed)
    return tf.raw_ops.StatelessRandomUniformIntV2(
        shape=shape, key=key, counter=counter, alg=PHILOX, minval=0, maxval=limit
    )
