"""Random numbers from a seed alone, by a named algorithm, the same on every device, with and without XLA.

Philox's integers are that; its floats are not, in TensorFlow 2.21: XLA makes others of the same seed.  So they are made
of the integers here, which are those of `tf.random` in less than half of its operations: each takes time to trace.
A seed is two integers of up to 64 bits.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

Shape = Sequence[Any]
Seed = Any  # two integers, or a tensor of them

PHILOX, PHILOX_BLOCK = 1, 4
SCRAMBLER = 0x02461E293EC8F720  # the key by which TensorFlow makes keys of seeds
BITS = 23  # the middles of 2^23 equal parts of 0..1 are float32 numbers, 0 and 1 not among them


def uniform(shape: Shape, seed: Seed) -> tf.Tensor:
    """float32 of `shape`, uniform in the open interval 0..1."""
    return _between_0_and_1(integers(shape, seed, tf.uint32))


def integers(shape: Shape, seed: Seed, dtype: tf.DType) -> tf.Tensor:
    """Integers of `shape` and of a type of 32 or 64 bits, all its values equally likely."""
    key, counter = _key_and_counter(seed)
    return tf.raw_ops.StatelessRandomUniformFullIntV2(shape=shape, key=key, counter=counter, alg=PHILOX, dtype=dtype)


def _key_and_counter(seed: Seed) -> tuple[tf.Tensor, tf.Tensor]:
    """Where Philox begins, as in `tf.random`; of `StatelessRandomGetKeyCounter`, XLA reads half of a seed's bits."""
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
    """A seed for each int64 `number`: that of `tf.random.fold_in`."""
    return tf.stack([integers([], seed, tf.int64), number])


def split(seed: Seed, number: int) -> list:
    """`number` seeds from one: those of `tf.random.split`."""
    return tf.unstack(integers([number, 2], seed, tf.int64))


def normal_rows(first: tf.Tensor, number: tf.Tensor, size: int, seed: Seed) -> tf.Tensor:
    """float32 [number, size], normally distributed: the rows `first`, `first` + 1, ... of an endless table.

    Row i depends on (seed, i) alone.  Philox numbers its blocks of four integers, so that it may begin at any of them.
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
    """float32 of `shape`, normally distributed with mean 0 and deviation 1."""
    return tf.math.ndtri(uniform(shape, seed))


def below(limit: tf.Tensor, shape: Shape, seed: Seed) -> tf.Tensor:
    """int32 of `shape`, uniform in 0..limit - 1, for an int32 `limit`."""
    key, counter = _key_and_counter(seed)
    return tf.raw_ops.StatelessRandomUniformIntV2(
        shape=shape, key=key, counter=counter, alg=PHILOX, minval=0, maxval=limit
    )
