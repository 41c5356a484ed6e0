"""Random numbers: the right distribution, and the same with and without XLA."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from wcgan_tf.core import stateless_random

KINDS = {
    "uniform": stateless_random.uniform,
    "normal": stateless_random.normal,
    "below": lambda shape, seed: stateless_random.below(131, shape, seed),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [[4], [2, 8, 3], [1001]])
def test_xla_draws_the_same_numbers(kind, shape):
    # No constant: the compiler would fold it and copy TensorFlow's result.
    seed = tf.Variable([2**40 + 3, -4], dtype=tf.int64)

    def draw():
        return KINDS[kind](shape, seed)

    plain = tf.function(draw, autograph=False)()
    compiled = tf.function(draw, autograph=False, jit_compile=True)()
    np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-6)


def test_numbers_have_their_distributions():
    uniform, normal = (
        stateless_random.uniform([100_000], [1, 2]).numpy(),
        stateless_random.normal([100_000], [1, 2]).numpy(),
    )
    assert stats.kstest(uniform, "uniform").pvalue > 0.01
    assert stats.kstest(normal, "norm").pvalue > 0.01
    assert 0.0 < uniform.min() < uniform.max() < 1.0
    assert np.isfinite(normal).all()
    assert set(stateless_random.below(5, [1000], [1, 2]).numpy()) == set(range(5))


def test_fold_in_and_split_equal_tensorflows():
    seed, number = tf.constant([-7, 2**40], tf.int64), tf.constant(17, tf.int64)
    np.testing.assert_array_equal(stateless_random.fold_in(seed, number), tf.random.fold_in(seed, number, alg="philox"))
    np.testing.assert_array_equal(stateless_random.split(seed, 3), tf.random.split(seed, 3, alg="philox"))


@pytest.mark.parametrize("integer", [0, 2**32 - 1])
def test_the_ends_of_the_interval_are_never_reached(monkeypatch, integer):
    monkeypatch.setattr(stateless_random, "integers", lambda *_: tf.constant([integer], tf.uint32))
    assert 0.0 < float(stateless_random.uniform([1], [1, 2])[0]) < 1.0
    assert np.isfinite(stateless_random.normal([1], [1, 2])).all()


@pytest.mark.parametrize("size", [1, 3, 4, 64, 130])
def test_a_row_depends_on_its_number_alone(size):
    seed = tf.Variable([2**40 + 3, 4], dtype=tf.int64)

    def rows(first, number):
        return stateless_random.normal_rows(first, number, size, seed)

    whole = rows(0, 50).numpy()
    assert whole.shape == (50, size)
    assert len(np.unique(whole, axis=0)) == 50
    np.testing.assert_array_equal(rows(17, 9), whole[17:26])
    np.testing.assert_array_equal(rows(0, 0), whole[:0])
    compiled = tf.function(lambda: rows(17, 9), autograph=False, jit_compile=True)()
    np.testing.assert_allclose(compiled, whole[17:26], rtol=1e-5, atol=1e-6)
    assert np.isfinite(rows(tf.constant(2**40, tf.int64), 2)).all()


def test_rows_are_normally_distributed_and_uncorrelated():
    rows = stateless_random.normal_rows(0, 5000, 20, [1, 2]).numpy()
    assert stats.kstest(rows.ravel(), "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(rows.T) - np.eye(20)).max() < 0.08
    assert np.abs(np.corrcoef(rows[:100]) - np.eye(100)).max() < 0.8
