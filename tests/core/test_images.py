import numpy as np

from wcgan_tf.core.images import enlarge, tile, to_uint8, to_unit


def test_every_grey_level_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    unit = to_unit(levels).numpy()
    assert unit.min() == -1.0
    assert unit.max() == 1.0
    np.testing.assert_array_equal(to_uint8(unit), levels)


def test_values_outside_the_range_are_clipped():
    np.testing.assert_array_equal(to_uint8(np.array([-3.0, 0.0, 3.0])), [0, 128, 255])


def test_tile_fills_rows_with_white_between_images():
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    picture = tile(images, columns=2)[..., 0]
    assert picture.shape == (5, 5)
    np.testing.assert_array_equal(picture[[0, 0, 3], [0, 3, 0]], [0, 1, 2])
    assert (picture[2] == 255).all()
    assert (picture[3:, 3:] == 255).all()


def test_a_flat_image_stays_flat_when_enlarged():
    images = np.full((2, 4, 4, 3), 77, np.uint8)
    np.testing.assert_array_equal(enlarge(images, 3), np.full((2, 12, 12, 3), 77))
