"""The GPUs that this process may use."""

import os

import pytest

from wcgan_tf.launching import gpus

A100 = "GPU-5e5a1b7c-0d52-5fd1-9d30-7d5c3c6a6d5b"
MIG = "MIG-0f6c2a53-9e2b-5d2c-8d36-3f0d3b0c9a11"
OLD_MIG = f"MIG-{A100}/1/0"  # of drivers before R470
TWO = f"""GPU 0: NVIDIA A100-SXM4-80GB (UUID: {A100})
GPU 1: NVIDIA A100-SXM4-80GB (UUID: {A100[:-1]}c)
"""
SLICED = f"""GPU 0: NVIDIA A100-SXM4-80GB (UUID: {A100})
GPU 1: NVIDIA A100-SXM4-80GB (UUID: {A100[:-1]}c)
  MIG 3g.40gb     Device  0: (UUID: {MIG})
  MIG 3g.40gb     Device  1: (UUID: {MIG[:-1]}2)
"""
TORN = f"  MIG 1g.5gb Device 0: (UUID: {MIG})\n"  # of a GPU that is not in the list


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("", []),
        ("-1", []),
        ("0,3", ["0", "3"]),
        (" 0, 3 ", ["0", "3"]),
        (f"{A100},1", [A100, "1"]),
        ("GPU-5e5a", ["GPU-5e5a"]),  # CUDA takes the beginning of a UUID
        (f"{MIG},{OLD_MIG}", [MIG, OLD_MIG]),
        ("2,-1,3", ["2"]),  # CUDA stops at the first that it does not know
        ("NoDevFiles", []),  # of Slurm
        ("void", []),  # of the NVIDIA container runtime
        ("none", []),
    ],
)
def test_visible_gpus_come_from_the_environment(monkeypatch, chosen, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert gpus.visible() == expected


def install(folder, monkeypatch, script: str) -> None:
    """Put an `nvidia-smi` into the path."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)


@pytest.mark.parametrize(
    ("listed", "expected"), [(TWO, ["0", "1"]), (SLICED, ["0", MIG, MIG[:-1] + "2"]), (TORN, []), ("", [])]
)
def test_without_the_variable_the_driver_lists_them(tmp_path, monkeypatch, listed, expected):
    install(tmp_path, monkeypatch, f'test "$*" = -L && cat <<EOF\n{listed}EOF')
    assert gpus.visible() == expected


def test_a_driver_without_a_gpu_lists_none(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "echo 'NVIDIA-SMI has failed because of the driver'; exit 9")
    assert gpus.visible() == []


def test_a_driver_that_does_not_answer_is_given_up(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "never")
    install(tmp_path, monkeypatch, f"read line < {tmp_path}/never")
    monkeypatch.setattr(gpus, "LIST_SECONDS", 0.2)
    monkeypatch.delenv(gpus.SILENT, raising=False)
    said = []
    assert gpus.visible(said.append) == []
    assert os.environ.pop(gpus.SILENT)
    assert said == [
        "nvidia-smi -L does not answer for 0.2 s: taken for no GPU; else name them: export CUDA_VISIBLE_DEVICES=0,1"
    ]


def test_without_a_driver_there_are_none(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    said = []
    assert gpus.visible(said.append) == []
    assert said == []
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)  # as in some containers
    assert gpus.visible(said.append) == []
    assert said[0].startswith("there is NVIDIA's driver, but no nvidia-smi that lists its GPUs; to use them, type: exp")
