"""What is in a folder; a folder that cannot be listed now is an error, and not an empty one.

`Path.glob` and `Path.rglob` hide errors of the system; which ones depends on Python's version.  What is taken for
missing because of one may be made anew, or deleted.
"""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path


def matching(folder: Path, pattern: str) -> list[Path]:
    """The entries of a folder whose names match, such as `*.index`, sorted; none if there is no such folder.

    Raises:
        OSError: if the folder cannot be listed.
    """
    try:
        return sorted(path for path in folder.iterdir() if fnmatch.fnmatchcase(path.name, pattern))
    except (FileNotFoundError, NotADirectoryError):
        return []


def all_files(folder: Path) -> Iterator[Path]:
    """The files in a folder, at any depth; none if there is no such folder.

    Raises:
        OSError: if it, or a folder in it, cannot be listed.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise error

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(place, name) for name in names)
