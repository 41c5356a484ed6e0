"""The labels of validation images that lie in one folder, as ImageNet's do, from the file that lists them."""

import csv
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError

META = "meta.mat"  # of ImageNet's development kit, beside its ground truth: which number is which synset
HEADER = "ImageId"  # of Kaggle's table
NUMBER = "[0-9]{1,9}"
WITH_BOXES = r"(\S+)(\s+[0-9]+){4}.*"  # Kaggle's label, which has boxes after it
LINE = "a line is the image's name, a comma, and its label"


def read(file: Path, images: Iterable[Path], folders: list[str]) -> dict[Path, str]:
    """The label of each image: the name of a folder in `train`, or another name if there is none for it.

    Args:
        file: UTF-8, with a line per image, in one of three forms: its name and its label, a folder's name or its place
            from 0 on, with a space, a tab or a comma between (Caffe's val.txt); Kaggle's LOC_val_solution.csv; or
            ImageNet's ILSVRC2012_validation_ground_truth.txt, a number per image in the order of the images' names,
            with the development kit's meta.mat beside it.
        images: the images, sorted by name.
        folders: the folders in `train`, sorted, in Unicode's composed form (NFC).

    Raises:
        UserError: if the file cannot be read, or an image has no label in it, or two.
    """
    images = list(images)
    try:
        text = unicodedata.normalize("NFC", files.read_text(file))
    except UnicodeDecodeError:
        raise UserError(f"{file} is no UTF-8 text; save it as such") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; type --config.dataset.val_labels=<the list of labels>") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(re.fullmatch(NUMBER, line) for line in lines):
        return _by_order(file, [int(line) for line in lines], images)
    known: dict[str, str] = {}
    for name, given in filter(None, map(_pair, lines)):
        label = _folder(given, folders, file)
        if known.setdefault(name, label) != label:
            raise UserError(f"{file} gives {name} two labels, {known[name]} and {label}; delete one of the lines")
    by_stem: dict[str, set[str]] = {}
    for name, label in known.items():
        by_stem.setdefault(Path(name).stem, set()).add(label)
    found = {image: _label(image, known, by_stem) for image in images}
    if without := [image.name for image, label in found.items() if not label]:
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        raise UserError(f"{file} has no label of {without[0]}{more}; {LINE}")
    return {image: label for image, label in found.items() if label}


def _label(image: Path, known: dict[str, str], by_stem: dict[str, set[str]]) -> str | None:
    """The label by the longest end of the image's path that is listed, with or without ending; None if unsure.

    Args:
        by_stem: the labels of each listed name without folders and ending, for lists with other endings; not to be used
            if there are several.
    """
    parts = unicodedata.normalize("NFC", str(image)).split("/")
    stem = Path(parts[-1]).stem
    for number in range(len(parts), 0, -1):
        for last in (parts[-1], stem):
            if label := known.get("/".join([*parts[-number:-1], last])):
                return label
    same = by_stem.get(stem, set())
    return next(iter(same)) if len(same) == 1 else None


def _pair(line: str) -> tuple[str, str] | None:
    """A line's image and label; None if it has not both, or is the head of a table."""
    separator = next((sign for sign in "\t,;" if sign in line), None)
    words = next(csv.reader([line], delimiter=separator)) if separator else line.split(maxsplit=1)
    words = [word.strip() for word in words]
    return (words[0], words[1]) if len(words) > 1 and words[1] and words[0] != HEADER else None


def _folder(label: str, folders: list[str], file: Path) -> str:
    """The folder that a label means."""
    if label not in folders and (with_boxes := re.fullmatch(WITH_BOXES, label)):
        label = with_boxes[1]
    if label not in folders and label.casefold() in (own := {name.casefold(): name for name in folders}):
        return own[label.casefold()]
    if label in folders or not re.fullmatch(NUMBER, label):
        return label
    if int(label) >= len(folders):
        raise UserError(
            f"{file} has a label {label}, but train has {len(folders)} folders, which are 0 to {len(folders) - 1}; "
            "write the names of the folders"
        )
    return folders[int(label)]


def _by_order(file: Path, numbers: list[int], images: list[Path]) -> dict[Path, str]:
    """Labels by ImageNet's own numbers, 1 to 1000, which only its development kit explains."""
    if len(numbers) != len(images):
        raise UserError(f"{file} has {len(numbers)} labels for {len(images)} images; take those that belong together")
    meta = file.parent / META
    if not meta.is_file():
        raise UserError(f"{file} has numbers that {META} explains; copy it there, from the data folder of the same kit")
    from scipy.io import loadmat  # a dependency of scikit-learn; needed here only

    try:
        synsets = loadmat(str(meta), squeeze_me=True)["synsets"]
        names = {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in synsets}
        return {image: names[number] for image, number in zip(images, numbers, strict=True)}
    except Exception as error:  # SciPy raises many types for a damaged file
        raise UserError(f"{meta} does not explain the numbers of {file} ({type(error).__name__})") from None
