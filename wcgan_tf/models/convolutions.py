"""Convolutions that halve the side of images, and their transposes, which double it, in forms that are fast on a CPU.

The results are those of TensorFlow's own, up to rounding.  Each of the two is the gradient of the other, so that there
are gradients of any order.  Measured in docs/performance.md.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers

SIZE = 4  # of the kernels, whose strides are 2
FEW = 4  # channels: of images, not of feature maps
EDGE = [[0, 0], [1, 1], [1, 1], [0, 0]]


class Halving(layers.Conv2D):
    """`keras.layers.Conv2D` with a kernel of 4x4 and strides of 2: [N, 2h, 2w, C] -> [N, h, w, filters]."""

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(filters, SIZE, strides=2, padding="same", **options)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return _finished(self, halved(images, tf.convert_to_tensor(self.kernel)))


class Doubling(layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with a kernel of 4x4 and strides of 2: [N, h, w, D] -> [N, 2h, 2w, filters]."""

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(filters, SIZE, strides=2, padding="same", **options)

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        # In inference plain operations: TensorFlow warns when it loads a SavedModel that has custom gradients.
        return _finished(self, (doubled if training else _doubled)(features, tf.convert_to_tensor(self.kernel)))


def _finished(layer: layers.Layer, outputs: tf.Tensor) -> tf.Tensor:
    return layer.activation(_biased(outputs, tf.convert_to_tensor(layer.bias)) if layer.use_bias else outputs)


def _biased(outputs: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """`tf.nn.bias_add`; of few channels whole rows at once, which takes a third of the time."""
    _, _, width, channels = outputs.shape
    if outputs.dtype == tf.bfloat16:
        return _biased_in_bfloat16(outputs, bias)
    if channels > FEW:
        return tf.nn.bias_add(outputs, bias)
    rows = tf.nn.bias_add(tf.reshape(outputs, [-1, width * channels]), tf.tile(bias, [width]))
    return tf.reshape(rows, tf.shape(outputs))


@tf.custom_gradient
def _biased_in_bfloat16(outputs: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """`tf.nn.bias_add`, whose own gradient would be a sum in bfloat16, off by a tenth and more."""

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = tf.reduce_sum(tf.cast(upstream, tf.float32), [0, 1, 2])
        return upstream, tf.cast(total, bias.dtype)

    return tf.nn.bias_add(outputs, bias), gradients


@tf.custom_gradient
def halved(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """[N, 2h, 2w, C] -> [N, h, w, D]: the convolution with a kernel [4, 4, C, D] and strides of 2; sides are even."""

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return doubled(upstream, kernel), _kernel_gradient(images, kernel, upstream)

    return tf.nn.conv2d(images, kernel, 2, "SAME"), gradients


@tf.custom_gradient
def doubled(features: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """[N, h, w, D] -> [N, 2h, 2w, C]: the transpose of `halved` with the same kernel [4, 4, C, D]."""

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return halved(upstream, kernel), _kernel_gradient(upstream, kernel, features)

    return _doubled(features, kernel), gradients


def _doubled(features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    channels = kernel.shape[2]
    if on_cpu() and channels <= FEW:
        return _doubled_by_blocks(features, kernel)
    _, height, width, _ = features.shape
    shape = [tf.shape(features)[0], 2 * height, 2 * width, channels]
    return tf.nn.conv2d_transpose(features, kernel, shape, 2, "SAME")


def _kernel_gradient(images: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """The gradient [4, 4, C, D] with respect to the kernel of a convolution of `images`, from that of its outputs."""
    if on_cpu() and images.dtype == tf.bfloat16 and kernel.shape[2] > FEW:
        return _kernel_gradient_by_product(images, upstream)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=images, filter_sizes=kernel.shape, out_backprop=upstream, strides=[1, 2, 2, 1], padding="SAME"
    )


def on_cpu() -> bool:
    """Whether this process computes on a CPU; cuDNN has good forms of its own."""
    return not tf.config.get_visible_devices("GPU")


def _doubled_by_blocks(features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`doubled` by a convolution with stride 1 that makes blocks of 2x2 pixels: a third of the time for 3 channels."""
    _, height, width, depth = features.shape
    channels = kernel.shape[2]
    by_rows_and_columns = tf.reshape(kernel, [2, 2, 2, 2, channels, depth])  # block and pixel, down and to the right
    of_blocks = tf.reshape(tf.transpose(by_rows_and_columns, [0, 2, 1, 3, 4, 5]), [2, 2, 4 * channels, depth])
    shape = [tf.shape(features)[0], height + 1, width + 1, 4 * channels]
    blocks = tf.nn.conv2d_transpose(features, of_blocks, shape, 1, "VALID")
    # One pixel at each edge lies outside of the image.
    return tf.slice(tf.nn.depth_to_space(blocks, 2), [0, 1, 1, 0], [-1, 2 * height, 2 * width, -1])


def _kernel_gradient_by_product(images: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """`_kernel_gradient` by one product of matrices: two thirds of the time in bfloat16."""
    _, height, width, depth = upstream.shape
    channels = images.shape[3]
    blocks = tf.nn.space_to_depth(tf.pad(images, EDGE), 2)  # every output pixel sees 2x2 of these blocks
    seen = [tf.slice(blocks, [0, down, right, 0], [-1, height, width, -1]) for down in (0, 1) for right in (0, 1)]
    rows = tf.reshape(tf.concat(seen, 3), [-1, SIZE * SIZE * channels])
    of_blocks = tf.matmul(rows, tf.reshape(upstream, [-1, depth]), transpose_a=True)
    by_blocks_and_pixels = tf.reshape(of_blocks, [2, 2, 2, 2, channels, depth])
    return tf.reshape(tf.transpose(by_blocks_and_pixels, [0, 2, 1, 3, 4, 5]), [SIZE, SIZE, channels, depth])
