"""Adam as one operation against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.training import optimizers


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "XLA"])
@pytest.mark.parametrize("betas", [(0.0, 0.9), (0.5, 0.999)])
def test_adam_equals_keras_adam_up_to_rounding(betas, compiled):
    ends = [after_five_steps(kind(0.1, *betas), compiled) for kind in (keras.optimizers.Adam, optimizers.Adam)]
    for keras_own, ours in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, keras_own, rtol=1e-4, atol=1e-7)


def after_five_steps(optimizer, compiled: bool) -> list[np.ndarray]:
    """Two variables and the optimizer's own; each step has another learning rate."""
    variables = [keras.Variable([3.0, -2.0, 1e-3]), keras.Variable([[5.0]])]
    optimizer.build(variables)

    @tf.function(autograph=False, jit_compile=compiled)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(variables[0] ** 2) + tf.sin(variables[1][0, 0])
        optimizer.apply(tape.gradient(loss, variables), variables)

    for number in range(5):
        optimizer.learning_rate = 0.1 / (1 + number)
        step()
    assert int(optimizer.iterations) == 5
    assert float(variables[0][0]) < 2.9
    return [variable.numpy() for variable in [*variables, *optimizer.variables]]
