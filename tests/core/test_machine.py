"""The CPUs and the memory of a process: tables of control groups of both versions, and of Slurm's variables."""

import os

import pytest

from wcgan_tf.core import machine
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.machine import Limit

GIB = 2**30
NONE = "9223372036854771712"  # of version 1: no limit
SLURM = ("SLURM_CPUS_PER_TASK", "SLURM_NTASKS", "SLURM_CPUS_ON_NODE", "SLURM_STEP_ID", "OMP_NUM_THREADS")


@pytest.fixture
def own(monkeypatch, tmp_path):
    """A machine with 8 CPUs, 32 GiB of free memory and no limits; returns a function that sets limits."""
    groups, meminfo = tmp_path / "groups", tmp_path / "meminfo"
    monkeypatch.setattr(machine, "CONTROL_GROUPS", groups)
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "MEMORY", meminfo)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for name in SLURM:
        monkeypatch.delenv(name, raising=False)
    meminfo.write_text(f"MemTotal: 99 kB\nMemAvailable:   {32 * GIB // 1024} kB\n")

    def limit(lines: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(lines)
        for name, text in files.items():
            (groups / name).parent.mkdir(parents=True, exist_ok=True)
            (groups / name).write_text(text + "\n")

    return limit


def test_without_limits_it_is_the_machine(own):
    assert machine.cpus() == Limit(8)
    assert machine.memory() == Limit(32 * GIB)
    assert machine.threads() == 8


@pytest.mark.parametrize(
    ("lines", "files", "cpus"),
    [
        ("0::/\n", {"cpu.max": "50000 100000"}, 0.5),  # in a container, which sees its own group as the root
        ("0::/job/step\n", {"job/cpu.max": "250000 100000", "job/step/cpu.max": "max 100000"}, 2.5),
        ("0::/a\n", {"unified/a/cpu.max": "100000 100000"}, 1.0),  # both versions are mounted
        ("0::/a\n", {"a/cpu.max": "max 100000"}, 8),
        (
            "4:cpu,cpuacct:/docker/5f\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "150000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            1.5,
        ),
        ("4:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, 8),
        ("4:cpuset:/a\n", {"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"}, 8),  # not its group
        ("0::/../x\n", {"cpu.max": "100000 100000"}, 1.0),  # a group outside of the container's
    ],
)
def test_a_quota_limits_the_cpus(own, lines, files, cpus):
    own(lines, files)
    assert machine.cpus() == Limit(cpus, "the control group's quota" if cpus < 8 else "")
    assert machine.threads() == max(1, int(cpus))


@pytest.mark.parametrize(
    ("lines", "files", "gib"),
    [
        ("0::/a/b\n", {"a/memory.max": str(4 * GIB), "a/b/memory.max": "max"}, 4),
        ("9:memory:/x\n0::/\n", {"memory/x/memory.limit_in_bytes": str(3 * GIB)}, 3),
        ("9:memory:/x\n", {"memory/x/memory.limit_in_bytes": NONE}, 32),
    ],
)
def test_a_control_group_limits_the_memory(own, lines, files, gib):
    own(lines, files)
    assert machine.memory() == Limit(gib * GIB, "the control group's limit" if gib < 32 else "")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SLURM_CPUS_PER_TASK": "1"}, Limit(1, "SLURM_CPUS_PER_TASK")),
        ({"SLURM_CPUS_PER_TASK": "2", "SLURM_NTASKS": "3"}, Limit(6, "SLURM_CPUS_PER_TASK")),  # a batch script
        ({"SLURM_CPUS_PER_TASK": "2", "SLURM_NTASKS": "3", "SLURM_STEP_ID": "0"}, Limit(2, "SLURM_CPUS_PER_TASK")),
        ({"SLURM_CPUS_ON_NODE": "4", "SLURM_NTASKS": "4"}, Limit(4, "SLURM_CPUS_ON_NODE")),
        ({"SLURM_CPUS_PER_TASK": "64"}, Limit(8)),
    ],
)
def test_slurm_limits_the_cpus(own, monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert machine.cpus() == expected


def test_affinity_is_named(own, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert machine.cpus() == Limit(1, "affinity")


@pytest.mark.parametrize(("asked", "threads"), [("2", 2), ("99", 8), ("4,2", 4), ("", 8), ("all", 8), ("0", 8)])
def test_open_mp_limits_the_threads(own, monkeypatch, asked, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert machine.threads() == threads


def test_a_variable_that_is_no_number_is_named(own, monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "abc")
    with pytest.raises(UserError, match="SLURM_CPUS_PER_TASK is 'abc', which is no number"):
        machine.threads()


@pytest.mark.parametrize(
    ("flags", "expected"), [("fpu avx avx2", True), ("fpu avx avx2 avx512f", False), ("fpu sse2", False), (None, False)]
)
def test_a_cpu_without_avx512_is_known(tmp_path, monkeypatch, flags, expected):
    monkeypatch.setattr(machine, "PROCESSORS", tmp_path / "cpuinfo")
    if flags:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert machine.computes_with_avx2() == expected


@pytest.mark.parametrize(
    ("flags", "variables", "expected"),
    [
        ("fpu avx512f avx512_bf16", {}, True),
        ("fpu amx_bf16 amx_tile", {}, True),
        ("fpu avx512f", {}, False),
        ("fpu avx512_bf16", {"TF_ENABLE_ONEDNN_OPTS": "0"}, False),
        ("fpu avx512_bf16", {"TF_ENABLE_ONEDNN_OPTS": "1"}, True),
        (None, {}, False),  # no Linux
    ],
)
def test_bfloat16_needs_its_instructions_and_onednn(tmp_path, monkeypatch, flags, variables, expected):
    monkeypatch.setattr(machine, "PROCESSORS", tmp_path / "cpuinfo")
    if flags:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: x\n")
    assert machine.computes_in_bfloat16(variables) == expected
