"""List the programs.

python -m wcgan_tf
"""

import ast
import sys
from pathlib import Path

from wcgan_tf.core import errors
from wcgan_tf.core.errors import python

NO_PROGRAMS = {"__init__", "__main__", "cli", "config"}


def programs() -> dict[str, str]:
    """The first line of each program's own description, by its name."""
    files = sorted(path for path in Path(__file__).parent.glob("*.py") if path.stem not in NO_PROGRAMS)
    texts = {path.stem: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for path in files}
    return {name: text.partition("\n")[0] for name, text in texts.items()}


def main(arguments: list[str]) -> int:
    """Print the programs; returns the exit code: an error if one was meant to be started."""
    known = programs()
    if arguments and arguments[0] not in ("--help", "-h"):
        named = arguments[0] if arguments[0] in known else "pipeline"
        print(f"error: wcgan_tf is no program; type: {python()} -m wcgan_tf.{named}", file=sys.stderr)
        return errors.WRONG_INPUT
    print(f"type {python()} -m wcgan_tf.<program>, with --help for its flags; pipeline runs the whole chain on digits:")
    for name, line in known.items():
        print(f"    {name:<12}{line}")
    return errors.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
