"""How many labels have room on a machine."""

import pytest

from wcgan_tf.core import machine
from wcgan_tf.core.machine import Limit
from wcgan_tf.launching import room


@pytest.fixture
def own(monkeypatch):
    def limit(cpus: Limit, memory: Limit) -> None:
        monkeypatch.setattr(machine, "cpus", lambda: cpus)
        monkeypatch.setattr(machine, "memory", lambda: memory)

    return limit


@pytest.mark.parametrize(
    ("cpus", "labels_in_memory", "gpus", "cores", "expected"),
    [
        (8, 99, 0, 8, 8),
        (8, 99, 0, 4, 4),  # two CPUs per core
        (0.5, 99, 0, 8, 1),
        (2.5, 99, 0, 8, 2),
        (8, 3.5, 0, 8, 3),
        (8, 0.5, 0, 8, 1),
        (1, 99, 4, 8, 4),  # a GPU is not left idle for lack of CPUs
        (8, 2.5, 4, 8, 2),
    ],
)
def test_processes_have_cpus_and_memory(config, own, cpus, labels_in_memory, gpus, cores, expected):
    own(Limit(cpus), Limit(labels_in_memory * room.label_bytes(config, gpus > 0)))
    assert room.processes(gpus, cores, config) == expected


def test_a_label_takes_more_with_a_larger_step(config):
    small = room.label_bytes(config)
    config.train.batch_size *= 4
    larger = room.label_bytes(config)
    config.model.critic_width = 4 * config.model.width
    assert room.PROCESS_BYTES < small < larger < room.label_bytes(config)


@pytest.mark.parametrize(
    ("cpus", "memory", "words"),
    [
        (
            Limit(0.5, "the quota"),
            Limit(2.5 * room.GIB, "its limit"),
            "0.5 CPUs (the quota) and 2.5 GiB of memory (its limit)",
        ),
        (Limit(1), Limit(float("inf")), "1 CPU"),
    ],
)
def test_it_is_described(own, cpus, memory, words):
    own(cpus, memory)
    assert room.describe() == words
