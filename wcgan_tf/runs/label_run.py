"""Holds one label's run folder: lock, settings check, heartbeat, log."""

import contextlib
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wcgan_tf.config import Config
from wcgan_tf.core import errors, files, folder_lock
from wcgan_tf.core.console import LineWriter, append_to_log, printable
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.core.signals import StopRequests
from wcgan_tf.data.prepared import LabelImages
from wcgan_tf.runs import label_status, recorded_settings
from wcgan_tf.runs.label_status import Heartbeat


@dataclass(frozen=True)
class LabelRun:
    """What the training of one label needs: settings, images, paths, stop requests, heartbeat, output."""

    config: Config
    data: LabelImages
    paths: LabelPaths
    stop: StopRequests
    heartbeat: Heartbeat
    out: LineWriter

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.paths.tensorboard(self.data.name)

    def say(self, text: str) -> None:
        """Print a line about this label, and append it to the label's log."""
        self.out.say(f"{self.data.title}: {text}", self.paths.log)


@contextlib.contextmanager
def open_run(
    config: Config,
    data: LabelImages,
    paths: LabelPaths,
    stop: StopRequests,
    out: LineWriter,
    describe: Callable[[Exception], str] = str,
    waiting: str | None = None,
    check: Callable[[], object] = lambda: None,
) -> Iterator[LabelRun | None]:
    """Lock a label's folder during this block; yields None if the label is finished.

    An exception in the block sets the label's status to "failed".  Until the block calls `stop.ends_in_good_order`, a
    signal ends the process at once.

    Args:
        describe: exception -> text, for the label's status and log.
        waiting: what to say if another process holds the folder, before waiting for it.
        check: called first when this process holds the folder; may refuse it.

    Raises:
        UserError: from `check`, if another process holds the folder and `waiting` is None, or the folder has a training
            with other settings, or one whose checkpoints were deleted.
    """

    def waits(text: str) -> None:
        out.say(f"{data.title}: {text}", paths.log)

    with folder_lock.lock(paths.folder, waits, waiting) as give_up, _own_temporary_files(paths):
        check()
        recorded_settings.record(paths, config, data)
        if recorded_settings.finished(paths, config):
            spent = "nothing is left of its budget; give it more train.max_seconds or train.max_steps to resume"
            out.say(f"{data.title}: done before, and {spent}", paths.log)
            yield None
            return
        recorded_settings.refuse_lost_checkpoints(paths)
        heartbeat = Heartbeat(paths.status, data.label, data.name)
        run = LabelRun(config, data, paths, stop, heartbeat, out)

        def farewell() -> None:
            heartbeat.end("stopped")
            run.say("stopped before it took a step; the same command resumes")
            shutil.rmtree(paths.temporary, ignore_errors=True)
            give_up()
            out.finish()

        stop.ends_at_once(farewell)
        try:
            yield run
        except Exception as error:
            _record_error(error, heartbeat, paths, describe)
            raise
        finally:
            stop.ends_in_good_order()


def record_failure(paths: LabelPaths, label: int, error: UserError, describe: Callable[[Exception], str]) -> None:
    """Record why a label cannot start, if its status is "pending" or "failed"."""
    if label_status.read(paths.status).state in ("pending", "failed"):
        paths.folder.mkdir(parents=True, exist_ok=True)
        _record_error(error, Heartbeat(paths.status, label, str(label)), paths, describe)


def _record_error(
    error: Exception, heartbeat: Heartbeat, paths: LabelPaths, describe: Callable[[Exception], str]
) -> None:
    """Record an exception in the label's status and log."""
    line = printable(" ".join(describe(error).split()))
    heartbeat.end("failed", line[:500] or type(error).__name__)
    known = isinstance(error, UserError) or errors.problem(error)
    append_to_log(paths.log, f"error: {line}" if known else traceback.format_exc())


@contextlib.contextmanager
def _own_temporary_files(paths: LabelPaths) -> Iterator[None]:
    """Keep TensorFlow's temporary files in the label's folder; delete those that a killed process left there."""
    files.clear_leftovers(paths.folder)
    shutil.rmtree(paths.temporary, ignore_errors=True)
    paths.temporary.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(paths.temporary)  # set before TensorFlow reads it
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(paths.temporary, ignore_errors=True)
