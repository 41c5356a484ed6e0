"""What all programs share: their common flags, and one clear line for whatever a user can mend."""

import atexit
import contextlib
import gc
import os
import re
import runpy
import shlex
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from absl import app, flags, logging
from ml_collections import config_flags

from wcgan_tf import config as config_module
from wcgan_tf.core import errors
from wcgan_tf.core.errors import UserError

FLAGS = flags.FLAGS
FLUSH_SECONDS = 2.0
SLOW_EXTRAS = ("matplotlib", "pandas", "sklearn")  # Keras imports them where they are, for parts that nobody here uses
LEAVE_SECONDS = 10.0  # a library's threads may be waiting for a network
LASTING = (PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)  # until someone mends it


def define_common_flags(*, workdir: bool = False, model: bool = False) -> None:
    """Define `--config`, and where asked for `--workdir` and `--model`, which default to the config file's name."""
    config_flags.DEFINE_config_file("config", config_module.__file__, "The settings, such as configs/cifar10.py.")
    names = ["config"]
    if workdir:
        flags.DEFINE_string("workdir", None, "The folder of the run; runs/<name of the config file> where not given.")
        names.append("workdir")
    if model:
        flags.DEFINE_string("model", None, "The combined model; saved_models/<name of config file> where not given.")
        names.append("model")
    for name in names:
        FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[name])  # --help shows them as the program's own


def workdir() -> Path:
    """The folder of the run."""
    return _plain(FLAGS.workdir) if FLAGS.workdir else Path("runs") / run_name()


def model_folder() -> Path:
    """The folder of the combined model."""
    return _plain(FLAGS.model) if FLAGS.model else Path("saved_models") / run_name()


def _plain(folder: str) -> Path:
    """A folder that TensorFlow can read from: it takes a path with these letters for a pattern."""
    if strange := set("*?[]") & set(folder):
        raise UserError(
            f"the folder {folder!r} has a {min(strange)!r} in its name, which TensorFlow cannot read; rename it"
        )
    return Path(folder)


def run_name() -> str:
    """The name of the config file."""
    return config_module.run_name(config_flags.get_config_filename(FLAGS["config"]))


def config_arguments(overrides: dict[str, object] | None = None) -> list[str]:
    """The `--config` arguments of this command, to start or to show another with the same settings.

    Args:
        overrides: those of single settings, dotted name -> value; this command's own where not given.
    """
    flag = FLAGS["config"]
    chosen = [f"--config={config_flags.get_config_filename(flag)}"] if flag.using_default_value is False else []
    overrides = config_flags.get_override_values(flag) if overrides is None else overrides
    return chosen + [f"--config.{name}={value}" for name, value in overrides.items()]


def config_file_settings() -> dict[str, dict]:
    """What the config file says, whatever this command overrides."""
    return runpy.run_path(config_flags.get_config_filename(FLAGS["config"]))["get_config"]().to_dict()


def folders() -> list[str]:
    """The `--workdir` and `--model` of this command, where it has them, to show another with the same."""
    return [f"--{name}={FLAGS[name].value}" for name in ("workdir", "model") if name in FLAGS and FLAGS[name].value]


def command(program: str, *arguments: str, overrides: dict[str, object] | None = None) -> str:
    """The command line of another program with the same settings, or such `overrides`, to be shown to the user."""
    return shlex.join(["python", "-m", f"wcgan_tf.{program}", *config_arguments(overrides), *arguments])


def run(main: Callable[[], int | None], define_flags: Callable[[], None]) -> None:
    """Parse the command line, check the settings, call `main`, and end the process with its exit code."""
    _open_standard_streams()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what matters of TensorFlow's log also arrives as an exception
    # Keras would write ~/.keras/keras.json from every process, and follow what it says there about the backend.
    os.environ.update(KERAS_HOME=os.devnull, KERAS_BACKEND="tensorflow")

    def parse(argv):
        try:
            if not all(_is_text(argument) for argument in argv):
                raise UserError("an argument is no UTF-8 text; rename the file or folder that it names")
            argv = sys.argv = _config_first(argv)  # ml_collections looks into sys.argv itself
            _check_config_arguments(argv)
            define_flags()
            extra = FLAGS(argv)[1:]
            config_module.validate(FLAGS.config)
            if extra:
                raise UserError(f"{extra[0]!r} is not understood; arguments look like --name=value (see --help)")
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        except SystemExit:  # only --help ends here, and absl would have it end with 1
            sys.exit(errors.DONE)
        except Exception as error:  # ml_collections raises many kinds for what is always a mistyped argument
            sys.exit(show_line(str(error) or type(error).__name__, errors.WRONG_INPUT))
        return argv[:1]

    def guarded(_):
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:  # as in a shell's background jobs
                signal.signal(number, _leave)
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # letters that matplotlib has not are boxes
        if not FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        try:
            code = main()
        except KeyboardInterrupt:
            _end(128 + signal.SIGINT)
        except Exception as error:
            sys.exit(show(error))
        _end(code or errors.DONE)

    app.run(guarded, flags_parser=parse)


