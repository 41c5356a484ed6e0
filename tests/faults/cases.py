"""The programs that are killed: where each begins, its command, and its result, which must not depend on a kill."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from conftest import SMALL, STEPS, run, trained
from PIL import Image

from wcgan_tf.core import files
from wcgan_tf.core.errors import Command

LABEL = "runs/digits/labels/00003"
PHOTOS = ["--config.dataset.name=photos", "--config.dataset.root=photos", "--config.dataset.resolution=8"]
CHANGING = [
    "seconds",
    "updated",
    "pid",
    "images_per_second",
    "wasserstein_estimate",
    ".*hours",
    "bytes",
    "graph_digest",
    "root",
    "checksum",
]
OF_ONE_START = rf'"({"|".join(CHANGING)})"'  # lines of JSON


class Case(NamedTuple):
    """A program that is killed.

    Attributes:
        name: for people.
        words: `wcgan_tf.<program>` and its flags.
        begin: `begin(whole, folder)` makes the folder that it starts in, from one where the chain has run.
        result: its files -> what each has to be.
    """

    name: str
    words: list[str]
    begin: Callable[[Path, Path], object]
    result: Callable[[Path], dict[str, str]]


def result_of_training(folder: Path) -> dict[str, str]:
    """The weights of the generator, the steps of the checkpoints, and the steps in the metrics."""
    label = folder / LABEL
    rows = re.findall(r'"step": ?([0-9]+)', (label / "metrics.jsonl").read_text())
    return {
        "generator": weights(label / "generator"),
        "checkpoints": " ".join(sorted(path.name for path in (label / "checkpoints").iterdir())),
        "metrics": " ".join(rows),
        **records(label),
    }


def result_of_labels(folder: Path) -> dict[str, str]:
    """The weights of all generators."""
    return {path.parent.name: weights(path) for path in sorted(folder.glob("runs/digits/labels/*/generator"))}


def weights(generator: Path) -> str:
    """The digest of a SavedModel's weights; its other files differ by some bytes each time."""
    from wcgan_tf.models.generator_export import read_weights

    return files.digest_json([files.digest(values) for values in read_weights(generator, Command("train"))])


def records(folder: Path) -> dict[str, str]:
    """The JSON files in a folder, without the lines that differ from one start to the next."""
    found = {}
    for path in folder.rglob("*.json"):
        lines = [line for line in path.read_text().splitlines() if not re.search(OF_ONE_START, line)]
        found[str(path.relative_to(folder))] = files.digest_json(lines)
    return found


def result_of_prepare(folder: Path) -> dict[str, str]:
    """All images, records, weights and features."""
    arrays = {}
    for path in (folder / "data").rglob("*.np[yz]"):
        arrays[str(path.relative_to(folder))] = result_of_array(path)
    return {**arrays, **records(folder / "data")}


def result_of_array(path: Path) -> str:
    loaded = np.load(path, allow_pickle=False)
    values = [loaded] if path.suffix == ".npy" else [loaded[name] for name in sorted(loaded)]
    return files.digest_json([files.digest(value) for value in values])


def result_of_combine(folder: Path) -> dict[str, str]:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / "saved_models/digits/1/variables/variables"))
    stacks = sorted(name for name in reader.get_variable_to_shape_map() if name.startswith("stacks/"))
    digests = files.digest_json([files.digest(reader.get_tensor(name)) for name in stacks])
    return {"weights": digests, **records(folder / "saved_models")}


def result_of_evaluate(folder: Path) -> dict[str, str]:
    scores = msgspec.json.decode((folder / "runs/digits/scores.json").read_bytes())
    return {"scores": files.digest_json({**scores, "seconds": None, "checksum": None})}


def result_of_report(folder: Path) -> dict[str, str]:
    run_folder = folder / "runs/digits"
    page = re.sub(r"made [0-9: -]+", "", (run_folder / "report.html").read_text())
    grid = np.asarray(Image.open(run_folder / "grid.png"))
    overview = [path for path in (run_folder / "overview").rglob("*") if path.is_file()]
    return {"page": f"{len(page) // 1000} kB", "grid": files.digest(grid), "overview": f"{len(overview)} files"}


