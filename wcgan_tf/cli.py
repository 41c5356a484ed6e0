"""The command line that all programs share: flags, settings, exit codes and one-line errors."""

import contextlib
import copy
import difflib
import os
import re
import runpy
import shlex
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from logging import getLogger
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from absl import app, flags, logging
from ml_collections import config_flags

from wcgan_tf.config import Config, check_name, default_config, listing, validate
from wcgan_tf.core import errors, missing, process
from wcgan_tf.core.console import printable
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.paths import ModelPaths, RunPaths, folder_name, shipped

FLAGS = flags.FLAGS
TAKEN_BY = {  # folder flag -> the programs that take it
    "workdir": ("pretrain", "train", "launch", "status", "combine", "evaluate", "report", "pipeline"),
    "model": ("combine", "sample", "evaluate", "report", "pipeline", "serve_demo"),
}
PATH_FLAGS = ("workdir", "model", "output", "classifier")
PATH_SETTINGS = ("root", "val_labels", "tfds_dir", "data_dir")  # of config.dataset
HIGHEST_SEED = 2**63 - 1  # the largest int64
OF_TENSORFLOW = {"PermissionDeniedError", "FailedPreconditionError", "ResourceExhaustedError", "DataLossError"}
NO_NUMBER = {  # what Python says -> what is wrong
    r"invalid literal for int\(\)": "the value has to be a whole number",
    "could not convert string to float": "the value has to be a number",
}
LEAVE_SECONDS = 10.0  # limit for the cleanup after a signal: a library's threads may wait for a network


class ConfigFile(NamedTuple):
    """The path of this command's config file, None for the defaults, and its settings."""

    path: str | None
    settings: Config


_files = [ConfigFile(None, default_config())]  # the last entry is in effect


def define_common_flags(*, workdir: bool = False, model: bool = False) -> None:
    """Define `--config` and, on request, `--workdir` and `--model`, whose defaults contain the config file's name."""
    settings = copy.deepcopy(config_file().settings)
    text = "The settings: a name such as cifar10, or a file.  Each is changed by its name, see below."
    config_flags.DEFINE_config_dataclass("config", settings, text)
    FLAGS["config"].default_as_str = ""  # else --help would have all of it as Python writes it
    names = ["config"]
    if workdir:
        flags.DEFINE_string(
            "workdir", None, "The folder of the run; runs/<name of the config or data set> if not given."
        )
        names.append("workdir")
    if model:
        flags.DEFINE_string("model", None, "The combined model; saved_models/<as runs/> if not given.")
        names.append("model")
    for name in names:
        FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])  # --help lists them with the program's own flags


def config() -> Config:
    """The settings of this command."""
    return FLAGS.config


def config_file() -> ConfigFile:
    """The config file of this command, and its settings."""
    return _files[-1]


def run_paths() -> RunPaths:
    """The paths of the run: `--workdir`, or `runs/<run name>`."""
    return RunPaths(_plain(FLAGS.workdir) if FLAGS.workdir else Path("runs") / run_name())


def model_paths() -> ModelPaths:
    """The paths of the combined model: `--model`, or `saved_models/<run name>`."""
    return ModelPaths(_plain(FLAGS.model) if FLAGS.model else Path("saved_models") / run_name())


def _plain(folder: str) -> Path:
    """The folder as a path; refuses `*?[]`, because TensorFlow takes such a path for a glob pattern."""
    if strange := set("*?[]") & set(folder):
        raise UserError(
            f"the folder {folder!r} has a {min(strange)!r} in its name, which TensorFlow cannot read; rename it"
        )
    return Path(folder)


def run_name() -> str:
    """The name of the run: the config file's name without its suffix, or without one the data set's name."""
    path = config_file().path
    return folder_name(config().dataset.name) if path is None else Path(path).stem


def config_arguments(overrides: dict[str, object] | None = None) -> list[str]:
    """The `--config` arguments of this command, to start or print another command with the same settings.

    Args:
        overrides: single settings, dotted name -> value; None: those given to this command.
    """
    path = config_file().path
    overrides = config_flags.get_override_values(FLAGS["config"]) if overrides is None else overrides
    return ([f"--config={path}"] if path else []) + [f"--config.{name}={value}" for name, value in overrides.items()]


