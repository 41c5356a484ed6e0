"""Watching a training: the label's own files, TensorBoard, and a line or a bar for whoever looks."""

import contextlib
import json
import math
import time

import keras
import numpy as np
import rich.progress
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from wcgan_tf.core import files
from wcgan_tf.core import stateless_random as draws
from wcgan_tf.core.images import tile, to_uint8
from wcgan_tf.core.signals import StopRequests
from wcgan_tf.runs import event_files as events
from wcgan_tf.runs import label_status as heartbeat
from wcgan_tf.runs import settings as claims
from wcgan_tf.runs.label_run import Work

SCALAR_SHARE, SCALAR_SECONDS = 0.01, 60.0  # scalars with every hundredth of the budget, and at least once a minute
GRID_SHARE = 0.1  # a picture, and a line where there is no terminal, with every tenth of the budget
FLUSH_SECONDS = 10
GRID_PIXELS, GRID_SIDES = 128, (2, 8)  # a picture is about so large, and has so many images on a side
LONG_EXECUTION_SECONDS = 5.0  # a signal is answered between two executions, and that should take less than 10 s

TAGS = {  # the name of a value -> its tag in TensorBoard, which groups them by what is before the slash
    "kcd": "score/kcd",
    "wasserstein_estimate": "training/wasserstein_estimate",
    "critic_loss": "training/critic_loss",
    "discriminator_loss": "training/discriminator_loss",
    "generator_loss": "training/generator_loss",
    "gradient_penalty": "penalty/gradient_penalty",
    "gradient_norm": "penalty/gradient_norm",
    "images_per_second": "speed/images_per_second",
}


class Budget(keras.callbacks.Callback):
    """Counts the seconds and ends `fit` when they are spent, when asked to, or when a number is no longer finite.

    The first of the callbacks: those after it can rely on the numbers of a training that goes on.

    Attributes:
        state: "running", then why it ended: "done", "stopped" or "diverged".
    """

    def __init__(self, gan, stop: StopRequests):
        super().__init__()
        self._gan, self._stop = gan, stop
        self._earlier = float(gan.seconds)
        self._started = time.monotonic()
        self.state = "running"

    def spent(self) -> bool:
        """Whether nothing of the budget is left."""
        return float(self._gan.progress()) >= 1.0

    def on_train_batch_end(self, batch, logs=None):
        self._stop.ends_in_good_order()  # from the first execution on there is something to lose
        self._gan.seconds.assign(self._earlier + time.monotonic() - self._started)
        if not all(math.isfinite(value) for value in logs.values()) or not self._gan.finite():
            self.state = "diverged"
        elif self.spent():
            self.state = "done"
        elif self._stop.received:
            self.state = "stopped"
        self._gan.stop_training = self.state != "running"


class Recorder(keras.callbacks.Callback):
    """Writes metrics.jsonl and TensorBoard's files, and what status.json says, all in the label's own folder."""

    def __init__(self, gan, work: Work, device: str, threads: int):
        super().__init__()
        self._gan, self._paths, self._heartbeat = gan, work.paths, work.heartbeat
        self.place = f"{heartbeat.host()} {device}"
        self._board = work.board
        self._side = int(np.clip(GRID_PIXELS // work.data.images.shape[1], *GRID_SIDES))
        self._latents = draws.normal([self._side**2, gan.latent_size], [gan.settings.seed, work.data.label])
        self._settings = {"label": work.data.name, **_flat(work.config)}
        self._clock = Clock(gan)
        self._scalars = Marks(gan, SCALAR_SHARE, SCALAR_SECONDS)
        self._grids = Marks(gan, GRID_SHARE)
        self._writer = tf.summary.create_noop_writer()
        self._note(device=device, threads=threads)

    def _note(self, **more) -> None:
        """Tell the heartbeat how far it is."""
        gan = self._gan
        self._step, self._seconds = int(gan.step), round(float(gan.seconds), 3)
        self._heartbeat.note(step=self._step, seconds=self._seconds, progress=round(float(gan.progress()), 4), **more)

    def on_train_begin(self, logs=None):
        _keep_rows_until(self._paths.metrics, int(self._gan.step))
        events.keep_until(self._board, int(self._gan.step), self._paths.temporary)
        self._writer = tf.summary.create_file_writer(str(self._board), flush_millis=1000 * FLUSH_SECONDS)
        with self._writer.as_default(int(self._gan.step)):
            hparams.hparams(self._settings)

    def on_train_batch_end(self, batch, logs=None):
        self._clock.tick()
        self._note()
        last = self.model.stop_training
        if self._scalars.passed() or last:
            self._write_scalars(logs)
            self._gan.reset_metrics()
        if self._grids.passed() or last:
            self._write_grid()

    def on_train_end(self, logs=None):
        self._writer.close()

    def _write_scalars(self, logs):
        step, seconds = self._step, self._seconds
        scalars = {**{name: float(value) for name, value in logs.items()}, **self._clock.rate()}
        row = {name: value if math.isfinite(value) else None for name, value in scalars.items()}  # JSON has no NaN
        watched = {name: row[name] for name in ("wasserstein_estimate", "images_per_second") if name in row}
        self._note(**watched)
        with self._paths.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "seconds": seconds, **row}) + "\n")
        with self._writer.as_default(step):
            for name, value in scalars.items():
                tf.summary.scalar(TAGS[name], value)

    def _write_grid(self):
        pictures = to_uint8(self._gan.average(self._latents, training=False)).numpy()
        with self._writer.as_default(int(self._gan.step)):
            tf.summary.image("generated", tile(pictures, self._side)[None])


