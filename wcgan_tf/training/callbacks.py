"""Keras callbacks of a training: its end, the label's files, TensorBoard, and a line or a bar on the terminal."""

import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import rich.progress
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from wcgan_tf.core import files, pauses, records, stateless_random
from wcgan_tf.core.console import bar
from wcgan_tf.core.images import tile, to_uint8
from wcgan_tf.core.signals import StopRequests
from wcgan_tf.runs import event_files, recorded_settings
from wcgan_tf.runs.label_run import LabelRun
from wcgan_tf.training.gan import LabelGAN, spent_shares

SCALAR_SHARE, SCALAR_SECONDS = 0.01, 60.0  # scalars with every hundredth of the budget, and at least once a minute
GRID_SHARE = 0.1  # a picture, and a line if there is no terminal, with every tenth of the budget
FLUSH_SECONDS = 10
GRID_PIXELS, GRID_SIDES = 128, (2, 8)  # a picture is about so large, and has so many images on a side
LONG_EXECUTION_SECONDS = 5.0  # a signal is answered between two executions, and that should take less than 10 s


class Budget(keras.callbacks.Callback):
    """Counts the seconds, and ends `fit` when they are spent, when asked to stop, or if a number is not finite.

    The first of the callbacks: the others read its numbers.  An execution in which the step is traced and compiled does
    not count: it would be much of a small budget, and the next label of a process goes without.  Nor does the time in
    which the process was stopped.

    Attributes:
        state: "running", then why it ended: "done", "stopped" or "diverged".
        step, seconds: of training, over all starts of the label.
        progress: the spent share of the budget, 0..1.
    """

    def __init__(self, gan: LabelGAN, stop: StopRequests, compiles: bool = False) -> None:
        super().__init__()
        self._gan, self._stop, self._compiling = gan, stop, compiles
        self.step, self.seconds, self.progress = int(gan.step), float(gan.seconds), float(gan.progress())
        self._began = pauses.monotonic() - self.seconds
        self.state = "running"

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop.ends_in_good_order()  # from the first execution on there is something to lose
        if self._compiling:
            self._began, self._compiling = pauses.monotonic() - self.seconds, False
        self.seconds = pauses.monotonic() - self._began
        self._gan.seconds.assign(self.seconds)
        self.step, finite = self._gan.last
        self.progress = min(1.0, max(spent_shares(self._gan.settings, self.step, self.seconds)))
        if not finite or not all(math.isfinite(value) for value in logs.values()):
            self.state = "diverged"
        elif self.progress >= 1.0:
            self.state = "done"
        elif self._stop.received:
            self.state = "stopped"
        self._gan.stop_training = self.state != "running"


