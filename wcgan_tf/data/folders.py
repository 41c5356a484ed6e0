"""What lies in a folder of images: the images, and what is none, by reason.  No image is opened."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from wcgan_tf.core.console import printable
from wcgan_tf.core.errors import UserError

# Pillow names them without reading them, or needs another program; and pictures of programs, not photographs.
NO_PHOTOGRAPHS = {"BUFR", "GRIB", "HDF5", "WMF", "EPS", "MPEG", "IPTC", "FITS", "ICO", "ICNS", "CUR"}
# Folders and files that operating systems, network storage and archive programs add; in lower case.
OF_SYSTEMS = {"__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found"}

HIDDEN = "hidden or added by a system"
OTHER_ENDING = "files of other kinds"
NO_TARGET = "links to nothing"
SEEN = "links to folders read before"


IMAGE = "images"


class Summary(NamedTuple):
    """Of a label's files: the number of images, a digest of their names, sizes and times, and what is left out."""

    number: int
    digest: str
    left: dict[str, list[Path]]  # by reason


def walk(parent: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder, at any depth, each with IMAGE or the reason why it is none.

    Links to folders are followed, and each folder is read once; real folders come before links, so that a folder is
    read under its own name.
    """
    yield from _walk(parent, set())


def summary(parent: Path, files: Iterable[tuple[str, Path]]) -> Summary:
    """Sum up what lies below a folder."""
    left = by_reason(files)
    digest, found = hashlib.sha256(), sorted(left.pop(IMAGE, []))
    for path in found:
        stat = path.stat()
        digest.update(os.fsencode(f"{path.relative_to(parent)}\0{stat.st_size}\0{stat.st_mtime_ns}\0"))
    return Summary(len(found), digest.hexdigest(), left)


def by_reason(files: Iterable[tuple[str, Path]]) -> dict[str, list[Path]]:
    """Sort files by their kind."""
    found: dict[str, list[Path]] = {}
    for kind, path in files:
        found.setdefault(kind, []).append(path)
    return found


def in_words(left: dict[str, list[Path]]) -> str:
    """Say how many files are not taken, why, and an example of each reason."""
    return "; ".join(f"{reason} ({len(paths)}, such as {printable(str(min(paths)))})" for reason, paths in left.items())


def label_folders(split: Path) -> dict[str, str]:
    """The folders of labels in a split's folder, sorted: their names in Unicode's composed form (NFC), as they are.

    Raises:
        UserError: if two names are the same but for their form.
    """
    found: dict[str, str] = {}
    if split.is_dir():
        for name in sorted(path.name for path in split.iterdir() if path.is_dir() and not is_hidden(path.name)):
            if (form := unicodedata.normalize("NFC", name)) in found:
                raise UserError(
                    f"{split} has two folders called {form!r}, spelt with other Unicode; put their images into one"
                )
            found[form] = name
    return dict(sorted(found.items()))


def outside(split: Path) -> list[tuple[str, Path]]:
    """What lies in a split's folder itself, outside of the folders of labels, as `walk` tells it."""
    if not split.is_dir():
        return []
    return [(_kind(path), path) for path in sorted(split.iterdir()) if not path.is_dir() or is_hidden(path.name)]


def has_images(split: Path) -> bool:
    """Whether a split's folder has folders of labels, or images of its own."""
    return bool(label_folders(split)) or any(kind == IMAGE for kind, _ in outside(split))


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or one that a system adds."""
    return name.startswith(".") or name.lower() in OF_SYSTEMS


@cache
def endings() -> frozenset[str]:
    """The endings of the files that Pillow reads, in lower case, such as .jpg."""
    Image.init()
    known = Image.registered_extensions().items()
    return frozenset(ending for ending, kind in known if kind in Image.OPEN and kind not in NO_PHOTOGRAPHS)


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[str, Path]]:
    stat = folder.stat()
    if (stat.st_dev, stat.st_ino) in seen:
        yield SEEN, folder
        return
    seen.add((stat.st_dev, stat.st_ino))
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path.name)):
        if path.is_dir() and not is_hidden(path.name):
            yield from _walk(path, seen)
        else:
            yield _kind(path), path


def _kind(path: Path) -> str:
    """IMAGE, or the reason why a file is not taken."""
    if is_hidden(path.name):
        return HIDDEN
    if not path.exists():
        return NO_TARGET
    return IMAGE if path.suffix.lower() in endings() else OTHER_ENDING
