"""The compiled train step as StableHLO programs, to be timed on a machine with JAX and without TensorFlow.

    python benchmarks/gpu/export_steps.py .gpu/steps      # from the project's root

Writes for each form of FORMS, with the settings of configs/cifar10.py otherwise:

    <form>.mlir    steps in a loop: (number of steps, variables) -> (means of the losses, the variables that it writes)
    <form>.npz     the variables before the first step, in the order of the program's arguments
    <form>.json    its sizes, and the means after CHECKED steps, by TensorFlow on this machine's CPU
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

CHECKED = 3


class Form(NamedTuple):
    """The sizes of a train step, and the precision of its layers."""

    side: int  # of the images, in pixels
    batch_size: int
    width: int  # channels of the finest feature map
    images: int  # of the label, fewer where they are large
    precision: str

    @property
    def name(self) -> str:
        return f"{self.side}px-b{self.batch_size}-w{self.width}-{self.precision}"


SIZES = [(32, 32, 32, 500), (32, 256, 32, 500), (64, 32, 64, 200), (128, 32, 64, 50)]
FORMS = [Form(*sizes, precision) for sizes in SIZES for precision in ("float32", "mixed_bfloat16")]


def export(form: Form, folder: Path) -> None:
    """Write the three files of a form."""
    import keras
    import tensorflow as tf

    from wcgan_tf.data.prepared import LabelImages
    from wcgan_tf.training.trainer import build

    noise = np.random.default_rng(0).integers(0, 256, [form.images, form.side, form.side, 3], np.uint8)
    gan = build(settings(form), LabelImages(noise, 0, "noise", ""), tf.distribute.OneDeviceStrategy("/CPU:0"))

    def steps(number: tf.Tensor) -> list[tf.Tensor]:
        def take(turn: tf.Tensor) -> tf.Tensor:
            gan.train_step(None)
            return turn + 1

        tf.while_loop(lambda turn: turn < number, take, [0])
        return [tf.identity(mean.result()) for mean in gan.means.values()]

    compiled = tf.function(steps, jit_compile=True, autograph=False)
    number = tf.constant(CHECKED)
    captured = compiled.get_concrete_function(number).captured_inputs
    owned = [*gan._all_variables(), *(variable for mean in gan.means.values() for variable in mean.variables)]
    owned = [variable.value if isinstance(variable, keras.Variable) else variable for variable in owned]
    handles = {id(variable.handle): variable for variable in owned}
    start = [handles[id(one)].numpy() if id(one) in handles else one.numpy() for one in captured]
    program = compiled.experimental_get_compiler_ir(number)(stage="stablehlo")
    np.savez_compressed(folder / f"{form.name}.npz", *start)
    (folder / f"{form.name}.mlir").write_text(program if isinstance(program, str) else str(program))
    means = dict(zip(gan.means, (float(mean) for mean in compiled(number)), strict=True))
    only_read = {id(variable.handle) for variable in (gan.images, gan.count, gan.label, gan.seconds)}
    written = [place for place, one in enumerate(captured) if id(one) in handles.keys() - only_read]
    facts = {**form._asdict(), "critic_steps": gan.settings.critic_steps, "checked": CHECKED, "means": means}
    facts["written"] = written  # the places of the variables that the program's outputs are new values of
    (folder / f"{form.name}.json").write_text(json.dumps(facts))


def settings(form: Form):
    """The settings of configs/cifar10.py with the sizes of a form, and an endless budget."""
    import runpy

    config = runpy.run_path(str(Path(__file__).parents[2] / "configs/cifar10.py"))["get_config"]()
    config.dataset.resolution, config.model.width = form.side, form.width
    config.train.batch_size, config.train.precision = form.batch_size, form.precision
    config.train.max_steps, config.train.max_seconds, config.train.jit_compile = 10**9, 0.0, "on"
    return config


def main() -> None:
    import os

    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for form in FORMS:
        if sys.argv[2:] and form.name not in sys.argv[2:]:
            continue
        export(form, folder)
        print(form.name, flush=True)


if __name__ == "__main__":
    main()
