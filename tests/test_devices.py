import os

import pytest

from wcgan_tf import devices


@pytest.mark.parametrize(("slurm", "pinned", "threads"), [(None, 4, 4), ("2", 4, 2), ("8", 4, 4), ("", 3, 3)])
def test_threads_are_those_we_may_use(monkeypatch, slurm, pinned, threads):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    if slurm is not None:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", slurm)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(pinned)))
    assert devices.cpu_threads() == threads


def test_the_strategy_owns_one_device(device):
    assert device.num_replicas_in_sync == 1
    assert devices.name(device) == "CPU:0"


@pytest.mark.parametrize(("setting", "compiled"), [("auto", False), ("on", True), ("off", False)])
def test_xla_is_for_gpus_where_nothing_else_is_said(device, setting, compiled):
    assert devices.jit_compile(setting, device) is compiled
