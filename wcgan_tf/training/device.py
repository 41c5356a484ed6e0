"""The one device that this process uses, to be selected before TensorFlow initialises its runtime."""

import errno
import os
import re

import tensorflow as tf

from wcgan_tf.config import Train
from wcgan_tf.core import machine
from wcgan_tf.core.errors import UserError
from wcgan_tf.launching import gpus

BFLOAT16_CAPABILITY = (8, 0)  # of NVIDIA's Ampere and later
NO_MEMORY = (  # the last three where memory ran out before a library had its own
    r"\bOOM\b|[Oo]ut of memory|Dst tensor is not initialized|failed to allocate memory"
    r"|(CUDNN|CUBLAS)_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)|DNN library initialization failed"
)
LEAST_SIDE = 16  # pixels; below, on a CPU, conversions to bfloat16 take longer than they save


def own_device(device: str) -> tf.distribute.Strategy:
    """Select this process's device ("auto", "cpu" or "gpu"), and hide all other GPUs from TensorFlow.

    Raises:
        UserError: if `device` is "gpu" and TensorFlow sees none.
    """
    found = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not found:
        raise UserError("train.device is gpu, but TensorFlow sees none; type --config.train.device=cpu")
    if found and device != "cpu":
        gpu = found[gpus.own_index(len(found))]
        tf.config.set_visible_devices(gpu, "GPU")
        tf.config.experimental.set_memory_growth(gpu, True)
        return tf.distribute.OneDeviceStrategy("/GPU:0")
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(machine.threads())
    tf.config.threading.set_inter_op_parallelism_threads(1)  # a step is a chain of operations: none run in parallel
    return tf.distribute.OneDeviceStrategy("/CPU:0")


def device_name(strategy: tf.distribute.Strategy) -> str:
    """The short name of a strategy's device, such as CPU:0."""
    return strategy.extended.worker_devices[0].rpartition("device:")[2]


def unseen_gpus(device: str, strategy: tf.distribute.Strategy) -> list[str]:
    """The GPUs that this process may use although TensorFlow took the CPU by itself."""
    return gpus.visible() if device == "auto" and device_name(strategy).startswith("CPU") else []


def precision(settings: Train, strategy: tf.distribute.Strategy, side: int) -> str:
    """The precision of the networks' layers for images with a side of so many pixels.

    "auto" is mixed_bfloat16 on a GPU with tensor cores for it, or on a CPU with instructions for it unless the images
    are tiny or XLA compiles the step, and otherwise float32.  What stays in float32 on such a GPU uses TF32,
    TensorFlow's own default.
    """
    if settings.precision != "auto":
        return settings.precision
    if device_name(strategy).startswith("GPU"):
        own = tf.config.get_visible_devices("GPU")[0]
        faster = tf.config.experimental.get_device_details(own).get("compute_capability", (0, 0)) >= BFLOAT16_CAPABILITY
    else:
        faster = side >= LEAST_SIDE and settings.jit_compile != "on" and machine.computes_in_bfloat16()
    return "mixed_bfloat16" if faster else "float32"


def is_out_of_memory(error: Exception) -> bool:
    """Whether TensorFlow or XLA could not allocate memory on the device; a full disk is another error."""
    text = str(error)  # of a full disk too, it may have a hint that begins: "If you want to see ... when OOM happens"
    of_disk = any(os.strerror(number) in text for number in (errno.ENOSPC, errno.EDQUOT))
    return isinstance(error, tf.errors.OpError) and not of_disk and bool(re.search(NO_MEMORY, text))


def jit_compile(setting: str, strategy: tf.distribute.Strategy) -> bool:
    """Whether to compile with XLA; "auto": on a GPU only, because on a CPU it takes more memory and is slower."""
    return setting == "on" or (setting == "auto" and device_name(strategy).startswith("GPU"))
