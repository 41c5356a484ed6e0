"""Decoding of any picture to uint8 pixels of a given square size and channel count.  Pillow; no TensorFlow."""

import contextlib
import io
import os
import stat
import threading
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

LEAST_REDUCTION = 2  # a JPEG decoded small still has this many times the side that is asked for; Lanczos does the rest

# Pillow takes 4 bytes for a pixel, and as much again for each copy; a file of some kB may have 179,000,000 of them.
LARGE_PIXELS, STRIP_PIXELS = 2**25, 2**20  # of a picture that is decoded alone, and then made small in strips
LARGE = threading.Lock()
MOST_REDUCTION = 16  # in strips: by 300, Pillow makes 254 of 255

Content = Path | bytes | np.ndarray


class TooSmallError(ValueError):
    """A picture has fewer pixels than are asked for.  It is not enlarged: blurred images teach blur."""

    def __init__(self, size: tuple[int, int], resolution: int) -> None:
        width, height = size
        super().__init__(f"{width}x{height} pixels are fewer than dataset.resolution={resolution}")


class Square(NamedTuple):
    """A picture as uint8 [resolution, resolution, channels], and whether its size was changed.

    `brightest` is the largest value of a picture with 16 bits, before they are scaled; None for others.
    """

    pixels: np.ndarray
    resized: bool
    brightest: int | None = None


def square(content: Content, resolution: int, channels: int, bit_depth: int = 16) -> Square:
    """Centre-crop to a square, resize with antialiasing (Lanczos), and convert to grey (1 channel) or RGB (3 channels).

    Args:
        content: a path, a file's bytes, or uint8 [H, W, 1 or 3].  The EXIF orientation is applied, transparent parts
            become white, and 16 bits are scaled to 8.
        bit_depth: the number of bits that pictures with 16 bits use: a camera's 12 may lie in a file of 16.

    Raises:
        TooSmallError: if its width or height is below `resolution`.
        Exception: of any type that Pillow raises for a file that is damaged or no image.
    """
    with contextlib.ExitStack() as opened:
        image = opened.enter_context(_image(content, opened))
        if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):  # older Pillow: a PNG of 16 bits
            raise ValueError("its pixels are 32-bit numbers, whose range is not known; save it with 8 or 16 bits")
        if min(image.size) < resolution:
            raise TooSmallError(image.size, resolution)
        # A JPEG much larger than that is decoded at a half, a quarter or an eighth: several times as fast.
        image.draft(None, (LEAST_REDUCTION * resolution, LEAST_REDUCTION * resolution))
        large = image.width * image.height > LARGE_PIXELS
        if large:
            opened.enter_context(LARGE)
        ImageOps.exif_transpose(image, in_place=True)
        brightest = int(np.asarray(image).max()) if image.mode.startswith("I") else None
        mode = "L" if channels == 1 else "RGB"
        factor = max(1, min(MOST_REDUCTION, min(image.size) // (LEAST_REDUCTION * resolution)))
        plain = _in_strips(image, mode, bit_depth, factor) if large else _plain(image, mode, bit_depth)
    size = (resolution, resolution)
    fitted = plain if plain.size == size else ImageOps.fit(plain, size, Image.Resampling.LANCZOS)
    pixels = np.asarray(fitted, np.uint8).reshape(resolution, resolution, channels)
    return Square(pixels, plain.size != size, brightest)


def _image(content: Content, opened: contextlib.ExitStack) -> Image.Image:
    """The picture, not decoded yet; its file is closed with `opened`."""
    if isinstance(content, np.ndarray):
        return Image.fromarray(content[..., 0] if content.shape[-1] == 1 else content)
    file = io.BytesIO(content) if isinstance(content, bytes) else opened.enter_context(_regular(content))
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        raise ValueError("cannot identify image file") from None  # Pillow's own text has the file's path


def _regular(path: Path) -> BinaryIO:
    """Open a file, without waiting for a writer if it has become a named pipe since it was listed."""
    file = open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("it is no regular file")
    return file


def _in_strips(image: Image.Image, mode: str, bit_depth: int, factor: int) -> Image.Image:
    """`_plain` of a large picture with sides so many times smaller, without a second picture of its size."""
    width, height = image.width // factor, image.height // factor
    small, rows = Image.new(mode, (width, height)), max(1, STRIP_PIXELS // (image.width * factor))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = image.crop((0, top * factor, width * factor, bottom * factor))
        small.paste(_plain(strip, mode, bit_depth).reduce(factor), (0, top))
    return small


def _plain(image: Image.Image, mode: str, bit_depth: int) -> Image.Image:
    """The image in `mode`, without palette, transparency, 16 bits or CMYK."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow's own conversion clips at 255
        values, transparent = np.asarray(image), image.info.get("transparency")
        scaled = np.round(values * (255 / (2**bit_depth - 1))).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(scaled if transparent is None else np.where(values == transparent, 255, scaled))
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(white, coloured)
    return image if image.mode == mode else image.convert(mode)
