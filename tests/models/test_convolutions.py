"""Convolutions that halve and double, against TensorFlow's own, with their first and second gradients."""

import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.core import machine
from wcgan_tf.models import convolutions
from wcgan_tf.models.convolutions import Doubling, Halving, doubled, halved

BFLOAT16_STEP = 2**-8  # of a number in 1..2


def plainly_halved(images, kernel):
    return tf.nn.conv2d(images, kernel, 2, "SAME")


def plainly_doubled(features, kernel):
    count, height, width, _ = features.shape
    return tf.nn.conv2d_transpose(features, kernel, [count, 2 * height, 2 * width, kernel.shape[2]], 2, "SAME")


def normal(*shape: int, seed: int = 0, precision: str = "float32") -> tf.Tensor:
    return tf.cast(tf.random.stateless_normal(shape, [seed, 1]), precision)


def with_gradients(operation, x, kernel, compiled: bool) -> list[np.ndarray]:
    """The outputs; the gradients of a function of them; those of the norm of the gradient of x, as in the penalty."""

    @tf.function(autograph=False, jit_compile=compiled)
    def computed():
        with tf.GradientTape(persistent=True) as outer:
            outer.watch([x, kernel])
            with tf.GradientTape(persistent=True) as inner:
                inner.watch([x, kernel])
                outputs = operation(x, kernel)
                total = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
            first = inner.gradient(total, [x, kernel])
            norm = tf.reduce_sum(tf.cast(first[0], tf.float32) ** 2)
        return [outputs, *first, *outer.gradient(norm, [x, kernel])]

    return [tf.cast(value, tf.float32).numpy() for value in computed()]


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "XLA"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("on", ["avx2", "avx512", "gpu"])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize(
    "pair", [(halved, plainly_halved, 2), (doubled, plainly_doubled, 1)], ids=["halved", "doubled"]
)
def test_they_and_their_gradients_are_tensorflows(pair, channels, on, precision, compiled, monkeypatch):
    monkeypatch.setattr(convolutions, "on_cpu", lambda: on != "gpu")
    monkeypatch.setattr(machine, "computes_with_avx2", lambda: on == "avx2")
    ours, plain, scale = pair
    kernel = 0.2 * normal(4, 4, channels, 6, seed=1)
    x = normal(3, 4 * scale, 6 * scale, channels if scale == 2 else 6)
    truth = with_gradients(plain, x, kernel, compiled=False)
    x, kernel = tf.cast(x, precision), tf.cast(kernel, precision)
    found = with_gradients(ours, x, kernel, compiled)
    # With rounding in each of up to five operations; twice that of TensorFlow's own if it rounds as often.
    tolerance = 1e-5 if precision == "float32" else 10 * BFLOAT16_STEP
    for own, other in zip(found, truth, strict=True):
        np.testing.assert_allclose(own, other, rtol=0, atol=tolerance * np.abs(other).max())


@pytest.mark.parametrize("layer", [Halving, Doubling])
def test_the_layers_are_kerass_convolutions_with_its_variables(layer):
    made, kerass = layer(7, activation="tanh"), layer.__bases__[0](7, 4, strides=2, padding="same", activation="tanh")
    x = normal(2, 8, 8, 3)
    made(x), kerass(x)
    assert [own.path.split("/")[-1] for own in made.variables] == ["kernel", "bias"]
    made.bias.assign(np.arange(7) / 7)
    for own, variable in zip(kerass.variables, made.variables, strict=True):
        own.assign(variable)
    np.testing.assert_allclose(made(x), kerass(x), atol=1e-6)


def test_a_batch_of_unknown_size_can_be_doubled():
    kernel = normal(4, 4, 3, 6)
    any_batch = tf.function(lambda x: doubled(x, kernel), [tf.TensorSpec([None, 4, 4, 6])], autograph=False)
    x = normal(5, 4, 4, 6)
    np.testing.assert_allclose(any_batch(x), plainly_doubled(x, kernel), atol=1e-5)


@pytest.mark.parametrize("filters", [3, 5])
def test_the_gradient_of_a_bias_in_bfloat16_is_summed_in_float32(filters):
    """In bfloat16, with 8 bits, a sum of ones ends at 256; these are 4,096 of each channel."""
    layer = Halving(filters, dtype="mixed_bfloat16")
    images = normal(16, 32, 32, 3)
    layer(images)

    @tf.function(autograph=False)
    def gradient():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.cast(layer(images), tf.float32))
        return tape.gradient(total, layer.bias.value)

    np.testing.assert_array_equal(gradient(), 4096.0)
