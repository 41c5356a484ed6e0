"""Layers that more than one architecture uses."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

LEAST_VARIANCE = 1e-8  # keeps the root's gradient finite if all images of a batch are equal


class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of feature maps, with one operation where Keras takes ten in a training.

    In the precisions float32 and mixed_bfloat16.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(momentum=0.9, **options)

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[N, H, W, C] -> the same shape; Keras's formula, and its moving mean and variance."""
        if not (training and self.trainable):
            return super().call(features)
        normalized, mean, unbiased_variance = tf.compat.v1.nn.fused_batch_norm(
            features, self.gamma, self.beta, epsilon=self.epsilon
        )
        number = tf.cast(tf.reduce_prod(tf.shape(features)[:3]), tf.float32)
        found = ((self.moving_mean, mean), (self.moving_variance, unbiased_variance * (1.0 - 1.0 / number)))
        for moving, value in found:
            moving.assign(self.momentum * moving + (1.0 - self.momentum) * value)
        return normalized


class LeakyReLU(keras.layers.Layer):
    """max(x, slope x), whose gradient is computed from the output alone: the layer before can be fused with it."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def call(self, x: tf.Tensor) -> tf.Tensor:
        @tf.custom_gradient
        def activated(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            y = tf.nn.leaky_relu(x, self.slope)  # has the sign of x, as slopes are positive
            return y, lambda upstream: tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=self.slope)

        return activated(x)


class BatchDeviation(keras.layers.Layer):
    """Features [N, H, W, C] -> [N, H, W, C + 1]: adds a channel, the standard deviation over the batch.

    The deviation of each position and channel, averaged to one number in float32 (Karras et al. 2018, arXiv 1710.10196,
    section 3).  With it, a critic detects that the images of a batch are alike.
    """

    def call(self, features: tf.Tensor) -> tf.Tensor:
        variance = tf.math.reduce_variance(tf.cast(features, tf.float32), axis=0)
        deviation = tf.reduce_mean(tf.sqrt(variance + LEAST_VARIANCE))
        channel = tf.fill(tf.shape(features[..., :1]), tf.cast(deviation, features.dtype))
        return tf.concat([features, channel], axis=-1)
