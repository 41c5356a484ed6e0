"""Augmentation with draws that the test chooses, against images known on paper."""

import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.config import AUGMENTS
from wcgan_tf.training import augment

SIDE = 8
IMAGES = tf.random.stateless_uniform([5, SIDE, SIDE, 3], [1, 2], -1, 1)


def all_of(value: float) -> tf.Tensor:
    return tf.fill([5], value)


def test_the_names_are_those_of_the_settings():
    assert tuple(augment.KINDS) == AUGMENTS


def test_a_flip_mirrors_left_to_right():
    draws = tf.constant([0.1, 0.9, 0.2, 0.8, 0.5])
    flipped = augment.flip(IMAGES, draws).numpy()
    for index, mirrored in enumerate([False, True, False, True, False]):
        expected = IMAGES[index].numpy()
        np.testing.assert_array_equal(flipped[index], expected[:, ::-1] if mirrored else expected)


def test_middle_draws_leave_the_colours_alone():
    np.testing.assert_allclose(augment.color(IMAGES, *[all_of(0.5)] * 3), IMAGES, atol=1e-6)


def test_draws_set_brightness_saturation_and_contrast():
    brighter = augment.color(IMAGES, all_of(0.75), all_of(0.5), all_of(0.5))
    np.testing.assert_allclose(brighter, IMAGES + 0.25, atol=1e-6)
    grey = augment.color(IMAGES, all_of(0.5), all_of(0.0), all_of(0.5)).numpy()
    np.testing.assert_allclose(grey, np.repeat(IMAGES.numpy().mean(-1, keepdims=True), 3, -1), atol=1e-6)
    flatter = augment.color(IMAGES, all_of(0.5), all_of(0.5), all_of(0.0)).numpy()
    np.testing.assert_allclose(flatter.std((1, 2, 3)), IMAGES.numpy().std((1, 2, 3)) / 2, rtol=1e-5)


@pytest.mark.parametrize(("down", "right"), [(0.0, 0.5), (0.999, 0.5), (0.5, 0.0), (0.999, 0.999)])
def test_a_shift_moves_by_an_eighth_at_most_and_fills_with_zero(down, right):
    shifted = augment.translation(IMAGES, all_of(down), all_of(right)).numpy()
    step = {0.0: -1, 0.5: 0, 0.999: 1}
    padded = np.pad(IMAGES.numpy(), ((0, 0), (1, 1), (1, 1), (0, 0)))
    top, left = 1 - step[down], 1 - step[right]
    np.testing.assert_allclose(shifted, padded[:, top : top + SIDE, left : left + SIDE])


@pytest.mark.parametrize(
    ("side", "draw", "zeros"),
    [
        (8, 0.5, [2, 3, 4, 5]),  # the middle is the edge between pixels 3 and 4
        (8, 0.0001, [0, 1]),  # the middle is the first edge
        (8, 0.9999, [6, 7]),  # the middle is the last edge
        (14, 0.5, [4, 5, 6, 7, 8, 9, 10]),  # a square of 7 pixels, its middle is pixel 7
        (14, 0.0001, [0, 1, 2, 3]),
        (14, 0.9999, [10, 11, 12, 13]),
    ],
)
def test_a_cutout_has_half_the_side_and_is_clipped_at_the_edges(side, draw, zeros):
    images = tf.random.stateless_uniform([5, side, side, 3], [1, 2], 0.5, 1.0)
    cut = augment.cutout(images, all_of(draw), all_of(0.5)).numpy()
    gone = (cut == 0).all(-1)[0]
    assert list(np.flatnonzero(gone.any(1))) == zeros
    assert gone.any(0).sum() == side // 2
    np.testing.assert_array_equal(cut[:, ~gone], images.numpy()[:, ~gone])


def test_only_the_requested_kinds_are_applied():
    draws = tf.random.stateless_uniform([5, augment.DRAWS], [3, 4])
    np.testing.assert_array_equal(augment.augment(IMAGES, draws, ("none",), mirror=False), IMAGES)
    seen = {np.asarray(augment.augment(IMAGES, draws, (kind,), mirror=False)).tobytes() for kind in AUGMENTS}
    assert len(seen) == len(AUGMENTS)
    assert IMAGES.numpy().tobytes() not in seen


def test_gradients_pass_through_all_augmentations():
    draws = tf.random.stateless_uniform([5, augment.DRAWS], [3, 4])
    with tf.GradientTape() as tape:
        tape.watch(IMAGES)
        total = tf.reduce_sum(augment.augment(IMAGES, draws, AUGMENTS, mirror=True) ** 2)
    gradient = tape.gradient(total, IMAGES).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient != 0).mean() > 0.5
