"""The time of a label process to its first step, part by part, and its peak memory.

    python benchmarks/label_process.py                                        # configs/cifar10.py
    python benchmarks/label_process.py --config configs/imagenet64.py --repeats 5
    python benchmarks/label_process.py --config.train.precision=mixed_bfloat16

The data are 5,000 images of noise in the data set's size: neither time nor memory depends on their content.  Medians of
several repeats, on one core, as the launcher pins label processes.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

IMAGES = 5000
DEFAULT_CONFIG = "configs/cifar10.py"
FIRST_STEPS = "first execution after"

PARTS = """
import json, sys, time
times, last = {}, [float(sys.argv.pop(1))]  # when the process was started, in seconds since the epoch

def part(name):
    now = time.time()
    times[name] = times.get(name, 0.0) + now - last[0]
    last[0] = now

from wcgan_tf import cli, train
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import prepared

def main():
    part("Python, flags, settings")
    config = cli.config()
    data = prepared.label_images(config.dataset, "train", 0)
    part("images")
    with quiet_imports():
        from wcgan_tf.training.device import own_device
        from wcgan_tf.training.trainer import build
        import tensorflow as tf
    part("importing TensorFlow")
    gan = build(config, data, own_device(config.train.device))
    part("networks, optimizers")
    step = gan.train_step

    def noted(data):  # runs while TensorFlow traces, and never again
        logs = step(data)
        part("tracing")
        return logs

    gan.train_step = noted
    gan.make_train_function()
    steps = iter(tf.data.Dataset.range(10**6))
    gan.train_function(steps)
    float(gan.seconds)
    part("compiling, first execution")
    gan.train_function(steps)
    float(gan.seconds)
    part("an execution later on")
    print(json.dumps(times))

cli.run(main, train.define_flags)
"""


def prepared(folder: Path, arguments: list[str], labels: int, count: int = IMAGES) -> None:
    """Write `labels` labels of the data set that the settings name, with `count` images of noise each."""
    code = (
        "import json; from wcgan_tf import cli, train; "
        "cli.run(lambda: print(json.dumps(cli.config().to_dict())), train.define_flags)"
    )
    config = json.loads(
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True).stdout
    )
    side, channels = config["dataset"]["resolution"], 1 if config["dataset"]["name"] in ("digits", "mnist") else 3
    target = folder / f"{config['dataset']['name']}-{side}" / "train"
    target.mkdir(parents=True)
    names = [f"noise {label}" for label in range(labels)]
    info = {"name": config["dataset"]["name"], "resolution": side, "channels": channels, "labels": names}
    (target.parent / "dataset.json").write_text(json.dumps(info))
    images = np.random.default_rng(0).integers(0, 256, [count, side, side, channels], np.uint8)
    np.save(target / "00000.npy", images)
    digest = "import numpy, sys; from wcgan_tf.core import files; print(files.digest(numpy.load(sys.argv[1])))"
    found = subprocess.run(
        [sys.executable, "-c", digest, target / "00000.npy"], check=True, capture_output=True, text=True
    )
    counts = {"count": count, "resized": 0, "unreadable": 0, "digest": found.stdout.strip()}
    for label, name in enumerate(names):
        if label:
            shutil.copy(target / "00000.npy", target / f"{label:05}.npy")
        (target / f"{label:05}.json").write_text(json.dumps({"label": label, "name": name, **counts}))


def whole(arguments: list[str], workdir: str) -> tuple[float, float]:
    """Run `train`: seconds until it reports its first steps, and its peak memory in bytes."""
    command = [sys.executable, "-u", "-m", "wcgan_tf.train", *arguments, "--label=0", f"--workdir={workdir}"]
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    first = next(time.time() - began for line in process.stdout if FIRST_STEPS in line)
    process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    return first, usage.ru_maxrss * 1024


def further(arguments: list[str], workdir: str) -> float:
    """Train two labels in one process: seconds from the end of the first to the first steps of the second."""
    command = [sys.executable, "-u", "-m", "wcgan_tf.train", *arguments, "--label=0,1", f"--workdir={workdir}"]
    times = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            for event in ("label 0 (noise 0): done", "label 1 (noise 1): first"):
                if line.startswith(event):
                    times[event] = time.time()
    done, first = times.values()
    return first - done


def main() -> None:
    arguments = sys.argv[1:]
    if "--help" in arguments:
        print(__doc__)
        return
    repeats = 3
    if "--repeats" in arguments:
        place = arguments.index("--repeats")
        repeats, arguments = int(arguments[place + 1]), arguments[:place] + arguments[place + 2 :]
    if not any(argument.split("=")[0] == "--config" for argument in arguments):
        arguments = [f"--config={DEFAULT_CONFIG}", *arguments]
    title = arguments[0]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        prepared(Path(folder), arguments, labels=2)
        arguments = [f"--config.dataset.data_dir={folder}", "--config.train.pretraining=0", *arguments]
        short = ["--config.train.max_seconds=3", *arguments]
        arguments = ["--config.train.max_seconds=10", *arguments]
        parts, firsts, memories, furthers = [], [], [], []
        for repeat in range(repeats):
            command = [sys.executable, "-c", PARTS, str(time.time()), *arguments]
            parts.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            first, memory = whole(arguments, f"{folder}/run{repeat}")
            firsts.append(first)
            memories.append(memory)
            furthers.append(further(short, f"{folder}/two{repeat}"))
    print(f"{title}, one core, median of {repeats}")
    for name in parts[0]:
        print(f"  {statistics.median(part[name] for part in parts):6.2f} s  {name}")
    print(f"  {statistics.median(firsts):6.2f} s  python -m wcgan_tf.train, to the end of its first execution")
    print(f"  {statistics.median(furthers):6.2f} s  a further label in the same process, up to there")
    print(f"  {statistics.median(memories) / 2**30:6.2f} GiB  its peak memory, training, grids and export included")


if __name__ == "__main__":
    main()
