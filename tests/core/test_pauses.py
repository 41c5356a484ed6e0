"""The time without that in which this process was stopped."""

import time

import pytest

from wcgan_tf.core import pauses


@pytest.fixture
def clock(monkeypatch):
    """A clock whose thread never looks, and a function that lets true seconds pass."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pauses.threading, "Thread", lambda **_: type("Still", (), {"start": lambda self: None})())

    def passes(seconds: float) -> None:
        now[0] += seconds

    return pauses._Clock(), passes


def test_a_pause_is_no_time_and_less_than_one_is(clock):
    own, passes = clock
    began = own.now()
    for seconds in (1.0, pauses.SHORTEST_SECONDS - 0.1, 3600.0, 2.0, pauses.SHORTEST_SECONDS, 0.5):
        passes(seconds)
        own.now()
    assert own.now() - began == pytest.approx(1.0 + pauses.SHORTEST_SECONDS - 0.1 + 2.0 + 0.5)


def test_a_wait_of_the_training_alone_is_time(clock):
    own, passes = clock
    began = own.now()
    for _ in range(20):
        passes(pauses.PERIOD_SECONDS)
        own.now()  # of the thread that looks
    assert own.now() - began == pytest.approx(20 * pauses.PERIOD_SECONDS)