def photographs(whole: Path, folder: Path) -> None:
    """A folder of 3 labels with 6 photographs for each split, of noise."""
    random = np.random.default_rng(0)
    for place in (folder / "photos" / split / f"kind {label}" for split in ("train", "val") for label in range(3)):
        place.mkdir(parents=True)
        for index in range(6):
            Image.fromarray(random.integers(0, 255, [9, 9, 3], np.uint8)).save(place / f"{index}.png")


def two_trained(whole: Path, folder: Path) -> None:
    trained(whole, folder, 2, 3)


def combined(whole: Path, folder: Path) -> None:
    trained(whole, folder, 2, 3)
    run("combine", "--partial", folder=folder)


def scored(whole: Path, folder: Path) -> None:
    combined(whole, folder)
    run("evaluate", *EVALUATE[1:], folder=folder)
    run("report", folder=folder)


def trained_twice(whole: Path, folder: Path) -> None:
    """A label with two checkpoints, so that the next one deletes a file."""
    trained(whole, folder, 3)
    run("train", "--label=3", *SMALL, "--config.train.max_steps=30", folder=folder)


def only_data(whole: Path, folder: Path) -> None:
    trained(whole, folder)


ONLY_DURING = {"temporary", "unfinished", "owner.json"}
EVALUATE = ["wcgan_tf.evaluate", "--num_per_label=20", "--noaccuracy"]
CASES = [
    Case("train", ["wcgan_tf.train", "--label=3", *STEPS], only_data, result_of_training),
    Case(
        "train further",
        ["wcgan_tf.train", "--label=3", *SMALL, "--config.train.max_steps=40"],
        trained_twice,
        result_of_training,
    ),
    Case("prepare", ["wcgan_tf.prepare", *PHOTOS], photographs, result_of_prepare),
    Case("combine", ["wcgan_tf.combine", "--partial", "--overwrite"], two_trained, result_of_combine),
    Case("combine --replace", ["wcgan_tf.combine", "--replace=3"], combined, result_of_combine),
    Case("evaluate", EVALUATE, combined, result_of_evaluate),
    Case("report", ["wcgan_tf.report"], scored, result_of_report),
]


def run_to_the_end(case: Case, folder: Path) -> dict[str, str]:
    """Run the program, without any fault; returns its result, with what it has left behind."""
    run(case.words[0].removeprefix("wcgan_tf."), *case.words[1:], folder=folder)
    return {**case.result(folder), "leftovers": " ".join(leftovers(folder))}


def leftovers(folder: Path) -> list[str]:
    """What only a kill leaves: hidden and unfinished files and folders."""
    left = [path for path in folder.rglob("*") if path.name.startswith(".") or path.name in ONLY_DURING]
    return sorted(str(path.relative_to(folder)) for path in left)


def not_whole(folder: Path) -> list[str]:
    """The files and folders that are there under their own names, and cannot be read from first to last byte."""
    found = []
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if path.is_dir() or "unfinished" in inside or any(part.startswith(".") for part in inside):
            continue
        try:
            _read(path)
        except Exception as error:  # of whatever library
            found.append(f"{path.relative_to(folder)}: {error!r}")
    return found


def _read(path: Path) -> None:
    """Read a file by what reads it; raises an error of any kind if it is not whole."""
    import tensorflow as tf

    if path.suffix == ".json":
        if path.name != "owner.json":  # a lock, which is written in its place
            msgspec.json.decode(path.read_bytes())
    elif path.suffix in (".npy", ".npz"):
        result_of_array(path)
    elif path.suffix == ".png":
        Image.open(path).load()
    elif path.suffix == ".html":
        assert path.read_text().rstrip().endswith("</html>")
    elif path.suffix == ".index":
        reader = tf.train.load_checkpoint(str(path.with_suffix("")))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    elif path.name == "saved_model.pb":
        tf.saved_model.load(str(path.parent))
