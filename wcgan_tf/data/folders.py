"""What lies in a folder of images: the images, and what is none, by reason.  No image is opened."""

import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
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

IMAGE = "images"
HIDDEN = "hidden or added by a system"
OTHER_ENDING = "files of other kinds"
NO_FILE = "links to nothing, or no regular files"
SEEN = "links to folders read before"
ELSEWHERE = "links to other labels or splits"
FOLLOWED = "links to folders"  # whose images are taken


class Summary(NamedTuple):
    """Of a label's files: a digest of the images' names, sizes and times, and what is left out."""

    digest: str
    left: dict[str, list[Path]]  # by reason


def walk(parent: Path, splits: Iterable[Path] = ()) -> Iterator[tuple[str, Path]]:
    """The files below a folder, at any depth, each with IMAGE, the reason why it is none, or FOLLOWED of a link.

    Links to folders are followed, but to none around this folder, and each folder is read once; real folders come
    before links, so that a folder is read under its own name.

    Args:
        splits: the folders of all splits; a link to what lies in them, outside of this folder, is not followed.
    """
    own = parent.resolve()
    others = [folder.resolve() for folder in splits]
    if parent.is_symlink():
        yield FOLLOWED, parent
    yield from _walk(parent, {_identity(folder) for folder in own.parents}, own, others)


def refuse_foreign_labels(split: Path, splits: Iterable[Path]) -> None:
    """Refuse a label's folder that is a link to another label or split: one image would have two labels or splits.

    Raises:
        UserError: naming the link.
    """
    folders = [folder.resolve() for folder in splits]
    for name in label_folders(split).values():
        own = (split / name).resolve()
        if (split / name).is_symlink() and any(own.is_relative_to(one) or one.is_relative_to(own) for one in folders):
            raise UserError(
                f"{split / name} is a link to {own}, whose images have a label or a split of their own; delete the link"
            )


def summary(parent: Path, files: Iterable[tuple[str, Path]]) -> Summary:
    """Sum up what lies below a folder."""
    left = by_reason(files)
    left.pop(FOLLOWED, None)
    digest = hashlib.sha256()
    for path in sorted(left.pop(IMAGE, [])):
        stat = path.stat()
        digest.update(os.fsencode(f"{path.relative_to(parent)}\0{stat.st_size}\0{stat.st_mtime_ns}\0"))
    return Summary(digest.hexdigest(), left)


def refuse_shared(links: Iterable[tuple[Path, ...]]) -> None:
    """Refuse links of several labels and splits to one folder: its images would have two labels, or be in both splits.

    Args:
        links: of each label and split.

    Raises:
        UserError: naming two such links.
    """
    targets = sorted((link.resolve(), own, link) for own, some in enumerate(links) for link in some)
    known: dict[Path, tuple[int, Path]] = {}
    for target, own, link in targets:  # a folder before those in it
        for folder in (target, *target.parents):
            if folder in known and known[folder][0] != own:
                raise UserError(
                    f"{known[folder][1]} and {link} both link to {folder}, whose images would have two labels or be in "
                    "two splits; delete one of the links"
                )
        known.setdefault(target, (own, link))


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
        for name in sorted(entry.name for entry in _inside(split) if _is_open_folder(entry)):
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
    return [(_kind(entry), Path(entry.path)) for entry in _inside(split) if not _is_open_folder(entry)]


def named(root: Path, names: Iterable[str]) -> list[Path]:
    """What a folder has by these names, in their order, and in any letters' case, such as Train.

    Raises:
        UserError: if it has a name twice.
    """
    there: dict[str, list[str]] = {}
    for entry in _inside(root) if root.is_dir() else []:
        there.setdefault(entry.name.casefold(), []).append(entry.name)
    found = [there[name] for name in names if name in there]
    if twice := next((same for same in found if len(same) > 1), None):
        raise UserError(f"{root} has both {' and '.join(twice)}; put their folders into one, or rename one")
    return [root / same[0] for same in found]


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


def _walk(folder: Path, seen: set[tuple[int, int]], own: Path, splits: list[Path]) -> Iterator[tuple[str, Path]]:
    identity = _identity(folder)
    if identity in seen:
        yield SEEN, folder
        return
    seen.add(identity)
    for entry in _inside(folder):
        target = Path(os.path.realpath(entry.path)) if entry.is_symlink() else own
        if not target.is_relative_to(own) and any(split in target.parents for split in splits):
            yield ELSEWHERE, Path(entry.path)
        elif _is_open_folder(entry):
            if entry.is_symlink() and _identity(Path(entry.path)) not in seen:
                yield FOLLOWED, Path(entry.path)
            yield from _walk(Path(entry.path), seen, own, splits)
        else:
            yield _kind(entry), Path(entry.path)


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _inside(folder: Path) -> list[os.DirEntry]:
    """What a folder has, real files and folders before links, sorted by name; asks the system about links only."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))


def _is_open_folder(entry: os.DirEntry) -> bool:
    return _holds(entry.is_dir) and not is_hidden(entry.name)


def _holds(question: Callable[[], bool]) -> bool:
    """The answer, which is no for a link to itself."""
    try:
        return question()
    except OSError:
        return False


def _kind(entry: os.DirEntry) -> str:
    """IMAGE, or the reason why a file is not taken."""
    if is_hidden(entry.name):
        return HIDDEN
    if not _holds(entry.is_file):
        return NO_FILE
    return IMAGE if Path(entry.name).suffix.lower() in endings() else OTHER_ENDING
