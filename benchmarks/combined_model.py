"""The cost of combining, loading and calling a combined model, by its number of labels.

    python benchmarks/combined_model.py
    python benchmarks/combined_model.py --labels 10 100

The labels' folders are copies of one exported, untrained generator: no figure depends on its images.  Each step runs
in a process of its own; its peak memory includes TensorFlow.  Times of calls are medians.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ASK = """
import json, resource, statistics, sys, time
import numpy as np, tensorflow as tf

def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before, began = memory(), time.perf_counter()
model = tf.saved_model.load(sys.argv[1])
loading = time.perf_counter() - began
manifest = json.loads(model.signatures["manifest"]()["json"].numpy())
serve, count = model.signatures["serving_default"], manifest["num_labels"]
random = np.random.default_rng(0)

def seconds(labels, times):
    labels = tf.constant(labels, tf.int32)
    latents = tf.random.normal([len(labels), manifest["latent_size"]])
    serve(labels=labels, latents=latents)
    measured = []
    for _ in range(times):
        began = time.perf_counter()
        serve(labels=labels, latents=latents)
        measured.append(time.perf_counter() - began)
    return statistics.median(measured)

print(json.dumps({
    "seconds to load": loading,
    "MiB above TensorFlow's own, loaded": memory() - before,
    "ms for one image": 1e3 * seconds([3], 50),
    "ms for 256 images of one label": 1e3 * seconds([3] * 256, 20),
    "ms for 256 images of 10 labels": 1e3 * seconds(random.integers(10, size=256), 20),
    "ms for 256 images of all labels": 1e3 * seconds(random.integers(count, size=256), 20),
}))
"""


EXPORT = """
import sys
from pathlib import Path
from wcgan_tf import models
from wcgan_tf.models.generator_export import export_generator
from wcgan_tf.config import photo_config
settings = photo_config().model
export_generator(models.generator(settings, 32, 3), 0, settings.latent_size, Path(sys.argv[1]))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--labels", type=int, nargs="+", default=[10, 100, 1000])
    chosen = arguments.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        generator = export_one(folder)
        for count in chosen.labels:
            rows[count] = measure(folder, generator, count)
            shutil.rmtree(folder / "runs")
            shutil.rmtree(folder / "saved_models")
    print("| labels | " + " | ".join(f"{count:,}" for count in rows) + " |")
    print("|---|" + "---|" * len(rows))
    for name in next(iter(rows.values())):
        print(f"| {name} | " + " | ".join(f"{row[name]:.3g}" for row in rows.values()) + " |")


def export_one(folder: Path) -> Path:
    """Export a generator of the settings of configs/cifar10.py."""
    subprocess.run([sys.executable, "-c", EXPORT, str(folder / "generator")], check=True)
    return folder / "generator"


def measure(folder: Path, generator: Path, count: int) -> dict[str, float]:
    """Combine `count` labels and call the model."""
    write_run(folder, generator, count)
    config = Path(__file__).resolve().parent.parent / "configs/cifar10.py"
    began = time.perf_counter()
    combine = [sys.executable, "-m", "wcgan_tf.combine", f"--config={config}"]
    peak = peak_memory([*combine, "--output=saved_models/model"], folder)
    seconds = time.perf_counter() - began
    own = peak_memory([sys.executable, "-c", "from wcgan_tf.combined import model"], folder)
    model = folder / "saved_models/model"
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file()) / 2**20
    asked = subprocess.run(
        [sys.executable, "-c", ASK, str(model / "1")], cwd=folder, capture_output=True, text=True, check=True
    )
    graph = (model / "1/saved_model.pb").stat().st_size / 2**20
    return {
        "MiB of the model": size,
        "MiB of that for its graph": graph,
        "seconds to combine": seconds,
        "peak MiB of combining": peak,
        "the same without what TensorFlow takes, in sizes of the model": (peak - own) / size,
        **json.loads(asked.stdout),
    }


def write_run(folder: Path, generator: Path, count: int) -> None:
    """Write a prepared data set and a run of `count` labels, as `prepare` and `train` do."""
    from wcgan_tf.config import photo_config
    from wcgan_tf.core.paths import DatasetPaths, RunPaths

    config = photo_config()
    config.dataset.name, config.dataset.data_dir = "cifar10", str(folder / "data")
    names = [f"label {label}" for label in range(count)]
    info = DatasetPaths.of(config.dataset).info
    info.parent.mkdir(parents=True, exist_ok=True)
    info.write_text(json.dumps({"name": "cifar10", "resolution": 32, "channels": 3, "labels": names}))
    settings = {**config.to_dict(), "images": {"shape": [5000, 32, 32, 3], "digest": ""}}
    for label in range(count):
        paths = RunPaths(folder / "runs/cifar10").label(label)
        shutil.copytree(generator, paths.generator)
        paths.config.write_text(json.dumps(settings))
        status = {"state": "done", "updated": 0.0, "step": 1, "seconds": 1.0, "device": "CPU:0", "threads": 1}
        paths.status.write_text(json.dumps(status))


def peak_memory(command: list[str], folder: Path) -> float:
    """Run a command; return its peak memory in MiB."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
