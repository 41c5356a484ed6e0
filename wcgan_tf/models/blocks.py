"""Layers that more than one architecture uses."""

import keras
import tensorflow as tf

LEAST_VARIANCE = 1e-8  # keeps the root's gradient finite if all images of a batch are equal


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
