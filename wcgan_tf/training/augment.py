"""Differentiable augmentation of both real and generated images (Zhao et al. 2020, arXiv 2006.10738).

Images are float32 [N, H, W, C] in -1..1, draws are float32 [N] in 0..1, one per image.  To add a kind: a function here,
a row in KINDS, and its name in config.py.
"""

from collections.abc import Callable

import tensorflow as tf

SHIFT = 1 / 8  # largest shift, as a share of the side
CUT = 1 / 2  # side of the square, as a share of the image's side


def flip(images: tf.Tensor, mirrored: tf.Tensor) -> tf.Tensor:
    """Mirror the images whose draw is above 0.5 left to right."""
    return tf.compat.v1.where(mirrored > 0.5, tf.reverse(images, [2]), images)


def color(images: tf.Tensor, brightness: tf.Tensor, saturation: tf.Tensor, contrast: tf.Tensor) -> tf.Tensor:
    """Add -0.5..0.5; scale deviations from the mean of the pixel by 0..2, then of the image by 0.5..1.5."""

    def scaled(images: tf.Tensor, axes: list[int], factor: tf.Tensor) -> tf.Tensor:
        mean = tf.reduce_mean(images, axes, keepdims=True)
        return mean + (images - mean) * factor[:, None, None, None]

    images = images + brightness[:, None, None, None] - 0.5
    return scaled(scaled(images, [3], 2.0 * saturation), [1, 2, 3], 0.5 + contrast)


def translation(images: tf.Tensor, down: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Shift by up to an eighth of the side in each direction, and fill with 0.

    The shift is a product with 0/1 matrices: such a product has gradients of any order on any device.
    """
    side = images.shape[1]
    most = round(side * SHIFT)

    def matrix(draw: tf.Tensor) -> tf.Tensor:
        shift = tf.cast(tf.floor(draw * (2 * most + 1)), tf.int32) - most
        return tf.one_hot(tf.range(side)[None] - shift[:, None], side)  # a row outside 0..side-1 is all zeros

    return tf.einsum("nij,njkc,nlk->nilc", matrix(down), images, matrix(right))


def cutout(images: tf.Tensor, top: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """Set a square of half the side to 0; its centre may be anywhere, and it is clipped at the edges."""
    side = images.shape[1]
    cut = round(side * CUT)
    places = tf.range(side, dtype=tf.float32)[None]

    def outside(draw: tf.Tensor) -> tf.Tensor:
        first = tf.floor(draw * (side + 1 - cut % 2))[:, None] - cut // 2
        return (places < first) | (places >= first + cut)

    keep = outside(top)[:, :, None] | outside(left)[:, None, :]
    return images * tf.cast(keep, images.dtype)[..., None]


# name -> (function, number of its draws)
KINDS: dict[str, tuple[Callable, int]] = {"color": (color, 3), "translation": (translation, 2), "cutout": (cutout, 2)}
DRAWS = 1 + sum(count for _, count in KINDS.values())


def augment(images: tf.Tensor, draws: tf.Tensor, kinds: tuple[str, ...], mirror: bool) -> tf.Tensor:
    """Flip the images if `mirror` is set, then apply each of `kinds`; the shape stays the same.

    Args:
        images: float32 [N, H, W, C] in -1..1.
        draws: float32 [N, DRAWS], uniform in 0..1.
        kinds: names from KINDS; applied in the order of KINDS, other names are ignored.
    """
    columns = iter(tf.unstack(draws, axis=1))
    mirrored = next(columns)
    if mirror:
        images = flip(images, mirrored)
    for name, (function, count) in KINDS.items():
        own = [next(columns) for _ in range(count)]
        if name in kinds:
            images = function(images, *own)
    return images
