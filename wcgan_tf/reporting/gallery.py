"""Pictures of a report: real and generated images of some labels, training progress, nearest training images."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image

from wcgan_tf.combined import pictures
from wcgan_tf.combined.sampler import Sampler
from wcgan_tf.config import Dataset
from wcgan_tf.core.console import ProgressBar
from wcgan_tf.core.images import GAP
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.data import prepared
from wcgan_tf.evaluation import classifiers, features
from wcgan_tf.evaluation.features import Classifier
from wcgan_tf.reporting.run_overview import LabelOverview
from wcgan_tf.runs import event_files

COLUMNS = 10  # images of each kind in a row
FRAMES, FILM_LATENTS = 10, 2  # columns and rows of a film strip
LIKENESSES = 8


class LabelPictures(NamedTuple):
    """The pictures of a label as data URIs; an empty string if there is none."""

    # real, generated: a row of COLUMNS images
    real: str
    generated: str
    film: str  # images of fixed latents during training: a row per latent, a column per step in `steps`
    steps: list[int]
    likeness: str  # generated images, and below each its nearest training image


def draw_labels(
    labels: list[LabelOverview], model: Sampler | None, dataset: Dataset, run: RunPaths, seed: int
) -> dict[int, LabelPictures]:
    """The pictures of these labels; without generated images if the model lacks the label's present generator."""
    judge = classifiers.load_existing_domain(dataset) if model else None
    shown = {}
    with ProgressBar("drawing labels", len(labels)) as count:
        for own in labels:
            label = own.label
            real = prepared.label_images(dataset, "test", label).images[:COLUMNS]
            film, steps = _film(run.label(label).tensorboard(own.name), real.shape[1:])
            generated = alike = ""
            if model and own.in_model:
                images = np.concatenate(list(model.draw(label, COLUMNS, seed)))
                generated = pictures.contact_sheet([images], COLUMNS)
                if judge:
                    some = images[:LIKENESSES]
                    near = nearest_train(judge, dataset, label, some)
                    alike = pictures.contact_sheet([some, near], LIKENESSES)
            shown[label] = LabelPictures(pictures.contact_sheet([real], COLUMNS), generated, film, steps, alike)
            count.add(1)
    return shown


def _film(board: Path, shape: tuple[int, ...]) -> tuple[str, list[int]]:
    """A film strip of the first images of the grids that were written during training, and the steps of these grids."""
    read = ((step, _cells(png, shape)) for step, png in event_files.read_images(board, event_files.PICTURES))
    grids = [(step, cells[:FILM_LATENTS]) for step, cells in read if len(cells) >= FILM_LATENTS]
    chosen = sorted({round(place) for place in np.linspace(0, len(grids) - 1, min(FRAMES, len(grids)))})
    if not chosen:
        return "", []
    rows = [np.stack([grids[place][1][noise] for place in chosen]) for noise in range(FILM_LATENTS)]
    return pictures.contact_sheet(rows, len(chosen)), [grids[place][0] for place in chosen]


def _cells(png: bytes, shape: tuple[int, ...]) -> list[np.ndarray]:
    """The images in the first row of a grid, uint8 `shape` each; the inverse of `images.tile`.

    There are none if it is damaged, or no grid of images of this shape.
    """
    side, _, channels = shape
    try:
        picture = np.atleast_3d(np.asarray(PIL.Image.open(io.BytesIO(png))))
    except Exception:  # Pillow raises many types for a damaged picture
        return []
    columns, rest = divmod(picture.shape[1] + GAP, side + GAP)
    if rest or picture.shape[0] < side or picture.shape[2] != channels:
        return []
    starts = [column * (side + GAP) for column in range(columns)]
    return [picture[:side, start : start + side] for start in starts]


def nearest_train(classifier: Classifier, dataset: Dataset, label: int, images: np.ndarray) -> np.ndarray:
    """For each image of a label, uint8 [n, H, W, C], the training image with the nearest features, same shape."""
    from sklearn.metrics import pairwise_distances_argmin

    looked = features.extract(classifier, [images], label)
    train = features.extract_real(dataset, "train", label, classifier)
    in_order = looked.features[np.argsort(looked.places)]
    places = train.places[pairwise_distances_argmin(in_order, train.features)]
    return prepared.label_images(dataset, "train", label).images[places]
