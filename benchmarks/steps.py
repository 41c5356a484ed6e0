"""Real images per second of the train step by setting, interleaved in one process: ratios hold on a busy machine.

    python benchmarks/steps.py                                    # all rows, on one core, at CIFAR-10's sizes
    python benchmarks/steps.py --config configs/imagenet64.py

Each row changes a setting of the config file.  Each round runs every row once.  Prints the medians of the rounds.
"""

import copy
import functools
import statistics
import sys
import time

import numpy as np
from absl import flags

STEPS = {"CPU": 20, "GPU": 500}  # of an execution, about as many as in half a second
WHOLE = "XLA, the loop of steps compiled too"  # for a GPU: XLA's loops are slow on a CPU
ROWS = {
    "as configured": {},
    "mixed_bfloat16": {"train.precision": "mixed_bfloat16"},
    "penalty in every step": {"train.gp_every": 1},
    "five critic steps": {"train.critic_steps": 5},
    "no batch_deviation": {"model.batch_deviation": False},
    "DiffAugment": {"train.augment": "color,translation,cutout"},
    "dcgan objective": {"train.objective": "dcgan"},
    "XLA": {"train.jit_compile": "on"},
    WHOLE: {"train.jit_compile": "on"},
    "resnet": {"model.architecture": "resnet"},
}


def define_flags() -> None:
    from wcgan_tf import cli

    cli.define_common_flags()
    flags.DEFINE_integer("rounds", 5, "How often every row is run.", lower_bound=1)
    usual = [row for row in ROWS if row != WHOLE]
    flags.DEFINE_multi_enum("row", usual, list(ROWS), "Only this row; may be given several times.")


def main() -> None:
    from wcgan_tf import cli
    from wcgan_tf.core.process import quiet_imports
    from wcgan_tf.data import prepared

    with quiet_imports():
        import tensorflow as tf

        from wcgan_tf.training.device import device_name, own_device
        from wcgan_tf.training.trainer import build

    tf.get_logger().setLevel("ERROR")  # no warnings: tracing nine functions is intended
    strategy = own_device(cli.config().train.device)
    number = STEPS[device_name(strategy)[:3]]
    side, channels = cli.config().dataset.resolution, 3
    noise = np.random.default_rng(0).integers(0, 256, [5000, side, side, channels], np.uint8)
    runs = {}
    for name in flags.FLAGS.row:
        config = copy.deepcopy(cli.config())
        for setting, value in ROWS[name].items():
            section, key = setting.split(".")
            setattr(getattr(config, section), key, value)
        config.train.steps_per_execution = number
        gan = build(config, prepared.LabelImages(noise, 0, "noise", ""), strategy)
        gan.make_train_function()
        execute = whole_loop(gan, number) if name == WHOLE else functools.partial(gan.train_function, None)
        runs[name] = (gan, execute, [])
    for _ in range(flags.FLAGS.rounds + 1):  # the first round traces and compiles
        for _, execute, seconds in runs.values():
            began = time.perf_counter()
            execute()
            seconds.append(time.perf_counter() - began)
    first = None
    for name, (gan, _, seconds) in runs.items():
        images = number * gan.settings.critic_steps * gan.settings.batch_size
        rate = images / statistics.median(seconds[1:])
        first = first or rate
        print(f"{rate:8.0f} images/s  {rate / first:5.2f}  {name} (first execution {seconds[0]:.1f} s)", flush=True)


def whole_loop(gan, number: int):
    """A function that takes so many steps in one program of XLA, and ends as training's executions do."""
    import tensorflow as tf

    def take(turn):
        gan.train_step(None)
        return turn + 1

    def steps():
        tf.while_loop(lambda turn: turn < number, take, [0])
        return [*(mean.result() for mean in gan.means.values()), tf.cast(gan.finite(), tf.float32)]

    compiled = tf.function(steps, jit_compile=True, autograph=False)
    return lambda: [float(mean) for mean in compiled()]


if __name__ == "__main__":
    import os
    from pathlib import Path

    if not Path("/proc/driver/nvidia").exists():  # else the host's other cores compile for the GPU
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if not any(argument.split("=")[0] == "--config" for argument in sys.argv):
        sys.argv.insert(1, "--config=configs/cifar10.py")
    from wcgan_tf import cli

    cli.run(main, define_flags)
