"""The one device that this process owns.  Called before TensorFlow starts its runtime."""

import os

import tensorflow as tf

from wcgan_tf.errors import UserError


def cpu_threads() -> int:
    """Cores that this process may use: those it is pinned to, and no more than Slurm's SLURM_CPUS_PER_TASK."""
    pinned = len(os.sched_getaffinity(0))
    return max(1, min(pinned, _number("SLURM_CPUS_PER_TASK", pinned)))


def gpu_index(count: int) -> int:
    """Which of the `count` GPUs that this process sees is its own: one for each task of Slurm on this node, in turn."""
    return _number("SLURM_LOCALID", 0) % count


def _number(variable: str, otherwise: int) -> int:
    """The number in an environment variable, or another where it is not set."""
    text = os.environ.get(variable) or str(otherwise)
    if not text.isdecimal():
        raise UserError(f"{variable} is {text!r}, which is no number; unset it")
    return int(text)


def own(device: str) -> tf.distribute.Strategy:
    """Take this process's device ("auto", "cpu" or "gpu") and hide all others from TensorFlow.

    Raises:
        UserError: where a GPU is asked for and there is none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise UserError("train.device is gpu, but TensorFlow sees none; type --config.train.device=cpu")
    if gpus and device != "cpu":
        gpu = gpus[gpu_index(len(gpus))]
        tf.config.set_visible_devices(gpu, "GPU")
        tf.config.experimental.set_memory_growth(gpu, True)
        return tf.distribute.OneDeviceStrategy("/GPU:0")
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(cpu_threads())
    tf.config.threading.set_inter_op_parallelism_threads(1)  # one step is a chain: nothing runs beside it
    return tf.distribute.OneDeviceStrategy("/CPU:0")


def name(strategy: tf.distribute.Strategy) -> str:
    """The device of a strategy in short, such as CPU:0."""
    return strategy.extended.worker_devices[0].rpartition("device:")[2]


def jit_compile(setting: str, strategy: tf.distribute.Strategy) -> bool:
    """Whether to compile with XLA; "auto" does on a GPU only: on a CPU it takes more memory and is no faster."""
    return setting == "on" or (setting == "auto" and name(strategy).startswith("GPU"))