def _leave(number: int, frame) -> None:
    """Answer a signal: what was begun is cleared away, and where that takes too long, the process ends without."""
    last = threading.Timer(LEAVE_SECONDS, os._exit, [128 + number])
    last.daemon = True
    last.start()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def show(error: Exception) -> int:
    """Print an error, as one line where that is enough to mend it; returns the exit code that goes with it."""
    if isinstance(error, UserError):
        return show_line(str(error), errors.WRONG_INPUT)
    if isinstance(error, BrokenPipeError):  # whoever read the output has seen enough
        return errors.FAILED
    if "No space left on device" in str(error):  # as the system, TensorFlow and HDF5 say it
        return show_line("no space is left on the device; free some, and the same command goes on", errors.FAILED)
    if isinstance(error, OSError):  # a folder that may not be written, a file where a folder should be
        file, problem = error.filename or "a file", error.strerror or error
        code = errors.WRONG_INPUT if isinstance(error, LASTING) else errors.FAILED
        return show_line(f"{file}: {problem}; mend that, or name another folder", code)
    if type(error).__name__ in ("PermissionDeniedError", "FailedPreconditionError", "ResourceExhaustedError"):
        return show_line(f"TensorFlow says: {str(error).splitlines()[0][:300]}", errors.FAILED)
    traceback.print_exception(error)
    return errors.FAILED


def show_line(text: str, code: int) -> int:
    """Print an error as one line; returns the exit code that goes with it."""
    with contextlib.suppress(OSError):  # nobody reads
        print("error:", " ".join(text.split()), file=sys.stderr, flush=True)
    return code


def _end(code: int) -> None:
    """End the process as `sys.exit` does, but leave out the seconds in which TensorFlow takes itself apart."""
    atexit._run_exitfuncs()  # temporary files are removed here
    flush = threading.Thread(target=_flush, daemon=True)
    flush.start()
    flush.join(FLUSH_SECONDS)  # a full pipe that nobody reads
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()


def _open_standard_streams() -> None:
    """Where the shell closed stdin, stdout or stderr, open it to nowhere, or the next file would take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open(mode)  # noqa: SIM115  # takes the lowest free number, which is its own
            setattr(sys, name, nowhere)


def _is_text(argument: str) -> bool:
    """Whether an argument can be written to a file: a path may have bytes that are no UTF-8."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def quiet_imports(without: tuple[str, ...] = SLOW_EXTRAS) -> Iterator[None]:
    """Import TensorFlow inside this block: what it writes to stderr before its log has a level is dropped.

    Nothing that is imported becomes garbage: it is left out of all garbage collections, which take long to look at it.

    Args:
        without: packages that cannot be imported in this block, nor by TensorFlow; afterwards they can.
    """
    hidden = [name for name in without if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it fails, as if it were not installed
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        os.dup2(kept, 2)
        os.close(kept)
        for name in hidden:
            del sys.modules[name]


def _config_first(argv: list[str]) -> list[str]:
    """The arguments with `--config` before all others: ml_collections refuses a setting that comes before its file."""
    first, others = [], argv[1:]
    for place, argument in enumerate(others):
        if re.fullmatch(r"--?config(=.*)?", argument):
            taken = 1 if "=" in argument else 2
            first, others = others[place : place + taken], others[:place] + others[place + taken :]
            break
    return [*argv[:1], *first, *others]


def _check_config_arguments(argv: list[str]) -> None:
    """Say in our own words what ml_collections would say in many lines: no such file, no such setting."""
    for argument, following in zip(argv[1:], [*argv[2:], ""], strict=False):
        if match := re.fullmatch(r"--?config(?:=(.*))?", argument):
            path = following if match[1] is None else match[1]
            _check_config_file(path)
        if match := re.match(r"--?(?:no)?config\.([^=]*)", argument):
            config_module.check_name(match[1])


def _check_config_file(path: str) -> None:
    if not Path(path).is_file():
        raise UserError(f"there is no config file {path!r}; the ones at hand are under configs/")
    try:
        runpy.run_path(path)["get_config"]()
    except KeyError:
        raise UserError(f"{path} has no function get_config; begin with a copy of one under configs/") from None
    except (Exception, SystemExit) as error:  # whatever the user's own file raises
        raise UserError(f"in {path}: {type(error).__name__}: {error}") from None
