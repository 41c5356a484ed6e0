"""The paths of the files that the programs read and write; other modules take them from here."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wcgan_tf.core import listing

LABEL_DIGITS = 5  # up to 100,000 labels sort correctly as text
ABOUT = "training.json"  # in an exported generator
NAME_LETTERS = 40  # of a label's name in a folder name, which has at most 255 bytes


def folder_name(dataset: str) -> str:
    """The name of folders about a data set: imagenet_resized/64x64:0.1.0 -> imagenet_resized-64x64-0.1.0."""
    return dataset.replace("/", "-").replace(":", "-")


def shipped(name: str) -> Path:
    """A folder that comes with the package, `configs` or `slurm`: in it if it is installed, beside it in a clone."""
    package = Path(__file__).parent.parent
    installed = package / {"configs": "configs", "slurm": "slurm_scripts"}[name]
    return installed if installed.is_dir() else package.parent / name


class Below:
    """A descriptor: the path `name` below its owner's `folder`."""

    def __init__(self, name: str):
        self._name = name

    def __get__(self, owner: "DatasetPaths | LabelPaths | RunPaths | ModelPaths", kind: type) -> Path:
        return owner.folder / self._name


class Prepared(Protocol):
    """The settings in `config.dataset` that determine the folder of a prepared data set."""

    name: str
    data_dir: str
    resolution: int


@dataclass(frozen=True)
class DatasetPaths:
    """A prepared data set: `<data_dir>/<name>-<resolution>/`.

    `share` is a name of the processes that prepare a share of the labels, or "" of one that prepares all.
    """

    folder: Path
    share: str = ""
    info = Below("dataset.json")
    all_unfinished = Below("unfinished")

    @classmethod
    def of(cls, dataset: Prepared, share: str = "") -> "DatasetPaths":
        """The paths for the settings `config.dataset`."""
        return cls(Path(dataset.data_dir) / f"{folder_name(dataset.name)}-{dataset.resolution}", share)

    def images(self, split: str, label: int) -> Path:
        return self.folder / split / f"{label:0{LABEL_DIGITS}d}.npy"

    def record(self, split: str, label: int) -> Path:
        return self.images(split, label).with_suffix(".json")

    @property
    def locked(self) -> Path:
        """The folder that a process holds while it prepares."""
        return self.all_unfinished / self.share if self.share else self.folder

    def unfinished(self, split: str) -> Path:
        return self.all_unfinished / self.share / split

    def sorting_state(self, split: str) -> Path:
        return self.unfinished(split) / "state.json"

    @property
    def scoring(self) -> Path:
        """The folder of scoring classifiers and features: this one, or `scoring/` here if this one is read-only.

        A read-only folder that has a classifier is complete: whoever prepared it has scored something.
        """
        own = self.folder
        usable = not own.exists() or os.access(own, os.W_OK) or (own / "classifiers/domain.json").exists()
        return own if usable else Path("scoring") / own.name

    @property
    def domain(self) -> Path:
        return self.scoring / "classifiers/domain.json"

    def classifier(self, digest: str) -> Path:
        return self.scoring / "classifiers" / f"domain-{digest}.weights.h5"

    def seen_by(self, digest: str) -> Path:
        return self.scoring / "features" / digest

    def features(self, digest: str, split: str, label: int) -> Path:
        return self.seen_by(digest) / split / f"{label:0{LABEL_DIGITS}d}.npz"


def graph(saved_model: Path) -> Path:
    """The graph in a SavedModel's folder."""
    return saved_model / "saved_model.pb"


def is_saved_model(folder: Path) -> bool:
    """Whether a folder has the graph of a SavedModel."""
    return graph(folder).is_file()


def saved_weights(folder: Path) -> Path:
    """The weights in a SavedModel's folder, as `tf.train.load_checkpoint` takes them."""
    return folder / "variables" / "variables"


def inception_folder(data_dir: str) -> Path:
    """The folder of TF-GAN's Inception classifier, which all data sets share."""
    return Path(data_dir) / "classifiers" / "inception"


@dataclass(frozen=True)
class LabelPaths:
    """All files that the process of one label writes, in `<workdir>/labels/00003/`."""

    folder: Path
    config = Below("config.json")
    status = Below("status.json")
    metrics = Below("metrics.jsonl")
    log = Below("log.txt")
    lock = Below("lock")
    checkpoints = Below("checkpoints")
    generator = Below("generator")
    trained = Below(f"generator/{ABOUT}")
    divergence = Below("divergence.json")
    best = Below("best")
    best_score = Below("best/score.json")
    temporary = Below("temporary")

    def saved_checkpoints(self) -> list[Path]:
        """The checkpoints, newest first, as paths without suffix; found by their `.index` files alone."""
        found = (
            re.fullmatch(r"ckpt-([0-9]{1,16})\.index", path.name)
            for path in listing.matching(self.checkpoints, "*.index")
        )
        return [self.checkpoint(step) for step in sorted((int(match[1]) for match in found if match), reverse=True)]

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"ckpt-{step}"

    def tensorboard(self, name: str) -> Path:
        """The folder of event files, `labels/00003/cat`: named after the label, because TensorBoard shows its name."""
        words = re.sub(r"[^\w-]+", "_", name)[:NAME_LETTERS].strip("_")
        taken = {path.name for path in (self.checkpoints, self.generator, self.best, self.temporary, self.lock)}
        return self.folder / (f"{words}_" if words in taken else words or "label")


@dataclass(frozen=True)
class RunPaths:
    """The folder of a run: one folder per label, and the files about all labels."""

    folder: Path
    scores = Below("scores.json")
    tensorboard = Below("scores")
    overview = Below("overview")
    grid = Below("grid.png")
    samples = Below("samples.png")
    report = Below("report.html")

    @property
    def pretraining(self) -> LabelPaths:
        """The training on images of all labels, whose folder is like that of a label."""
        return LabelPaths(self.folder / "pretraining")

    def label(self, label: int) -> LabelPaths:
        return LabelPaths(self.folder / "labels" / f"{label:0{LABEL_DIGITS}d}")

    def labels(self) -> list[int]:
        """The labels that have a folder, in ascending order."""
        return [int(folder.name) for folder in listing.matching(self.folder / "labels", "[0-9]" * LABEL_DIGITS)]


@dataclass(frozen=True)
class ModelPaths:
    """A combined model in the layout of TensorFlow Serving: `<folder>/1/` is the SavedModel."""

    folder: Path
    saved_model = Below("1")
    manifest = Below("manifest.json")
