"""Generated images as files for people and programs: a labelled grid, an .npz, a folder of PNGs, an animation.

Each takes labels with their names and, for each, batches of images, and never holds more than a batch: a million images
are a matter of time and disk.  Only the grid and the animation, which a person looks at, hold all.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from wcgan_tf.combined import pictures

COLUMNS = 16
MOST_ROWS = 400  # of a grid: more is no picture, and matplotlib's limit is not far
NAME_LETTERS = 60
FRAME_MILLISECONDS = 80
CAPTION_HEIGHT = 16

Batches = Callable[[int], Iterator[np.ndarray]]  # label -> its images, uint8 [n, H, W, C], in batches


def grid(labels: dict[int, str], number: int, batches: Batches, path: Path) -> None:
    """A PNG with rows of up to COLUMNS images, the label's name beside its first."""
    names, rows = [], []
    for label, name in labels.items():
        images = np.concatenate(list(batches(label)))
        for start in range(0, number, COLUMNS):
            names.append(name if start == 0 else "")
            rows.append(images[start : start + COLUMNS])
    pictures.draw(names, {"": rows}, min(number, COLUMNS), path)


def grid_rows(labels: int, number: int) -> int:
    """How many rows such a grid has."""
    return labels * -(-number // COLUMNS)


def arrays(labels: dict[int, str], number: int, batches: Batches, path: Path) -> None:
    """An .npz with `images` uint8 [n, H, W, C], `labels` int32 [n] and `names`, of these labels, in their order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            begun = False
            for label in labels:
                for images in batches(label):
                    if not begun:
                        shape = (len(labels) * number, *images.shape[1:])
                        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                        np.lib.format.write_array_header_2_0(file, header)
                        begun = True
                    file.write(images.tobytes())
        for name, array in (
            ("labels", np.repeat(np.array(list(labels), np.int32), number)),
            ("names", np.array(list(labels.values()))),
        ):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def folder(labels: dict[int, str], number: int, batches: Batches, path: Path) -> None:
    """A folder of each label with its images: `00003-cat/000000.png`."""
    for label, name in labels.items():
        inside = path / folder_name(label, name)
        inside.mkdir(parents=True)
        index = 0
        for images in batches(label):
            for image in images:
                as_image(image).save(inside / f"{index:06d}.png", compress_level=1)
                index += 1


def folder_name(label: int, name: str) -> str:
    """What a label's folder is called, whatever letters its name has."""
    return f"{label:05d}-{re.sub(r'[^0-9A-Za-z_]+', '_', name)[:NAME_LETTERS]}"


def animation(labels: dict[int, str], number: int, batches: Batches, path: Path) -> None:
    """A GIF that goes through the images of all labels at once, each below its name, there and back, for ever."""
    strips = [np.concatenate(list(batches(label))) for label in labels]
    frames = [_frame([strip[turn] for strip in strips], list(labels.values())) for turn in range(number)]
    there_and_back = [*frames, *frames[-2:0:-1]]
    there_and_back[0].save(
        path, format="GIF", save_all=True, append_images=there_and_back[1:], duration=FRAME_MILLISECONDS, loop=0
    )


def _frame(images: list[np.ndarray], names: list[str]) -> PIL.Image.Image:
    """An image of each label, in rows, below the labels' names."""
    columns = min(len(images), COLUMNS)
    parts = []
    for start in range(0, len(images), columns):
        row = pictures.block([np.stack(images[start : start + columns])], columns)
        parts += [_caption(names[start : start + columns], row.shape[1], columns, row.shape[2]), row]
    return as_image(np.concatenate(parts))


def _caption(names: list[str], width: int, columns: int, channels: int) -> np.ndarray:
    """A white strip, uint8 [CAPTION_HEIGHT, width, channels], with the beginning of each name above its column."""
    strip = PIL.Image.new("L", (width, CAPTION_HEIGHT), 255)
    for place, name in enumerate(names):
        cell = PIL.Image.new("L", (width // columns - 1, CAPTION_HEIGHT), 255)
        PIL.ImageDraw.Draw(cell).text((1, 1), name, fill=0, font=PIL.ImageFont.load_default(CAPTION_HEIGHT - 4))
        strip.paste(cell, (place * width // columns, 0))
    return np.repeat(np.asarray(strip)[..., None], channels, axis=-1)


def as_image(pixels: np.ndarray) -> PIL.Image.Image:
    """An image uint8 [H, W, C] of 1 or 3 channels."""
    return PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
