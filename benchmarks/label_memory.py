"""The device memory of a label of each config, and how many labels at a time fit on a GPU by it.

    python benchmarks/label_memory.py [configs/cifar10.py ...]

XLA compiles the step in float32 for the CPU, and reports what its variables, the label's images and the intermediate
results take.  A GPU's compiler arranges them differently, and each process needs room for CUDA's libraries: PROCESS_GIB
is allowed for both, and not measured.
"""

import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

IMAGES = {
    "digits": 160,
    "mnist": 6742,
    "cifar10": 5000,
    "cifar100": 500,
    "imagenet64": 1300,
    "imagenet128": 1300,
    "imagenet256": 1300,
    "photos": 500,
    "tiny_imagenet10": 500,
}
PROCESS_GIB = 1.0
GPUS_GIB = {16: 14.5, 40: 39.0, 80: 79.0}  # what a card of so many GB leaves to programs
MOST_WITH_MPS = 48  # clients of NVIDIA's service on one GPU


def step_bytes(config, dump: Path) -> int:
    """What XLA's program of a config's step takes; XLA writes its reports into `dump`."""
    import numpy as np
    import tensorflow as tf

    from wcgan_tf.data.prepared import LabelImages
    from wcgan_tf.models import convolutions
    from wcgan_tf.training.trainer import build

    convolutions.on_cpu = lambda: False  # the forms of a GPU
    config.train.jit_compile, config.train.precision = "on", "float32"
    side = config.dataset.resolution
    images = np.zeros([IMAGES[config.dataset.name], side, side, 3], np.uint8)
    tf.get_logger().setLevel("ERROR")  # no warnings: tracing a step per config is intended
    gan = build(config, LabelImages(images, 0, "zeros", ""), tf.distribute.OneDeviceStrategy("/CPU:0"))
    before = set(dump.glob("*memory-usage-report.txt"))
    step = tf.function(lambda: gan.train_step(None), jit_compile=True, autograph=False)
    # Compiles it and takes no step, which would take minutes at 256 pixels.
    step.experimental_get_compiler_ir()(stage="optimized_hlo")
    reports = set(dump.glob("*memory-usage-report.txt")) - before
    return max(int(re.search(r"Total bytes used: (\d+)", report.read_text())[1]) for report in reports)


def main(files: list[str], dump: Path) -> None:
    print("| config | side | width | batch | MiB |" + "".join(f" {gpu} GB |" for gpu in GPUS_GIB))
    print("|---|" + (4 + len(GPUS_GIB)) * "---:|")
    for file in files:
        config = runpy.run_path(file)["get_config"]()
        own = step_bytes(config, dump)
        sizes = config.dataset.resolution, config.model.width, config.train.batch_size, round(own / 2**20)
        fit = [min(MOST_WITH_MPS, int(gpu / (PROCESS_GIB + own / 2**30))) for gpu in GPUS_GIB.values()]
        print("| " + " | ".join(map(str, (Path(file).stem, *sizes, *fit))) + " |", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(XLA_FLAGS=f"--xla_dump_to={folder}", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
        main(sys.argv[1:] or sorted(map(str, Path("configs").glob("*.py"))), Path(folder))