class MetricsWriter(keras.callbacks.Callback):
    """Writes metrics.jsonl, TensorBoard's files and the fields of status.json, all in the label's own folder."""

    def __init__(self, gan: LabelGAN, run: LabelRun, budget: Budget, device: str, threads: int) -> None:
        super().__init__()
        self._gan, self._paths, self._heartbeat, self._budget = gan, run.paths, run.heartbeat, budget
        self._tensorboard = run.tensorboard
        self._side = int(np.clip(GRID_PIXELS // run.data.images.shape[1], *GRID_SIDES))
        self._latents = stateless_random.normal([self._side**2, gan.latent_size], [gan.settings.seed, run.data.label])
        settings = recorded_settings.model_settings(run.config.to_dict())
        flat = {f"{section}.{key}": value for section, own in settings.items() for key, value in own.items()}
        self._settings = {"label": run.data.name, **flat}
        self._throughput = Throughput(gan, budget)
        self._scalars = Milestones(budget, SCALAR_SHARE, SCALAR_SECONDS)
        self._grids = Milestones(budget, GRID_SHARE)
        self._writer = tf.summary.create_noop_writer()
        self._note(device=device, threads=threads)

    def _note(self, **more: Any) -> None:
        """Set fields of the label's status."""
        step, seconds, progress = self._budget.step, self._budget.seconds, self._budget.progress
        self._heartbeat.note(step=step, seconds=round(seconds, 3), progress=round(progress, 4), **more)

    def on_train_begin(self, logs: Any = None) -> None:
        _keep_rows_until(self._paths.metrics, self._budget.step)
        event_files.put_before_now(self._tensorboard)
        self._writer = tf.summary.create_file_writer(str(self._tensorboard), flush_millis=1000 * FLUSH_SECONDS)
        with self._writer.as_default(self._budget.step):
            hparams.hparams(self._settings)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._throughput.start()
        self._note()
        last = self.model.stop_training
        if self._scalars.passed() or last:
            self._write_scalars(logs)
            self._gan.reset_metrics()
        if self._grids.passed() or last:
            self._write_grid()

    def on_train_end(self, logs: Any = None) -> None:
        self._writer.close()

    def _write_scalars(self, logs: Any) -> None:
        step, seconds = self._budget.step, round(self._budget.seconds, 3)
        scalars = {**logs, **self._throughput.rate(), **self._gan.unmeasured()}
        row = {name: value if math.isfinite(value) else None for name, value in scalars.items()}
        watched = {name: row[name] for name in ("wasserstein_estimate", "images_per_second") if name in row}
        self._note(**watched)
        with files.named(self._paths.metrics), self._paths.metrics.open("a", encoding="utf-8") as file:
            file.write(records.line({"step": step, "seconds": seconds, **row}))
        with self._writer.as_default(step):
            for name, value in row.items():
                if value is not None:
                    tf.summary.scalar(event_files.TAGS[name], value)

    def _write_grid(self) -> None:
        pictures = to_uint8(self._gan.average(self._latents, training=False)).numpy()
        with self._writer.as_default(self._budget.step):
            tf.summary.image(event_files.PICTURES, tile(pictures, self._side)[None])


class ProgressLogger(keras.callbacks.Callback):
    """A bar on a terminal; elsewhere a line with every tenth of the budget."""

    def __init__(self, gan: LabelGAN, run: LabelRun, budget: Budget, compiles: bool) -> None:
        super().__init__()
        self._gan, self._out, self._say, self._budget, self._compiles = gan, run.out, run.say, budget, compiles
        share, left = rich.progress.TaskProgressColumn(), rich.progress.TimeRemainingColumn()
        self.bar = bar(run.out, share, left, rich.progress.TextColumn("{task.fields[text]}", markup=False))
        self._task = self.bar.add_task(run.data.title, total=1.0, text="")
        self._throughput = Throughput(gan, budget)
        self._lines = Milestones(budget, GRID_SHARE)
        self._executions = 0
        self._began = self._last = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._began = time.monotonic()
        if self._compiles:
            self._say("tracing and compiling the step" if self._gan.jit_compile else "tracing the step")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._throughput.start()
        self._say_times()
        budget, name = self._budget, self._gan.objective.logged[0]
        text = f"step {budget.step}, {budget.seconds:.0f} s, {name.replace('_', ' ').capitalize()} {logs[name]:.3f}"
        if self._out.console.is_terminal:
            self.bar.update(self._task, completed=budget.progress, text=text)
        elif self._lines.passed() or self.model.stop_training:
            rate = self._throughput.rate().get("images_per_second")
            self._say(text + (f", {rate:.0f} images/s" if rate else ""))

    def _say_times(self) -> None:
        """Say how long the first execution took, and if executions are too long to answer a signal in time."""
        now = time.monotonic()
        if self._executions == 0:
            self._say(f"first execution after {now - self._began:.1f} s")
        elif self._executions == 1 and now - self._last > LONG_EXECUTION_SECONDS and self._gan.execution_steps > 1:
            self._say(
                f"one execution takes {now - self._last:.0f} s, and a signal waits for its end; "
                "type --config.train.steps_per_execution=1 to shorten it"
            )
        self._executions, self._last = self._executions + 1, now


class Throughput:
    """Real images per second, from the end of the first execution on: tracing and compiling are left out."""

    def __init__(self, gan: LabelGAN, budget: Budget) -> None:
        self._budget = budget
        self._per_step = gan.settings.critic_steps * gan.settings.batch_size
        self._mark: tuple[int, float] | None = None

    def start(self) -> None:
        """Call after each execution; measures from the first call on."""
        if self._mark is None:
            self._mark = (self._budget.step, self._budget.seconds)

    def rate(self) -> dict[str, float]:
        """{"images_per_second": since the last call}, or nothing if no time has passed."""
        step, seconds = self._budget.step, self._budget.seconds
        if self._mark is None or seconds <= self._mark[1]:
            return {}
        images_per_second = round((step - self._mark[0]) * self._per_step / (seconds - self._mark[1]), 1)
        self._mark = (step, seconds)
        return {"images_per_second": images_per_second}


class Milestones:
    """Tells when the next share of the budget, or the next so many seconds, are spent."""

    def __init__(self, budget: Budget, share: float, seconds: float = math.inf) -> None:
        self._budget, self._share, self._seconds = budget, share, seconds
        self._last = (budget.progress, budget.seconds)

    def passed(self) -> bool:
        """Whether a milestone was passed since this last returned True."""
        (share, seconds), budget = self._last, self._budget
        due = budget.progress // self._share > share // self._share or budget.seconds - seconds >= self._seconds
        if due:
            self._last = (budget.progress, budget.seconds)
        return due


def _keep_rows_until(metrics: Path, step: int) -> None:
    """Drop the rows after the last checkpoint: those steps are taken again."""
    if metrics.exists():
        rows = metrics.read_text(encoding="utf-8", errors="replace").splitlines()
        files.write_text(metrics, "".join(f"{row}\n" for row in rows if _step(row) <= step))


def _step(row: str) -> float:
    """The step of a row of metrics.jsonl; infinite if it is damaged, or a kill left only a part of it."""
    try:
        step = records.decode(row.encode(), dict[str, float | None]).get("step")
    except records.DAMAGED:
        return math.inf
    return math.inf if step is None else step
