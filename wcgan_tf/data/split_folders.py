"""The folder of a split: whose images are where, by the names of the labels' folders in `train`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from wcgan_tf.core.errors import UserError
from wcgan_tf.data import folders, val_labels

TEST_SPLITS = ("validation", "val", "valid", "test")  # names of the test split; the first that exists is used
OUTSIDE = "images outside of the labels' folders"
NO_LABEL = "images of labels that train has not"


class SplitFolder(Protocol):
    """A split's folder; files are told as by `folders.walk`."""

    folder: Path

    def files(self, name: str) -> Iterable[tuple[str, Path]]:
        """The files of a label."""

    def around(self) -> Iterator[tuple[str, Path]]:
        """The files of no label."""


def split_paths(root: Path) -> list[Path]:
    """What a data set's folder has by the names of splits, `train` first; upper case letters are accepted."""
    return [*folders.named(root, ["train"]), *folders.named(root, TEST_SPLITS)]


class SortedFolder:
    """A split's folder with a folder for each label."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._labels = folder, folders.label_folders(folder)
        self._splits = [path for path in split_paths(folder.parent) if path.is_dir()]
        folders.refuse_foreign_labels(folder, self._splits)

    @property
    def names(self) -> list[str]:
        """The names of the labels' folders, sorted."""
        return list(self._labels)

    def files(self, name: str) -> Iterable[tuple[str, Path]]:
        """The files in a label's folder, none if there is no such folder."""
        return folders.walk(self.folder / self._labels[name], self._splits) if name in self._labels else ()

    def around(self) -> Iterator[tuple[str, Path]]:
        """The files that lie outside of the labels' folders."""
        return ((OUTSIDE if kind == folders.IMAGE else kind, path) for kind, path in folders.outside(self.folder))


class ListedFolder:
    """A split's folder with the images of all labels, at any depth.

    Args:
        file: lists the images' labels, see `val_labels`.
        names: of the labels' folders in `train`.
    """

    def __init__(self, folder: Path, file: Path, names: list[str]) -> None:
        self.folder = folder
        self._images: dict[str, list[Path]] = {name: [] for name in names}
        found = sorted(folders.walk(folder), key=lambda file: file[1].name)
        self._others = [(kind, path) for kind, path in found if kind not in (folders.IMAGE, folders.FOLLOWED)]
        images = [path for kind, path in found if kind == folders.IMAGE]
        for path, name in val_labels.read(file, images, names).items():
            if name in self._images:
                self._images[name].append(path)
            else:
                self._others.append((NO_LABEL, path))

    def files(self, name: str) -> Iterable[tuple[str, Path]]:
        """The images of a label."""
        return ((folders.IMAGE, path) for path in self._images[name])

    def around(self) -> Iterator[tuple[str, Path]]:
        """The files that are no images, and images of labels that `train` has not."""
        yield from self._others


def find_test(root: Path, listed: str, train: SortedFolder) -> SplitFolder | None:
    """The folder of the test split, if there is one.

    Args:
        listed: the file that names the labels of images in one folder; empty: none.

    Raises:
        UserError: if the label of an image is not known.
    """
    paths = folders.named(root, TEST_SPLITS)
    for path in paths:
        if not path.is_dir():
            raise UserError(f"{path} is no folder; mend it, or move it away")
    test = next((path for path in paths if folders.has_images(path)), None)
    if test is None:
        if listed:
            raise UserError(
                f"dataset.val_labels is set, but {root} has no images in val; type --config.dataset.val_labels="
            )
        return None
    if listed:
        return ListedFolder(test, Path(listed), train.names)
    found = SortedFolder(test)
    if not found.names:
        raise UserError(
            f"{test} has images, but no folders of labels; "
            "type --config.dataset.val_labels=<the file that lists their labels>, or move them away"
        )
    if strange := sorted(set(found.names) - set(train.names)):
        raise UserError(
            f"{test} has a folder {strange[0]!r} that {train.folder} has not; move it away, or add it there; if "
            "images of all labels are in it, type --config.dataset.val_labels=<the file that lists their labels>"
        )
    return found
