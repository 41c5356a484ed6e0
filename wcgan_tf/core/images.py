"""Conversion and tiling of images: uint8 in 0..255 in files and for display, float32 in -1..1 in networks."""

import numpy as np
import tensorflow as tf

GAP = 1  # white pixels between two images of a picture


def to_unit(images: tf.Tensor) -> tf.Tensor:
    """uint8 [..., H, W, C] in 0..255 -> float32 in -1..1.  Inverse: `to_uint8`."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """float [..., H, W, C] in -1..1 -> uint8 in 0..255, rounded; values outside are clipped."""
    return tf.cast(tf.round(tf.clip_by_value((tf.cast(images, tf.float32) + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)


def enlarge(images: np.ndarray, factor: int) -> np.ndarray:
    """uint8 [n, H, W, C] -> uint8 [n, factor * H, factor * W, C], by bicubic interpolation."""
    size = [factor * images.shape[1], factor * images.shape[2]]
    return tf.cast(tf.clip_by_value(tf.round(tf.image.resize(images, size, "bicubic")), 0, 255), tf.uint8).numpy()


def tile(images: np.ndarray, columns: int, gap: int = GAP) -> np.ndarray:
    """uint8 [n, H, W, C] -> one picture uint8 [h, w, C], filled row by row; gaps and empty cells are white."""
    number, height, width, channels = images.shape
    rows = -(-number // columns)
    picture = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        picture[top : top + height, left : left + width] = image
    return picture
