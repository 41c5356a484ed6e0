"""The compiled train step as StableHLO programs, to be timed on a machine with JAX and without TensorFlow.

    python benchmarks/gpu/export_steps.py .gpu/steps      # from the project's root

Writes for each size of SIZES, with the settings of configs/cifar10.py otherwise:

    <size>.npz                 the variables before the first step, equal ones once
    <size>-<precision>.mlir    steps in a loop: (number of steps, variables) -> (losses' means, variables written)
    <size>-<precision>.json    the sizes, the variables in the order of the program's arguments, the operations of
                               a step, and the means after 1 and 3 steps, by TensorFlow on this machine's CPU
"""

import hashlib
import json
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

CHECKED = (1, 3)  # after one step, means agree to rounding; then the weights' first steps of +-learning rate differ
PRECISIONS = ("float32", "mixed_bfloat16")


class Size(NamedTuple):
    """The sizes of a train step."""

    side: int  # of the images, in pixels
    batch_size: int
    width: int  # channels of the finest feature map
    images: int  # of the label, fewer where they are large

    @property
    def name(self) -> str:
        return f"{self.side}px-b{self.batch_size}-w{self.width}"


SIZES = [Size(32, 32, 32, 500), Size(32, 256, 32, 500), Size(64, 32, 64, 200), Size(128, 32, 64, 50)]


def export(size: Size, precision: str, folder: Path) -> dict[str, np.ndarray]:
    """Write the program and the facts of a step; returns the variables before the first step, by their names there."""
    import keras
    import tensorflow as tf

    sys.path.insert(0, str(Path(__file__).parent.parent))
    import flops

    gan = build(size, precision)
    parts = [gan.generator, gan.critic, gan.average, gan.generator_optimizer, gan.critic_optimizer, *gan.means.values()]
    variables = [gan.step, gan.seconds, gan.learning_rate_factor, gan.images, gan.count, gan.label]
    variables += [variable for part in parts for variable in part.variables]
    variables = [one.value if isinstance(one, keras.Variable) else one for one in variables]
    held = {id(variable.handle): variable for variable in variables}

    def steps(number: tf.Tensor) -> list[tf.Tensor]:
        def take(turn: tf.Tensor) -> tf.Tensor:
            gan.train_step(None)
            return turn + 1

        tf.while_loop(lambda turn: turn < number, take, [0])
        return [tf.identity(mean.result()) for mean in gan.means.values()]

    compiled, number = tf.function(steps, jit_compile=True, autograph=False), tf.constant(1)
    captured = compiled.get_concrete_function(number).captured_inputs
    (folder / f"{size.name}-{precision}.mlir").write_text(
        str(compiled.experimental_get_compiler_ir(number)(stage="stablehlo"))
    )
    start = [held[id(one)].numpy() if id(one) in held else one.numpy() for one in captured]
    names = [hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest() for array in start]
    read = gan.images, gan.count, gan.label, gan.seconds, gan.learning_rate_factor
    only_read = {id(variable.handle) for variable in read}
    facts = {
        **size._asdict(),
        "precision": precision,
        "critic_steps": gan.settings.critic_steps,
        "arguments": names,
        # the places of the arguments that the program's outputs are new values of
        "written": [place for place, one in enumerate(captured) if id(one) in held.keys() - only_read],
        "flops": flops.of_step(gan),
        "means": means(gan),
    }
    (folder / f"{size.name}-{precision}.json").write_text(json.dumps(facts))
    return dict(zip(names, start, strict=True))


def build(size: Size, precision: str):
    """The GAN of configs/cifar10.py in this size, its budget endless, its label's images noise."""
    import tensorflow as tf

    from wcgan_tf.data.prepared import LabelImages
    from wcgan_tf.models import convolutions
    from wcgan_tf.training import trainer

    convolutions.on_cpu = lambda: False  # the program is for a GPU
    config = runpy.run_path(str(Path(__file__).parents[2] / "configs/cifar10.py"))["get_config"]()
    config.dataset.resolution, config.model.width = size.side, size.width
    config.train.batch_size, config.train.precision = size.batch_size, precision
    config.train.max_steps, config.train.max_seconds, config.train.jit_compile = 10**9, 0.0, "on"
    noise = np.random.default_rng(0).integers(0, 256, [size.images, size.side, size.side, 3], np.uint8)
    gan = trainer.build(config, LabelImages(noise, 0, "noise", ""), tf.distribute.OneDeviceStrategy("/CPU:0"))
    for network in (gan.generator, gan.critic, gan.average):
        for weight in network.trainable_variables:  # rounded, so that the files are half as large
            weight.assign(tf.cast(tf.cast(weight, tf.bfloat16), tf.float32))
    return gan


def means(gan) -> dict[int, list[float]]:
    """The means of the losses by steps, taken without XLA, which takes minutes on a CPU."""
    import tensorflow as tf

    step = tf.function(lambda: gan.train_step(None), autograph=False)
    found = {}
    for number in range(1, max(CHECKED) + 1):
        step()
        if number in CHECKED:
            found[number] = [float(mean.result()) for mean in gan.means.values()]
    return found


def main() -> None:
    import os

    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # no warnings: tracing a step per form is intended
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for size in SIZES:
        if sys.argv[2:] and size.name not in sys.argv[2:]:
            continue
        variables: dict[str, np.ndarray] = {}
        for precision in PRECISIONS:
            variables |= export(size, precision, folder)
        np.savez_compressed(folder / f"{size.name}.npz", **variables)
        print(size.name, flush=True)


if __name__ == "__main__":
    main()
