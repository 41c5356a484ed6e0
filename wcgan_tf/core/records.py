"""JSON files as typed records: read, check and write them, and report damaged ones.

A file, and a line of a .jsonl file, ends with a checksum of all that is before it, so that no bit of it changes
unnoticed.  Those without one, of older versions, are read too.
"""

import re
import zlib
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from wcgan_tf.core import files
from wcgan_tf.core.errors import Command, DamagedError, UserError

LARGEST = 2.0**53  # a larger number counts as damage
DAMAGED = (ValueError, RecursionError)  # what msgspec raises for damaged JSON
CHECKSUM = re.compile(rb',\s+"checksum": "([0-9a-f]{8})"\s*}\s*\Z')  # of CRC-32, which finds any single error

Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

Record = TypeVar("Record")


def read(path: Path, kind: type[Record], mend: Command) -> Record:
    """Read a record of type `kind`.

    Args:
        mend: the command that writes the file, for the error message.

    Raises:
        UserError: if the file is missing; DamagedError if it is damaged.
    """
    try:
        return decode(path.read_bytes(), kind)
    except FileNotFoundError:
        raise UserError(f"there is no {path}; run: ", mend) from None
    except DAMAGED:
        raise DamagedError(f"{path} is damaged, or of another version; delete it and run: ", mend) from None


def read_if_whole(path: Path, kind: type[Record]) -> Record | None:
    """Read a record of type `kind`; None if the file is missing or damaged.

    Raises:
        OSError: if it cannot be read for another reason, such as a file server that does not answer.
    """
    try:
        with files.named(path):
            return decode(path.read_bytes(), kind)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, *DAMAGED):
        return None


def decode(text: bytes, kind: type[Record]) -> Record:
    """Decode JSON as a record of type `kind`.

    Raises:
        ValueError, RecursionError: if it is no such record, or not what was written (DAMAGED).
    """
    own = CHECKSUM.search(text)
    if own:
        text = text[: own.start()]
        if int(own[1], 16) != zlib.crc32(text):
            raise ValueError("its checksum is that of another content")
        text += b"}"
    return msgspec.json.decode(text, type=kind)


def encode(record: Any) -> str:
    """The JSON of a record, indented; a number that is not finite becomes null."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1).decode()


def write(path: Path, record: Any, durable: bool = True) -> None:
    """Write a record with its checksum atomically; see `files.write_text`."""
    content = encode(record).removesuffix("\n}")
    files.write_text(path, f"{content},\n {_checksum(content)}\n}}\n", durable)


def line(record: Any) -> str:
    """A record as a line of a .jsonl file, with its checksum; a number that is not finite becomes null."""
    content = msgspec.json.format(msgspec.json.encode(record), indent=0).decode().removesuffix("}")
    return f"{content}, {_checksum(content)}}}\n"


def _checksum(content: str) -> str:
    return f'"checksum": "{zlib.crc32(content.encode()):08x}"'
