"""The pictures of a report: of some labels real and generated images, how they came about, and what they are like."""

import base64
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image

from wcgan_tf.combined import outputs, pictures
from wcgan_tf.combined.sampler import ConditionalModel
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.core.progress import Count
from wcgan_tf.data import prepared as datasets
from wcgan_tf.reporting import likeness
from wcgan_tf.reporting.run_overview import LabelOverview
from wcgan_tf.runs import event_files as events

COLUMNS = 10  # images of each kind in a row
FRAMES, NOISES = 10, 2  # of a film strip
LIKENESSES = 8
LARGEST_SIDE = 96  # pixels of an image on the page: larger ones are made smaller, so that it stays a small file
TAG = "generated"


class Exhibit(NamedTuple):
    """The pictures of a label, as data URIs; empty where there is none.

    Attributes:
        real, generated: a row of COLUMNS images.
        film: fixed noise through training, a row for each noise, from left to right at `steps`.
        likeness: generated images, and below each the training image that it is most like.
    """

    real: str
    generated: str
    film: str
    steps: list[int]
    likeness: str


def exhibits(
    labels: list[LabelOverview], model: ConditionalModel | None, dataset, run: RunPaths, seed: int, hint: str
) -> dict[int, Exhibit]:
    """The pictures of these labels; of those whose present generator is not in the model, without generated images.

    Args:
        dataset: the settings `config.dataset`.
        hint: the command that prepares it.
    """
    judge = likeness.judge(dataset, hint) if model else None
    shown = {}
    with Count("drawing labels", len(labels)) as count:
        for own in labels:
            label = own.label
            real = datasets.label_images(dataset, "test", label, hint).images[:COLUMNS]
            film, steps = _film(run.label(label).tensorboard(own.name), real.shape[1])
            generated = alike = ""
            if model and own.in_model:
                images = np.concatenate(list(model.draw(label, COLUMNS, seed)))
                generated = strip([images], COLUMNS)
                if judge:
                    some = images[:LIKENESSES]
                    near = likeness.nearest_train(judge, dataset, label, some, hint)
                    alike = strip([some, near], LIKENESSES)
            shown[label] = Exhibit(strip([real], COLUMNS), generated, film, steps, alike)
            count.add(1)
    return shown


def _film(board: Path, side: int) -> tuple[str, list[int]]:
    """The first images of the grids that the label drew while it trained, and the steps of these grids."""
    grids = events.pictures(board, TAG)
    chosen = sorted({round(place) for place in np.linspace(0, len(grids) - 1, min(FRAMES, len(grids)))})
    if not chosen:
        return "", []
    frames = [_cells(grids[place][1], side)[:NOISES] for place in chosen]
    rows = [np.stack([frame[noise] for frame in frames]) for noise in range(len(frames[0]))]
    return strip(rows, len(chosen)), [grids[place][0] for place in chosen]


def _cells(png: bytes, side: int, gap: int = 1) -> np.ndarray:
    """The first row of a grid's images, uint8 [n, side, side, C]; the opposite of `images.tile`."""
    picture = np.asarray(PIL.Image.open(io.BytesIO(png)))
    picture = picture[..., None] if picture.ndim == 2 else picture
    columns = (picture.shape[1] + gap) // (side + gap)
    starts = [column * (side + gap) for column in range(columns)]
    return np.stack([picture[:side, start : start + side] for start in starts])


def strip(rows: list[np.ndarray], columns: int) -> str:
    """Rows of images, uint8 [n <= columns, H, W, C] each, as one picture."""
    image = outputs.as_image(pictures.block(rows, columns))
    side = rows[0].shape[1]
    if side > LARGEST_SIDE:
        share = LARGEST_SIDE / side
        image = image.resize((round(image.width * share), round(image.height * share)), PIL.Image.Resampling.LANCZOS)
    return as_uri(image)


def as_uri(image: PIL.Image.Image) -> str:
    """An image inside a page: photographs as JPEG, grey ones as PNG."""
    buffer = io.BytesIO()
    if image.mode == "RGB":
        image.save(buffer, format="JPEG", quality=92, subsampling=0)
    else:
        image.save(buffer, format="PNG", optimize=True)
    kind = "jpeg" if image.mode == "RGB" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
