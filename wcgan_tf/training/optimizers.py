"""Keras's Adam with one TensorFlow operation per variable's update."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` with TensorFlow's own kernel: about twenty fewer operations to trace per variable.

    Variables and formula are the same (Kingma and Ba 2015, end of section 2), results differ by rounding only.  Keras's
    other arguments are left out, because the kernel would silently ignore `amsgrad`.
    """

    def __init__(self, learning_rate: float, beta_1: float, beta_2: float) -> None:
        super().__init__(learning_rate, beta_1, beta_2)

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """As in Keras; `gradient` has the shape and dtype of `variable`."""
        step = tf.cast(self.iterations + 1, variable.dtype)
        place = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
