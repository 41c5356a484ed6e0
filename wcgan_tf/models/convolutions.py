"""Convolutions that halve the side of images, and their transposes, which double it, in forms that are fast on a CPU.

The results are those of TensorFlow's own, up to rounding.  Each of the two is the gradient of the other, so that there
are gradients of any order.  Measured in docs/performance.md.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers

from wcgan_tf.core import machine

SIZE = 4  # of the kernels, whose strides are 2
FEW = 4  # channels: of images, not of feature maps
EDGE = [[0, 0], [1, 1], [1, 1], [0, 0]]
PLACES = [(down, right) for down in (0, 1) for right in (0, 1)]  # of a block among the 2x2


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

    form = _doubled_by_products if _by_products(features, kernel.shape[2]) else _doubled
    return form(features, kernel), gradients


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
    if _by_products(images, kernel.shape[2]):
        return _kernel_gradient_by_products(images, upstream)
    return tf.raw_ops.Conv2DBackpropFilter(
        input=images, filter_sizes=kernel.shape, out_backprop=upstream, strides=[1, 2, 2, 1], padding="SAME"
    )


def on_cpu() -> bool:
    """Whether this process computes on a CPU; cuDNN has good forms of its own."""
    return not tf.config.get_visible_devices("GPU")


def _by_products(operand: tf.Tensor, channels: int) -> bool:
    """Whether oneDNN's gradients of convolutions are slower than products of matrices, as in float32 with AVX2."""
    return on_cpu() and operand.dtype == tf.float32 and channels > FEW and machine.computes_with_avx2()


def _doubled_by_blocks(features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`doubled` by a convolution with stride 1 that makes blocks of 2x2 pixels: a third of the time for 3 channels."""
    of_blocks, (_, height, width, _) = _of_blocks(kernel), features.shape
    shape = [tf.shape(features)[0], height + 1, width + 1, of_blocks.shape[2]]
    return _pixels(tf.nn.conv2d_transpose(features, of_blocks, shape, 1, "VALID"))


def _doubled_by_products(features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`doubled` as a sum of four products: every feature makes 2x2 blocks of 2x2 pixels."""
    of_blocks, (_, height, width, depth) = _of_blocks(kernel), features.shape
    rows, parts = tf.reshape(features, [-1, depth]), []
    for down, right in PLACES:
        part = tf.matmul(rows, of_blocks[down, right], transpose_b=True)
        edges = [[0, 0], [down, 1 - down], [right, 1 - right], [0, 0]]
        parts.append(tf.pad(tf.reshape(part, [-1, height, width, of_blocks.shape[2]]), edges))
    return _pixels(tf.add_n(parts))


def _of_blocks(kernel: tf.Tensor) -> tf.Tensor:
    """A kernel [4, 4, C, D] -> what a feature adds to the 2x2 blocks of 2x2 pixels around it, [2, 2, 4 C, D]."""
    channels, depth = kernel.shape[2:]
    by_rows_and_columns = tf.reshape(kernel, [2, 2, 2, 2, channels, depth])  # block and pixel, down and to the right
    return tf.reshape(tf.transpose(by_rows_and_columns, [0, 2, 1, 3, 4, 5]), [2, 2, 4 * channels, depth])


def _pixels(blocks: tf.Tensor) -> tf.Tensor:
    """Blocks of 2x2 pixels, [N, h + 1, w + 1, 4 C] -> [N, 2h, 2w, C]: one pixel at each edge lies outside."""
    _, height, width, _ = blocks.shape
    return tf.slice(tf.nn.depth_to_space(blocks, 2), [0, 1, 1, 0], [-1, 2 * height - 2, 2 * width - 2, -1])


def _kernel_gradient_by_product(images: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """`_kernel_gradient` by one product of matrices: two thirds of the time in bfloat16."""
    _, height, width, depth = upstream.shape
    channels = images.shape[3]
    blocks = tf.nn.space_to_depth(tf.pad(images, EDGE), 2)  # every output pixel sees 2x2 of these blocks
    seen = [tf.slice(blocks, [0, down, right, 0], [-1, height, width, -1]) for down, right in PLACES]
    rows = tf.reshape(tf.concat(seen, 3), [-1, SIZE * SIZE * channels])
    of_blocks = tf.matmul(rows, tf.reshape(upstream, [-1, depth]), transpose_a=True)
    by_blocks_and_pixels = tf.reshape(of_blocks, [2, 2, 2, 2, channels, depth])
    return tf.reshape(tf.transpose(by_blocks_and_pixels, [0, 2, 1, 3, 4, 5]), [SIZE, SIZE, channels, depth])


def _kernel_gradient_by_products(images: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """`_kernel_gradient` by four products, with one operand transposed before: TensorFlow's own transposing is slow."""
    _, height, width, depth = upstream.shape
    channels = images.shape[3]
    blocks = tf.nn.space_to_depth(tf.pad(images, EDGE), 2)  # every output pixel sees 2x2 of these blocks
    columns = tf.reshape(tf.transpose(upstream, [3, 0, 1, 2]), [depth, -1])
    seen = [tf.slice(blocks, [0, down, right, 0], [-1, height, width, -1]) for down, right in PLACES]
    of_blocks = tf.stack([tf.matmul(columns, tf.reshape(part, [-1, 4 * channels])) for part in seen])
    by_blocks_and_pixels = tf.reshape(of_blocks, [2, 2, depth, 2, 2, channels])
    return tf.reshape(tf.transpose(by_blocks_and_pixels, [0, 3, 1, 4, 5, 2]), [SIZE, SIZE, channels, depth])