class Progress(keras.callbacks.Callback):
    """A bar on a terminal; elsewhere a line with every tenth of the budget."""

    def __init__(self, gan, work: Work, compiles: bool):
        super().__init__()
        self._gan, self._out, self._title = gan, work.out, work.title
        self._say, self._compiles = work.say, compiles
        self._bar: rich.progress.Progress | None = None
        self._task = rich.progress.TaskID(0)
        self._clock = Clock(gan)
        self._lines = Marks(gan, GRID_SHARE)
        self._executions = self._first_step = 0
        self._began = self._last = 0.0

    @contextlib.contextmanager
    def shown(self):
        """Draw the bar inside this block, where there is a terminal."""
        console = self._out.console
        if not console.is_terminal:
            yield
            return
        columns = (
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TimeRemainingColumn(),
            rich.progress.TextColumn("{task.fields[text]}", markup=False),
        )
        self._bar = rich.progress.Progress(*columns, console=console)
        self._task = self._bar.add_task(self._title, total=1.0, text="")
        with self._out.above(self._bar):
            yield

    def on_train_begin(self, logs=None):
        self._first_step, self._began = int(self._gan.step), time.monotonic()
        if self._compiles:
            self._say("tracing and compiling the step" if self._gan.jit_compile else "tracing the step")

    def on_train_batch_end(self, batch, logs=None):
        self._clock.tick()
        self._say_times()
        step, seconds, name = int(self._gan.step), float(self._gan.seconds), self._gan.objective.logged[0]
        text = f"step {step}, {seconds:.0f} s, {name.replace('_', ' ').capitalize()} {logs[name]:.3f}"
        if self._bar:
            self._bar.update(self._task, completed=float(self._gan.progress()), text=text)
        elif self._lines.passed() or self.model.stop_training:
            rate = self._clock.rate().get("images_per_second")
            self._say(text + (f", {rate:.0f} images/s" if rate else ""))

    def _say_times(self) -> None:
        """What the first execution took, and where executions are too long to answer a signal in time."""
        now = time.monotonic()
        if self._executions == 0:
            self._say(f"first {int(self._gan.step) - self._first_step} steps after {now - self._began:.1f} s")
        elif self._executions == 1 and now - self._last > LONG_EXECUTION_SECONDS:
            self._say(
                f"one execution takes {now - self._last:.0f} s, and a signal waits for its end; "
                "type --config.train.steps_per_execution=1 to shorten it"
            )
        self._executions, self._last = self._executions + 1, now


class Clock:
    """Real images per second, from the end of the first execution on: tracing and compiling are left out."""

    def __init__(self, gan):
        self._gan = gan
        self._per_step = gan.settings.critic_steps * gan.settings.batch_size
        self._mark: tuple[int, float] | None = None

    def tick(self) -> None:
        """Call once after each execution."""
        if self._mark is None:
            self._mark = (int(self._gan.step), float(self._gan.seconds))

    def rate(self) -> dict[str, float]:
        """{"images_per_second": since the last call}, or nothing where no time has passed."""
        step, seconds = int(self._gan.step), float(self._gan.seconds)
        if self._mark is None or seconds <= self._mark[1]:
            return {}
        images_per_second = round((step - self._mark[0]) * self._per_step / (seconds - self._mark[1]), 1)
        self._mark = (step, seconds)
        return {"images_per_second": images_per_second}


class Marks:
    """Tells when the next share of the budget, or the next so many seconds, are over."""

    def __init__(self, gan, share: float, seconds: float = math.inf):
        self._gan, self._share, self._seconds = gan, share, seconds
        self._last = self._now()

    def passed(self) -> bool:
        """Whether a mark was passed since this last said so."""
        (share, seconds), now = self._last, self._now()
        due = now[0] // self._share > share // self._share or now[1] - seconds >= self._seconds
        if due:
            self._last = now
        return due

    def _now(self):
        return float(self._gan.progress()), float(self._gan.seconds)


def now() -> str:
    """The time of day, with its date."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _flat(config) -> dict[str, str | float]:
    """The settings that make a model what it is, by their dotted names, as TensorBoard takes them."""
    settings = claims.model_settings(config.to_dict())
    return {f"{section}.{key}": value for section, own in settings.items() for key, value in own.items()}


def _keep_rows_until(metrics, step: int) -> None:
    """Drop what an earlier run logged after its last checkpoint: those steps are taken again."""
    if metrics.exists():
        rows = metrics.read_text(encoding="utf-8", errors="replace").splitlines()
        files.write_text(metrics, "".join(f"{row}\n" for row in rows if _step(row) <= step))


def _step(row: str) -> float:
    """The step of a row of metrics.jsonl; infinite where a kill left only a part of it."""
    try:
        return float(json.loads(row)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
