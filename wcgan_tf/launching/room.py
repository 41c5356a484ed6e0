"""The memory that a label takes, and how many labels have room on this machine."""

import math

from wcgan_tf.config import Config
from wcgan_tf.core import machine

GIB = 2**30
PROCESS_BYTES = 0.85 * GIB  # of Python and TensorFlow; benchmarks/label_process.py measures processes
GPU_PROCESS_BYTES = 3.0 * GIB  # of one with CUDA's libraries, whose feature maps are on the GPU; not measured
FEATURE_MAPS = 6  # at full resolution, that a step holds at a time


def label_bytes(config: Config, on_gpu: bool = False) -> float:
    """About what the process of one label takes, without its images: a fit to measured processes on a CPU."""
    if on_gpu:
        return GPU_PROCESS_BYTES
    side, train, width = config.dataset.resolution, config.train, max(config.model.width, config.model.critic_width)
    return PROCESS_BYTES + FEATURE_MAPS * 4 * train.batch_size * side**2 * width


def processes(gpus: int, cores: int, config: Config) -> int:
    """How many labels to train at a time: one per GPU, or else per core and CPU, if memory allows; at least 1."""
    wanted = gpus or min(cores, machine.cpus().amount)
    return max(1, int(min(wanted, machine.memory().amount / label_bytes(config, gpus > 0))))


def describe() -> str:
    """What this process may use, such as `0.5 CPUs (the control group's quota) and 23.4 GiB of memory`."""
    cpus, memory = machine.cpus(), machine.memory()
    parts = [f"{cpus.amount:g} CPU{'s' if cpus.amount != 1 else ''}" + (f" ({cpus.source})" if cpus.source else "")]
    if math.isfinite(memory.amount):
        source = f" ({memory.source})" if memory.source else ""
        parts.append(f"{memory.amount / GIB:.1f} GiB of memory{source}")
    return " and ".join(parts)
