"""Damaged files: truncated, empty, with one bit flipped, or another label's; and what reads them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cases
from conftest import SMALL, run

from wcgan_tf.core import errors


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def of_label_2(path: Path) -> None:
    shutil.copy(Path(str(path).replace("00003", "00002")), path)


TRAIN = ["train", "--label=3", *SMALL, "--config.train.max_steps=30"]
COMBINE, EVALUATE = ["combine", "--labels=2-3", "--overwrite"], ["evaluate", "--num_per_label=20", "--noaccuracy"]
REPORT, STATUS = ["report"], ["status"]
SAMPLE = ["sample", "--num=2", "--output=out.npz"]
LABEL, MODEL, DATA = "runs/digits/labels/00003", "saved_models/digits", "data/digits-8"
GRAPH, WEIGHTS, INDEX = "saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index"
PROGRAMS = {  # a file -> what reads it
    f"{DATA}/dataset.json": TRAIN,
    f"{DATA}/train/00003.npy": TRAIN,
    f"{DATA}/train/00003.json": TRAIN,
    f"{DATA}/test/00003.npy": REPORT,
    f"{DATA}/classifiers/domain.json": EVALUATE,
    f"{DATA}/classifiers/domain-*.weights.h5": EVALUATE,
    f"{DATA}/features/*/train/00003.npz": EVALUATE,
    f"{LABEL}/config.json": TRAIN,
    f"{LABEL}/status.json": STATUS,
    f"{LABEL}/metrics.jsonl": TRAIN,
    f"{LABEL}/checkpoints/ckpt-20.index": TRAIN,
    f"{LABEL}/checkpoints/ckpt-20.data-00000-of-00001": TRAIN,
    f"{LABEL}/generator/{WEIGHTS}": COMBINE,
    f"{LABEL}/generator/{INDEX}": COMBINE,
    f"{LABEL}/generator/training.json": COMBINE,
    f"{LABEL}/3/events.*": REPORT,
    "runs/digits/scores.json": REPORT,
    f"{MODEL}/manifest.json": REPORT,
    f"{MODEL}/1/{GRAPH}": SAMPLE,
    f"{MODEL}/1/{WEIGHTS}": SAMPLE,
    f"{MODEL}/1/{INDEX}": SAMPLE,
}


def result(program: list[str], folder: Path) -> dict[str, str]:
    """What a program must not get wrong: the label's weights, the model's, the scores, or the images that it draws."""
    known: dict[str, Callable[[Path], dict[str, str]]] = {
        "train": lambda folder: {"label": cases.weights(folder / LABEL / "generator")},
        "combine": lambda folder: {"weights": cases.result_of_combine(folder)["weights"]},
        "evaluate": cases.result_of_evaluate,
        "sample": lambda folder: {"drawn": cases.result_of_array(folder / "out.npz")},
    }
    return known[program[0]](folder) if program[0] in known else {}


def try_with(damage: Callable[[Path], None], file: str, folder: Path, expected: dict[str, str]) -> str:
    """Damage a file, and run what reads it; returns what is wrong then.

    Args:
        expected: the result with a whole file, which has to come all the same unless the program says what is wrong.
    """
    (path,) = folder.glob(file)
    damage(path)
    done = run(*PROGRAMS[file], folder=folder, check=False)
    if "Traceback" in done.stderr:
        return f"a traceback: {done.stderr[-500:]}"
    if done.returncode == errors.DONE:
        return "" if result(PROGRAMS[file], folder) == expected else f"another result, in silence: {done.stdout[-500:]}"
    last = (done.stderr.splitlines() or [""])[-1]
    told = done.returncode in (errors.FAILED, errors.WRONG_INPUT) and last.startswith("error: ")
    return "" if told else f"exit code {done.returncode}: {last}"


def ways(file: str) -> list[Callable[[Path], None]]:
    """How a file is damaged."""
    return [truncated, empty, flipped, *([of_label_2] if "00003" in file and "events" not in file else [])]
