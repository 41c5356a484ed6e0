"""A label that this process is at work on: its folder is ours, and whoever looks at it sees how it is."""

import contextlib
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ml_collections

from wcgan_tf.core import console as lines
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.core.signals import StopRequests
from wcgan_tf.data.prepared import LabelImages
from wcgan_tf.runs import settings as claims
from wcgan_tf.runs.label_status import Heartbeat, read


@dataclass(frozen=True)
class Work:
    """One label, all that is needed to train it, and the ways to tell how it goes.

    Attributes:
        prepare: the command that prepares the images.
    """

    config: ml_collections.ConfigDict
    data: LabelImages
    paths: LabelPaths
    stop: StopRequests
    heartbeat: Heartbeat
    out: lines.Lines
    prepare: str

    @property
    def title(self) -> str:
        return title(self.data)

    @property
    def board(self) -> Path:
        """Where TensorBoard finds the label."""
        return self.paths.tensorboard(self.data.name)

    def say(self, text: str) -> None:
        """One line about this label, also into its log."""
        self.out.say(f"{self.title}: {text}", self.paths.log)


def title(data: LabelImages) -> str:
    """What a label is called in a line: `label 3 (cat)`."""
    return f"label {data.label}" + (f" ({data.name})" if data.name != str(data.label) else "")


@contextlib.contextmanager
def at_work(
    config: ml_collections.ConfigDict,
    data: LabelImages,
    paths: LabelPaths,
    stop: StopRequests,
    out: lines.Lines,
    prepare: str,
) -> Iterator[Work | None]:
    """Hold a label's folder for this process; None where nothing is left to do.

    An error inside the block is written down as the label's end.  A signal ends the process at once, until the block
    says otherwise.

    Raises:
        UserError: where another process holds the folder, or it belongs to a training with other settings.
    """
    with files.only_one(paths.folder), _own_temporary_files(paths):
        claims.claim(paths, config, data)
        if claims.finished(paths, config):
            spent = "nothing is left of its budget; give it more train.max_seconds or train.max_steps to go on"
            out.say(f"{title(data)}: done before, and {spent}", paths.log)
            yield None
            return
        heartbeat = Heartbeat(paths.status, data.label, data.name)
        work = Work(config, data, paths, stop, heartbeat, out, prepare)

        def farewell():
            heartbeat.end("stopped")
            work.say("stopped before it took a step; the same command goes on")
            shutil.rmtree(paths.temporary, ignore_errors=True)
            out.finish()

        stop.ends_at_once(farewell)
        try:
            yield work
        except Exception as error:
            _write_down(error, heartbeat, paths)
            raise
        finally:
            stop.ends_in_good_order()


def fails_before_it_began(paths: LabelPaths, label: int, error: UserError) -> None:
    """Write down why a label cannot even begin, where nothing better is known of it."""
    if read(paths.status).state in ("pending", "failed"):
        paths.folder.mkdir(parents=True, exist_ok=True)
        _write_down(error, Heartbeat(paths.status, label, str(label)), paths)


def _write_down(error: Exception, heartbeat: Heartbeat, paths: LabelPaths) -> None:
    """The label's end, where whoever looks at it will look."""
    heartbeat.end("failed", " ".join(str(error).split())[:500] or type(error).__name__)
    lines.append(paths.log, f"error: {error}" if isinstance(error, UserError) else traceback.format_exc())


@contextlib.contextmanager
def _own_temporary_files(paths: LabelPaths) -> Iterator[None]:
    """Keep what TensorFlow writes on its way in the label's folder, and clear away what a kill has left there."""
    files.clear_leftovers(paths.folder)
    shutil.rmtree(paths.temporary, ignore_errors=True)
    paths.temporary.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(paths.temporary)  # before TensorFlow asks where it is
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(paths.temporary, ignore_errors=True)