def command(program: str, *arguments: str, overrides: dict[str, object] | None = None) -> str:
    """The command line of another program with this command's settings and folders, for the user to type.

    Args:
        overrides: single settings, dotted name -> value; None: those given to this command.
    """
    given = [*config_arguments(overrides), *folder_arguments(program), *arguments]
    return shlex.join([errors.python(), "-m", f"wcgan_tf.{program}", *given])


def folder_arguments(program: str) -> list[str]:
    """The `--workdir` and `--model` given to this command, as far as `program` takes them."""
    return [
        f"--{name}={FLAGS[name].value}"
        for name, programs in TAKEN_BY.items()
        if program in programs and name in FLAGS and FLAGS[name].value
    ]


def describe(error: Exception) -> str:
    """The text of an error, including the commands that fix it."""
    if not isinstance(error, UserError):
        known = errors.problem(error)
        return known[0] if known else str(error)
    return "".join(
        command(part.program, *part.arguments) if isinstance(part, Command) else part for part in error.parts
    )


def run(main: Callable[[], int | None], define_flags: Callable[[], None]) -> None:
    """Parse the command line, check the settings, call `main`, and end the process with its exit code."""
    process.open_standard_streams()
    process.keep_freed_memory()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # important log messages also arrive as exceptions
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # else each takes all memory of a GPU
    # Otherwise every process writes ~/.keras/keras.json, and Keras takes its backend from that file.
    os.environ.update(KERAS_HOME=os.devnull, KERAS_BACKEND="tensorflow")
    os.environ["MPLBACKEND"] = "agg"  # a notebook's backend is not here; figures are drawn into files only

    def parse(argv: list[str]) -> list[str]:
        _files[1:] = []  # a process forked from another program inherits its files
        try:
            if any("\ud800" <= letter <= "\udfff" for argument in argv for letter in argument):  # not UTF-8
                raise UserError("an argument is no UTF-8 text; rename the file or folder that it names")
            argv = sys.argv = _take_config_file(argv)  # ml_collections reads sys.argv
            define_flags()
            extra = FLAGS(argv)[1:]
            validate(config())
            _refuse_no_labels()
            _expand_homes()
            if extra:
                raise UserError(f"{extra[0]!r} is not understood; arguments look like --name=value (see --help)")
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        except BrokenPipeError:  # the reader of --help closed the pipe
            sys.exit(errors.DONE)
        except SystemExit:  # only from --help, for which absl exits with 1
            if "xml" not in "".join(argv):
                _show_settings()
            sys.exit(errors.DONE)
        except Exception as error:  # ml_collections raises many types, always for a mistyped argument
            sys.exit(show_line(_plainly(describe(error)) or type(error).__name__, errors.WRONG_INPUT))
        return argv[:1]

    def guarded(_: list[str]) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:  # a shell makes background jobs ignore SIGINT
                signal.signal(number, _leave)
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # matplotlib draws a box for a missing glyph
        getLogger("matplotlib").setLevel("ERROR")  # a home folder that cannot be written is no concern of the user's
        if not FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        try:
            code = main()
        except KeyboardInterrupt:
            process.end(128 + signal.SIGINT)
        except Exception as error:
            sys.exit(show(error))
        process.end(code or errors.DONE)

    app.run(guarded, flags_parser=parse)


def _refuse_no_labels() -> None:
    """Refuse an empty list of labels, as from a command that failed: a list that is not given means all labels.

    Raises:
        UserError: if it is given, and empty.
    """
    for name in ("labels", "replace"):
        if name in FLAGS and FLAGS[name].present and not str(FLAGS[name].value).strip():
            raise UserError(f"--{name} is given, but names no label; leave it out, or name some")


def _show_settings() -> None:
    """Print the settings, at the end of --help."""
    with contextlib.suppress(BrokenPipeError):
        print("\nsettings, with the defaults, which are for the digits:\n")
        for name, default, meaning in listing():
            print(f"  --config.{name}={default}: {meaning}")


