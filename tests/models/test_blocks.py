"""Layers of several architectures, against Keras's own and answers known on paper."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.models.blocks import BatchDeviation, BatchNormalization, LeakyReLU


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "XLA"])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_batch_normalization_equals_kerass(precision, compiled):
    features = tf.random.stateless_normal([4, 6, 6, 3], [0, 1], 2.0, 3.0)
    ours = trained(BatchNormalization(dtype=precision), features, compiled)
    keras_own = trained(keras.layers.BatchNormalization(momentum=0.9, dtype=precision), features, compiled)
    step = 2**-7 if precision == "mixed_bfloat16" else 1e-5
    for own, other in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(own, other, rtol=2 * step, atol=2 * step * np.abs(other).max())


def test_frozen_batch_normalization_keeps_its_mean_and_variance():
    layer = BatchNormalization()
    features = tf.random.stateless_normal([4, 6, 6, 3], [0, 1], 2.0, 3.0)
    before = layer(features)
    layer.trainable = False
    np.testing.assert_array_equal(layer(features, training=True), before)
    assert float(tf.reduce_max(tf.abs(layer.moving_mean.value))) == 0.0


def trained(layer, features, compiled: bool) -> list[np.ndarray]:
    """Its outputs in and after two trainings on different features, their gradients, and its variables."""
    layer.build(features.shape)
    layer.gamma.assign([0.5, 1.0, 2.0])
    layer.beta.assign([-1.0, 0.0, 1.0])

    @tf.function(autograph=False, jit_compile=compiled)
    def train(features):
        watched = [features, *(variable.value for variable in layer.trainable_variables)]
        with tf.GradientTape() as tape:
            tape.watch(features)
            outputs = tf.cast(layer(features, training=True), tf.float32)
            total = tf.reduce_sum(tf.sin(outputs))
        return [outputs, *tape.gradient(total, watched)]

    found = [*train(features), *train(features * 0.5 + 1.0), layer(features), *layer.variables]
    return [tf.cast(value, tf.float32).numpy() for value in found]


def test_leaky_relu_and_its_gradients_equal_kerass():
    found = [first_and_second_gradient(layer) for layer in (LeakyReLU(0.2), keras.layers.LeakyReLU(0.2))]
    for ours, keras_own in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, keras_own)


def first_and_second_gradient(layer) -> list[np.ndarray]:
    x = tf.constant([-2.0, -0.5, 0.0, 0.5, 2.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(x**3)
        first = inner.gradient(y, x)
    return [y.numpy(), first.numpy(), outer.gradient(first, x).numpy()]


def test_the_batch_deviation_equals_an_answer_known_on_paper():
    features = np.zeros([2, 1, 1, 2], np.float32)
    features[0, 0, 0], features[1, 0, 0] = (1, 10), (3, 10)  # deviations 1 and 0
    out = BatchDeviation()(tf.constant(features)).numpy()
    np.testing.assert_array_equal(out[..., :2], features)
    np.testing.assert_allclose(out[..., 2], 0.5, atol=1e-4)


def test_the_gradient_of_the_batch_deviation_is_finite_for_equal_images():
    features = tf.ones([4, 2, 2, 3])
    with tf.GradientTape() as tape:
        tape.watch(features)
        total = tf.reduce_sum(BatchDeviation()(features))
    assert np.isfinite(tape.gradient(total, features)).all()


def test_batch_norm_and_batch_deviation_are_computed_in_float32():
    """In bfloat16, with 8 bits, 256 + 1 is 256: an average of values around 256 shows its precision."""
    features = tf.cast(tf.fill([4, 2, 2, 1], 256.0), tf.bfloat16)
    spread = features + tf.cast(tf.reshape([0.0, 2.0, 4.0, 6.0], [4, 1, 1, 1]), tf.bfloat16)
    norm = BatchNormalization(dtype="mixed_bfloat16", epsilon=1e-6)
    normed = tf.cast(norm(spread, training=True), tf.float32).numpy()[:, 0, 0, 0]
    np.testing.assert_allclose(normed, np.array([-3, -1, 1, 3]) / np.sqrt(5), rtol=0.01)
    assert norm.moving_mean.dtype == "float32"
    deviation = tf.cast(BatchDeviation(dtype="mixed_bfloat16")(spread)[0, 0, 0, 1], tf.float32)
    assert float(deviation) == pytest.approx(np.sqrt(5), rel=0.01)
