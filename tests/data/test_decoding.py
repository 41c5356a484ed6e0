"""Images of all kinds that a folder may hold, each against the expected pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from wcgan_tf.data.decoding import square


def stored(image: Image.Image, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def one_colour(mode: str, colour, size=(6, 6)) -> Image.Image:
    return Image.new(mode, size, colour)


def palette() -> Image.Image:
    image = one_colour("P", 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    return image


KINDS = {  # the stored image, and the expected colour
    "rgb": (stored(one_colour("RGB", (10, 200, 30))), (10, 200, 30)),
    "grey": (stored(one_colour("L", 77)), (77, 77, 77)),
    "one bit": (stored(one_colour("1", 1)), (255, 255, 255)),
    "palette": (stored(palette()), (10, 200, 30)),
    "opaque": (stored(one_colour("RGBA", (10, 200, 30, 255))), (10, 200, 30)),
    "clear": (stored(one_colour("RGBA", (10, 200, 30, 0))), (255, 255, 255)),
    "grey and clear": (stored(one_colour("LA", (100, 0))), (255, 255, 255)),
    "palette and clear": (stored(palette(), transparency=1), (255, 255, 255)),
    "16 bits": (stored(one_colour("I;16", 257 * 50)), (50, 50, 50)),
    "16 bits and clear": (stored(one_colour("I;16", 257 * 50), transparency=257 * 50), (255, 255, 255)),
    "cmyk": (stored(one_colour("CMYK", (255, 0, 0, 0)), "JPEG", quality=100), (0, 255, 255)),
    "grey array": (np.full([6, 6, 1], 9, np.uint8), (9, 9, 9)),
    "rgb array": (np.full([6, 6, 3], 9, np.uint8), (9, 9, 9)),
}


@pytest.mark.parametrize(("content", "colour"), KINDS.values(), ids=KINDS)
def test_every_mode_becomes_rgb(content, colour):
    pixels, resized, _ = square(content, 6, 3)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (6, 6, 3)
    assert not resized
    assert np.abs(pixels.astype(int) - colour).max() <= 1


def test_colours_become_grey_for_one_channel():
    pixels, *_ = square(stored(one_colour("RGB", (10, 200, 30))), 6, 1)
    assert pixels.shape == (6, 6, 1)
    assert np.abs(pixels.astype(int) - round(0.299 * 10 + 0.587 * 200 + 0.114 * 30)).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(40, 20), (20, 40)])
def test_the_middle_of_an_image_is_kept(height, width):
    image = np.zeros([height, width, 3], np.uint8)
    top, left = (height - 20) // 2, (width - 20) // 2
    image[top : top + 20, left : left + 20] = 255
    pixels, resized, _ = square(image, 10, 3)
    assert resized
    assert pixels.min() > 200  # at two edges the filter reads some pixels from outside
    assert pixels[1:-1, 1:-1].min() > 250


def test_shrinking_is_antialiased():
    stripes = np.zeros([64, 64, 1], np.uint8)
    stripes[:, ::2] = 254
    pixels, *_ = square(stripes, 8, 1)  # every eighth column would be all 0 or all 254
    assert np.abs(pixels[:, 1:-1].astype(int) - 127).max() <= 1


def test_a_photograph_is_turned_upright():
    image = Image.fromarray(np.vstack([np.zeros([8, 16], np.uint8), np.full([8, 16], 255, np.uint8)]))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels, *_ = square(stored(image, "JPEG", exif=exif), 16, 1)
    assert pixels[:7].min() > 250
    assert pixels[9:].max() < 5


def test_a_large_jpeg_becomes_what_its_full_size_does():
    noise = np.random.default_rng(0).integers(0, 255, [40, 50, 3], np.uint8)
    photograph = Image.fromarray(noise).resize((500, 400), Image.Resampling.BICUBIC)
    content = stored(photograph, "JPEG", quality=95)
    pixels, resized, _ = square(content, 32, 3)  # decoded at a quarter of its size
    expected, *_ = square(np.asarray(Image.open(io.BytesIO(content))), 32, 3)
    assert resized
    assert 0 < np.abs(pixels.astype(int) - expected).mean() < 2
    with pytest.raises(OSError, match="truncated"):
        square(content[: len(content) // 2], 32, 3)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_of_unknown_range_are_an_error(tmp_path, kind):
    Image.fromarray(np.full([8, 8], 1, kind)).save(tmp_path / "one.tiff")
    with pytest.raises(ValueError, match="32-bit numbers, whose range is not known; save it with 8 or 16 bits"):
        square(tmp_path / "one.tiff", 8, 3)


def test_a_truncated_file_is_an_error(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, [64, 64, 3], np.uint8)
    for content in (stored(Image.fromarray(noise), "JPEG"), stored(Image.fromarray(noise))):
        file = tmp_path / "half"
        file.write_bytes(content[: len(content) // 2])
        with pytest.raises(OSError, match=r"truncated|broken"):
            square(file, 64, 3)


@pytest.mark.parametrize(("bit_depth", "expected"), [(16, 8), (12, 128), (10, 255)])
def test_16_bits_are_scaled_by_those_that_are_used(bit_depth, expected):
    pixels, _, brightest = square(stored(one_colour("I;16", 2056)), 6, 1, bit_depth)
    assert abs(int(pixels[0, 0, 0]) - expected) <= 1
    assert brightest == 2056
    assert square(stored(one_colour("L", 77)), 6, 1, bit_depth).brightest is None
