"""How many steps one execution takes, so that it lasts about half a second on any device."""

import time
from typing import Any

import keras

from wcgan_tf.training.callbacks import SCALAR_SHARE, Budget
from wcgan_tf.training.gan import LabelGAN

SECONDS = 0.5  # of an execution: the host reads back twice a second, and a signal is answered in time
GROWTH = 4  # an execution takes at most so many times the steps of the one before
MOST_STEPS = 10_000


class ExecutionLength(keras.callbacks.Callback):
    """Measures executions from the second one on, and sets the number of steps of the next.

    An execution takes at most a hundredth of the budget, so that the curves of a short training have points too, and
    no more seconds than are left.  The result of a training with a budget in steps does not depend on any of it.
    """

    def __init__(self, gan: LabelGAN, budget: Budget) -> None:
        super().__init__()
        self._gan, self._budget, self._settings = gan, budget, gan.settings
        self._began, self._first_step = 0.0, 0
        self._warm = False  # the first execution is traced and compiled
        gan.execution_steps = 1

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._began, self._first_step = time.monotonic(), self._budget.step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        steps = self._budget.step - self._first_step
        if self._warm and steps:
            self._gan.execution_steps = self._next((time.monotonic() - self._began) / steps)
        self._warm = True

    def _next(self, seconds_per_step: float) -> int:
        """The number of steps of the next execution."""
        seconds, steps = SECONDS, min(MOST_STEPS, GROWTH * self._gan.execution_steps)
        if self._settings.max_seconds:
            left = self._settings.max_seconds - self._budget.seconds
            seconds = min(seconds, SCALAR_SHARE * self._settings.max_seconds, left)
        if self._settings.max_steps:
            steps = min(steps, int(SCALAR_SHARE * self._settings.max_steps))
        return max(1, min(steps, int(seconds / seconds_per_step)))
