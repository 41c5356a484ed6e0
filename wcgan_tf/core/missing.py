"""What to type if a package is missing, or is another environment's.  Imports nothing but Python's own packages."""

import os
import sys
import traceback
from pathlib import Path
from types import TracebackType


def explain_at_start() -> None:
    """Print a line in place of a traceback if an import fails before the program's own handling begins."""
    sys.excepthook = _explain


def hint(error: BaseException) -> str:
    """The line for an error; "" if it is of another kind."""
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    strangers = [folder for folder in folders if not Path(folder, "wcgan_tf").is_dir()]  # those find this package
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if before := next((own for own in strangers for file in files if Path(file).is_relative_to(own)), ""):
        return (
            f"{type(error).__name__}: {error}; PYTHONPATH has {before}, whose packages come before those of this "
            "environment; type: unset PYTHONPATH"
        )
    if not isinstance(error, ModuleNotFoundError):
        return ""
    own = Path(".venv/bin/python")
    elsewhere = own.exists() and Path(sys.prefix).resolve() != Path(".venv").resolve()
    typed = ". .venv/bin/activate" if elsewhere else f"{sys.executable} -m pip install -e <the folder with setup.cfg>"
    return f"{error}: wcgan_tf is not installed for {sys.executable}; type: {typed}"


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if line := hint(error):
        print("error:", line, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
