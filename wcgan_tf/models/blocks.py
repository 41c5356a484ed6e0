"""Layers that more than one architecture uses."""

import keras
import tensorflow as tf

LEAST_VARIANCE = 1e-8  # the root, and its gradient, stay finite if all images of a batch are the same


class BatchDeviation(keras.layers.Layer):
    """Features [N, H, W, C] -> [N, H, W, C + 1]: one more channel, the standard deviation over the batch.

    It is taken at each place and channel and averaged to one number (Karras et al. 2018, arXiv 1710.10196, section 3),
    with which a critic sees at once that all images of a batch are alike.  Taken in float32.
    """

    def call(self, features: tf.Tensor) -> tf.Tensor:
        variance = tf.math.reduce_variance(tf.cast(features, tf.float32), axis=0)
        deviation = tf.reduce_mean(tf.sqrt(variance + LEAST_VARIANCE))
        channel = tf.fill(tf.shape(features[..., :1]), tf.cast(deviation, features.dtype))
        return tf.concat([features, channel], axis=-1)
