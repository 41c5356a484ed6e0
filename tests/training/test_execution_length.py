"""How many steps an execution takes."""

from types import SimpleNamespace

import pytest

from wcgan_tf.config import Train
from wcgan_tf.training import execution_length
from wcgan_tf.training.execution_length import ExecutionLength


def lengths(monkeypatch, seconds_per_step: float, executions: int, **settings) -> list[int]:
    """The lengths of executions on a device of this speed, whose first one takes a minute to trace."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(execution_length, "time", SimpleNamespace(monotonic=lambda: clock.now))
    gan = SimpleNamespace(settings=Train(**settings), execution_steps=0)
    budget = SimpleNamespace(step=0, seconds=0.0)
    callback, taken = ExecutionLength(gan, budget), []
    for turn in range(executions):
        taken.append(gan.execution_steps)
        callback.on_train_batch_begin(turn)
        clock.now += taken[-1] * seconds_per_step + (60.0 if turn == 0 else 0.0)
        budget.step, budget.seconds = budget.step + taken[-1], clock.now
        callback.on_train_batch_end(turn)
        clock.now += 5.0  # a checkpoint, which is no part of an execution
    return taken


@pytest.mark.parametrize(
    ("seconds_per_step", "expected"),
    [(0.02, [1, 1, 4, 16, 25, 25]), (0.0005, [1, 1, 4, 16, 64, 256, 1000]), (0.3, [1, 1, 1]), (20.0, [1, 1, 1])],
)
def test_an_execution_lasts_half_a_second_or_one_step(monkeypatch, seconds_per_step, expected):
    taken = lengths(monkeypatch, seconds_per_step, len(expected), max_seconds=900.0)
    assert taken == [pytest.approx(steps, abs=1) for steps in expected]


def test_a_short_training_has_a_hundred_executions(monkeypatch):
    assert max(lengths(monkeypatch, 0.001, 9, max_seconds=200.0)) <= 500
    assert max(lengths(monkeypatch, 0.001, 9, max_seconds=0.0, max_steps=2000)) == 20
    assert max(lengths(monkeypatch, 0.001, 9, max_seconds=0.0, max_steps=20)) == 1


def test_an_execution_takes_no_more_than_what_is_left(monkeypatch):
    # 60 s of tracing, and 0.02 s and 5 s for each execution
    assert lengths(monkeypatch, 0.02, 5, max_seconds=70.23) == [1, 1, 4, 5, 1]
