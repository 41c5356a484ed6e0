"""What to type if a package is missing, or hidden by another's.  Imports nothing but Python's own packages."""

import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

NEEDED = (
    *("absl", "google", "jinja2", "keras", "matplotlib", "ml_collections", "ml_dtypes", "msgspec", "numpy", "PIL"),
    *("rich", "scipy", "sklearn", "tensorboard", "tensorflow", "tensorflow_datasets", "tensorflow_gan"),
)


def explain_at_start() -> None:
    """Print a line in place of a traceback if an import fails before the program's own handling begins."""
    sys.excepthook = _explain


def hint(error: BaseException) -> str:
    """The line for an error; "" if it is of another kind."""
    what = f"{type(error).__name__}: {error}"
    if before := _before_own_packages(error):
        return f"{what}; PYTHONPATH has {before}, whose packages come before this environment's; type: unset PYTHONPATH"
    if isinstance(error, (ImportError, AttributeError)) and (hiding := _hiding()):
        return f"{what}; {hiding} in this folder hides Python's own module of that name: rename it"
    if not isinstance(error, ModuleNotFoundError):
        return ""
    if Path(".venv/bin/python").exists() and Path(sys.prefix).resolve() != Path(".venv").resolve():
        typed = ". .venv/bin/activate"
    elif Path("setup.cfg").exists():
        typed = "python3 -m venv .venv && . .venv/bin/activate && pip install -e ."
    else:
        typed = "activate the environment that has it, or install it there"
    return f"{error}: wcgan_tf is not installed for {sys.executable}; type: {typed}"


def _before_own_packages(error: BaseException) -> Path | None:
    """A folder of PYTHONPATH that the error comes from, or that has a package of those which this one needs."""
    folders = [Path(folder).absolute() for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    strangers = [folder for folder in folders if not (folder / "wcgan_tf").is_dir()]  # those find this package
    files = [Path(frame.filename).absolute() for frame in traceback.extract_tb(error.__traceback__)]
    guilty = (own for own in strangers for file in files if file.is_relative_to(own))
    shadows = (own for own in strangers for name in NEEDED if (own / name).is_dir() or (own / f"{name}.py").is_file())
    of_import = isinstance(error, (ImportError, AttributeError, SyntaxError))
    return next(guilty, None) or (next(shadows, None) if of_import else None)


def _hiding() -> str:
    """A file in the current folder with the name of one of Python's own modules; "" if there is none."""
    names = (path.name for path in Path().glob("*.py") if path.stem in sys.stdlib_module_names)
    return min(names, default="")


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if line := hint(error):
        print("error:", line, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
