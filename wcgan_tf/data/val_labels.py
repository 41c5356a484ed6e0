"""The labels of validation images that lie in one folder, as ImageNet's do, from the file that lists them."""

import re
from collections.abc import Iterable
from pathlib import Path

from wcgan_tf.core.errors import UserError

META = "meta.mat"  # of ImageNet's development kit, beside its ground truth: which number is which synset

HEADER = "ImageId"  # of Kaggle's table
NUMBER = "[0-9]{1,9}"


def read(file: Path, images: Iterable[Path], folders: list[str]) -> dict[Path, str]:
    """The label of each image: the name of a folder in `train`, or another name if there is none for it.

    Args:
        file: with a line per image, in one of three forms: its name and its label, a folder's name or its place from 0
            on, with a space, a tab or a comma between (Caffe's val.txt); Kaggle's LOC_val_solution.csv; or
            ImageNet's ILSVRC2012_validation_ground_truth.txt, a number per image in the order of the images' names,
            with the development kit's meta.mat beside it.
        images: the images, sorted by name.
        folders: the folders in `train`, sorted.

    Raises:
        UserError: if the file cannot be read, or an image has no label in it.
    """
    images = list(images)
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read as a list of labels: {error}; set dataset.val_labels") from None
    lines = [line for line in lines if line]
    if lines and all(re.fullmatch(NUMBER, line) for line in lines):
        return _by_order(file, [int(line) for line in lines], images)
    pairs = [re.split(r"\s*[\t,]\s*" if re.search(r"[\t,]", line) else r"\s+", line, maxsplit=1) for line in lines]
    known = {
        pair[0]: _folder(pair[1], folders, file) for pair in pairs if len(pair) == 2 and pair[1] and pair[0] != HEADER
    }
    known |= {Path(name).stem: label for name, label in known.items()}
    without = [image for image in images if image.name not in known and image.stem not in known]
    if without:
        raise UserError(f"{file} has no label of {without[0].name} and {len(without) - 1} more; set dataset.val_labels")
    return {image: known.get(image.name) or known[image.stem] for image in images}


def _folder(label: str, folders: list[str], file: Path) -> str:
    """The folder that a label means; Kaggle has more after the label."""
    if label in folders:
        return label
    label = label.split()[0]
    if label in folders or not re.fullmatch(NUMBER, label):
        return label
    if int(label) >= len(folders):
        raise UserError(f"{file} has a label {label}, but train has {len(folders)} folders, 0 to {len(folders) - 1}")
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