def _plainly(text: str) -> str:
    """An error of a flag without Python's own words for a value that is no number."""
    for pattern, words in NO_NUMBER.items():
        text = re.sub(f"^flag (--.*?): {pattern}.*", rf"\1: {words}", text, flags=re.DOTALL)
    return text


def _expand_homes() -> None:
    """Expand `~` in all flags and settings that are paths; a shell does so in front of a path only."""
    dataset = config().dataset
    for name in PATH_SETTINGS:
        setattr(dataset, name, _expand_home(getattr(dataset, name)))
    for name in PATH_FLAGS:
        if name in FLAGS and (path := FLAGS[name].value):
            FLAGS[name].value = _expand_home(path)


def _expand_home(path: str) -> str:
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise UserError(
            f"the path {path!r} names the home folder of a user that there is not; type ./ before a file's own ~"
        ) from None


def _leave(number: int, frame: FrameType | None) -> None:
    """Handle a signal: unwind the stack, which cleans up, or end the process after LEAVE_SECONDS."""
    last = threading.Timer(LEAVE_SECONDS, os._exit, [128 + number])
    last.daemon = True
    last.start()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def show(error: Exception) -> int:
    """Print an error, as one line if its cause is known, else as a traceback; returns the exit code."""
    if isinstance(error, UserError):
        return show_line(describe(error), errors.WRONG_INPUT)
    if isinstance(error, BrokenPipeError):  # the reader of the output closed the pipe
        return errors.FAILED
    if known := errors.problem(error):
        return show_line(*known)
    if line := missing.hint(error):
        return show_line(line, errors.WRONG_INPUT)
    if type(error).__name__ in OF_TENSORFLOW:
        return show_line(f"TensorFlow says: {str(error).splitlines()[0][:300]}", errors.FAILED)
    traceback.print_exception(error)
    return errors.FAILED


def show_line(text: str, code: int) -> int:
    """Print an error as one line on stderr; returns `code`."""
    with contextlib.suppress(OSError):  # stderr is closed
        print("error:", printable(" ".join(text.split())), file=sys.stderr, flush=True)
    return code


def _take_config_file(argv: list[str]) -> list[str]:
    """Load the files that `--config` names and check the names in `--config.<name>`; returns all other arguments.

    A hyphen in a flag's name becomes the underscore that absl expects.
    """
    others, arguments = argv[:1], iter(argv[1:])
    for argument in arguments:
        if match := re.fullmatch(r"--?config(?:=(.*))?", argument):
            _files.append(_load_config_file(next(arguments, "") if match[1] is None else match[1]))
            continue
        if match := re.match(r"--?(?:no)?config\.([^=]*)", argument):
            check_name(match[1])
        others.append(re.sub(r"^--[\w-]+", lambda name: "--" + name[0][2:].replace("-", "_"), argument))
    return others


def _load_config_file(path: str) -> ConfigFile:
    """Load the settings of a file, or of a config of this package by its name, such as cifar10."""
    path = _expand_home(path)
    own = {file.stem: file for file in sorted(shipped("configs").glob("[!_]*.py"))}
    file = next((typed for typed in (Path(path), Path(f"{path}.py")) if typed.is_file()), own.get(path))
    path = str(file) if file and file not in own.values() else path  # mine.v2 is mine.v2.py, and so is its run's name
    if file is None:
        near = difflib.get_close_matches(Path(path).stem.lower(), own, n=1)
        meant = f"; did you mean --config={near[0]}?" if near else ""
        raise UserError(f"there is no config file {path!r}{meant}; the ones at hand are {', '.join(own)}")
    try:
        get_config = runpy.run_path(str(file)).get("get_config")
        if get_config is None:
            raise UserError("there is no function get_config() that returns the settings; the README has one to copy")
        settings = get_config()
        validate(settings)
    except UserError as error:
        raise UserError(f"in {path}: {error}") from None
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        raise UserError(f"in {path}: {type(error).__name__}: {error}") from None
    return ConfigFile(path, settings)
