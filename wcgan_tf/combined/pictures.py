"""Output of images: a PNG with the labels' names, an .npz, a folder of PNGs, an animation, a data URI.

`grid`, `arrays`, `folder` and `animation` take label -> name, the number of images per label, and a function that
yields a label's images in batches.  `grid` and `animation`, for viewing, hold all images in memory; the others a batch.
"""

import base64
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from wcgan_tf.core.images import enlarge, tile

CELL_INCHES = 0.42
DOTS_PER_INCH = 160
ENLARGED_SIDE = 48  # smaller images are enlarged up to this, smoothly: large square pixels hide shapes
SHOWN_LETTERS = 20  # of a name beside a row
FOLDER_LETTERS = 60  # of a name in a folder name
COLUMNS = 16  # of a grid
MOST_ROWS = 400  # of a grid; a larger one is unreadable and close to matplotlib's limit
FRAME_MILLISECONDS = 80
CAPTION_HEIGHT = 16
LARGEST_SIDE = 96  # pixels of an image in a contact sheet; larger ones are reduced to keep the page small

Batches = Callable[[int], Iterator[np.ndarray]]  # label -> its images, uint8 [n, H, W, C], in batches


def draw(names: list[str], sides: dict[str, list[np.ndarray]], columns: int, path: Path) -> None:
    """Write a PNG with a row for each name; each side is a block of `columns` images per row, below its title.

    Args:
        sides: title -> images uint8 [n <= columns, H, W, C] for each name.
    """
    from matplotlib.figure import Figure  # not pyplot, which may need a display and keeps figures in memory

    size = ((len(sides) * columns + 3) * CELL_INCHES, (len(names) + 1) * CELL_INCHES)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH)
    for place, (title, rows) in enumerate(sides.items()):
        axes = figure.add_subplot(1, len(sides), place + 1)
        axes.imshow(block(rows, columns).squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
        for row, name in enumerate(names if place == 0 else []):
            middle = 1 - (row + 0.5) / len(names)
            shown = name[:SHOWN_LETTERS]
            axes.text(-0.02, middle, shown, transform=axes.transAxes, ha="right", va="center", parse_math=False)
    figure.tight_layout()
    figure.savefig(path, format="png", bbox_inches="tight")


def block(rows: list[np.ndarray], columns: int) -> np.ndarray:
    """The rows, uint8 [n <= columns, H, W, C] each, as one picture [h, w, C], enlarged; short rows end in white."""
    missing = [np.full((columns - len(row), *row.shape[1:]), 255, np.uint8) for row in rows]
    images = np.concatenate([part for pair in zip(rows, missing, strict=True) for part in pair])
    factor = max(1, ENLARGED_SIDE // images.shape[1])
    return tile(enlarge(images, factor), columns, gap=factor)


def grid(labels: dict[int, str], number: int, batches: Batches, path: Path) -> None:
    """Write a PNG with rows of up to COLUMNS images, the label's name beside its first row."""
    names, rows = [], []
    for label, name in labels.items():
        images = np.concatenate(list(batches(label)))
        for start in range(0, number, COLUMNS):
            names.append(name if start == 0 else "")
            rows.append(images[start : start + COLUMNS])
    draw(names, {"": rows}, min(number, COLUMNS), path)


def grid_rows(labels: int, number: int) -> int:
    """The number of rows of a `grid` of `labels` labels with `number` images each."""
    return labels * -(-number // COLUMNS)


def arrays(labels: dict[int, str], number: int, batches: Batches, path: Path) -> None:
    """Write an .npz: `images` uint8 [n, H, W, C], `labels` int32 [n], and `names` [len(labels)], in the order given."""
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
    """Write a folder of PNGs for each label: `00003-cat/000000.png`."""
    for label, name in labels.items():
        inside = path / folder_name(label, name)
        inside.mkdir(parents=True)
        index = 0
        for images in batches(label):
            for image in images:
                to_pil(image).save(inside / f"{index:06d}.png", compress_level=1)
                index += 1


def folder_name(label: int, name: str) -> str:
    """The name of a label's folder, `00003-cat`, with `_` for other characters than ASCII letters and digits."""
    return f"{label:05d}-{re.sub(r'[^0-9A-Za-z_]+', '_', name)[:FOLDER_LETTERS]}"


def animation(labels: dict[int, str], number: int, batches: Batches, path: Path) -> None:
    """Write a GIF whose frame i has image i of every label, below its name; it plays forward and back, endlessly."""
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
        row = block([np.stack(images[start : start + columns])], columns)
        parts += [_caption(names[start : start + columns], row.shape[1], columns, row.shape[2]), row]
    return to_pil(np.concatenate(parts))


def _caption(names: list[str], width: int, columns: int, channels: int) -> np.ndarray:
    """A white strip, uint8 [CAPTION_HEIGHT, width, channels], with the start of each name above its column."""
    strip = PIL.Image.new("L", (width, CAPTION_HEIGHT), 255)
    for place, name in enumerate(names):
        cell = PIL.Image.new("L", (width // columns - 1, CAPTION_HEIGHT), 255)
        PIL.ImageDraw.Draw(cell).text((1, 1), name, fill=0, font=PIL.ImageFont.load_default(CAPTION_HEIGHT - 4))
        strip.paste(cell, (place * width // columns, 0))
    return np.repeat(np.asarray(strip)[..., None], channels, axis=-1)


def to_pil(pixels: np.ndarray) -> PIL.Image.Image:
    """uint8 [H, W, 1 or 3] -> a Pillow image, grey or RGB."""
    return PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def contact_sheet(rows: list[np.ndarray], columns: int) -> str:
    """Rows of images, uint8 [n <= columns, H, W, C] each, as the data URI of one picture."""
    image = to_pil(block(rows, columns))
    side = rows[0].shape[1]
    if side > LARGEST_SIDE:
        share = LARGEST_SIDE / side
        image = image.resize((round(image.width * share), round(image.height * share)), PIL.Image.Resampling.LANCZOS)
    return to_data_uri(image)


def to_data_uri(image: PIL.Image.Image) -> str:
    """An image as a data URI: RGB as JPEG, grey as PNG."""
    buffer = io.BytesIO()
    if image.mode == "RGB":
        image.save(buffer, format="JPEG", quality=92, subsampling=0)
    else:
        image.save(buffer, format="PNG", optimize=True)
    kind = "jpeg" if image.mode == "RGB" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
