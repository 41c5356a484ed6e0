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
        self._powers: tuple[tf.Tensor, tf.Tensor]  # of the betas, in the step that is being traced

    def apply(self, grads: list, trainable_variables: list | None = None) -> None:
        """As in Keras."""
        step = tf.cast(self.iterations + 1, tf.float32)
        self._powers = self.beta_1**step, self.beta_2**step  # once for all variables
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """As in Keras; `gradient` has the shape and dtype of `variable`."""
        place = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=self._powers[0],
            beta2_power=self._powers[1],
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
