"""A worker of table.py and baselines.py: the train step of configs/cifar10.py, or what it consists of.

python ours.py PRECISION step    # images per second
python ours.py PRECISION dcgan   # images per second of a frozen baseline: dcgan, wgan_gp
python ours.py PRECISION alone   # each convolution and matrix product of a step by itself
"""

import runpy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import turns

sys.path.insert(0, str(Path(__file__).parents[1]))

from same_budget.methods import METHODS

STEPS = 20  # in one call of TensorFlow
REPEATS = 20  # of an operation, in one call of TensorFlow


def main(precision: str, part: str) -> None:
    from wcgan_tf.core.process import quiet_imports

    with quiet_imports():
        gan = made(precision, part if part in METHODS else "ours")
    if part == "alone":
        turns.serve(alone(gan))
    else:
        gan.train_function(None)  # traces
        turns.serve(lambda seconds: turns.images_per_second(lambda: take(gan), seconds))


def made(precision: str, method: str = "ours"):
    import numpy as np
    import tensorflow as tf

    from wcgan_tf.data.prepared import LabelImages
    from wcgan_tf.training.device import own_device
    from wcgan_tf.training.trainer import build

    tf.get_logger().setLevel("ERROR")
    config = runpy.run_path(str(Path(__file__).parents[2] / "configs/cifar10.py"))["get_config"]()
    config.train.precision, config.train.steps_per_execution = precision, STEPS
    for name, value in METHODS[method].settings.items():
        section, key = name.split(".")
        setattr(getattr(config, section), key, value)
    noise = np.random.default_rng(0).integers(0, 256, [5000, 32, 32, 3], np.uint8)
    gan = build(config, LabelImages(noise, 0, "noise", ""), own_device("cpu"))
    gan.make_train_function()
    return gan


def take(gan) -> int:
    gan.train_function(None)
    return STEPS * gan.settings.critic_steps * gan.settings.batch_size


def alone(gan) -> Callable[[float], dict]:
    """A measurement: the seconds that a step's convolutions and products take, and the rates of the large ones."""
    import flops

    counts: dict[tuple, float] = {}  # the same operation on the same shapes -> how often a step needs it
    work: dict[tuple, float] = {}
    calls: dict[tuple, Callable] = {}
    for operation, times in flops.operations_of_step(gan):
        shapes = [tuple(one.shape) for one in operation.inputs if one.dtype.is_floating]
        key = (operation.type, operation.inputs[-1].dtype.name, *shapes, *operation.outputs[0].shape)
        counts[key] = counts.get(key, 0.0) + times
        work[key] = flops.of_operation(operation)
        if key not in calls:
            calls[key] = repeated(operation)
            calls[key]()  # traces

    def measure(seconds: float) -> dict:
        rounds: list[dict[tuple, float]] = []
        until = time.perf_counter() + seconds
        while not rounds or time.perf_counter() < until:
            rounds.append({key: timed(call) / REPEATS for key, call in calls.items()})
        median = {key: statistics.median(each[key] for each in rounds) for key in calls}
        total = sum(work[key] * counts[key] for key in calls)
        large = [work[key] / median[key] for key in calls if work[key] > 0.01 * total]
        return {
            "seconds": sum(counts[key] * median[key] for key in calls),
            "slowest": min(large),
            "fastest": max(large),
            "operations": total,
        }

    return measure


def repeated(operation: Any) -> Callable:
    """A function that runs an operation of a graph REPEATS times on random inputs."""
    import tensorflow as tf

    def held(tensor):
        known = tf.get_static_value(tensor)  # such as the sizes of an output
        if known is not None and not tensor.dtype.is_floating:
            return tf.constant(known)
        if tensor.dtype.is_floating:
            return tf.Variable(tf.cast(tf.random.normal(tensor.shape), tensor.dtype))
        kind = operation.type
        side = operation.outputs[0].shape if kind.endswith("BackpropInput") else None
        return tf.constant([int(size) for size in side], tf.int32)

    inputs, output = [held(tensor) for tensor in operation.inputs], operation.outputs[0]
    attributes = {
        name: operation.get_attr(name)
        for name in ("strides", "padding", "explicit_paddings", "transpose_a", "transpose_b")
        if name in operation.node_def.attr
    }
    names = {
        "Conv2D": ("input", "filter"),
        "Conv2DBackpropInput": ("input_sizes", "filter", "out_backprop"),
        "Conv2DBackpropFilter": ("input", "filter_sizes", "out_backprop"),
        "MatMul": ("a", "b"),
    }[operation.type]

    @tf.function(autograph=False)
    def run():
        def once(turn, _):  # a variable's value is read in each turn, so that the operation is run in each
            values = [one.value() if isinstance(one, tf.Variable) else one for one in inputs]
            return turn + 1, getattr(tf.raw_ops, operation.type)(**dict(zip(names, values, strict=True)), **attributes)

        return tf.while_loop(lambda turn, _: turn < REPEATS, once, [0, tf.zeros(output.shape, output.dtype)])[1]

    return run


def timed(call: Callable) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
