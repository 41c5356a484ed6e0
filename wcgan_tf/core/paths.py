"""The name of every file that the programs write and read; nothing else in the package spells one."""

import re
from dataclasses import dataclass
from pathlib import Path

LABEL_DIGITS = 5  # 100,000 labels sort as text
NAME_LETTERS = 40  # of a label's name in a folder's: 255 bytes are all that there may be


@dataclass(frozen=True)
class DatasetPaths:
    """A prepared data set: `<data_dir>/<name>-<resolution>/`."""

    folder: Path

    @classmethod
    def of(cls, dataset) -> "DatasetPaths":
        """The folder of the settings `config.dataset`."""
        name = dataset.name.replace("/", "-").replace(":", "-")  # imagenet_resized/64x64:0.1.0
        return cls(Path(dataset.data_dir) / f"{name}-{dataset.resolution}")

    @property
    def info(self) -> Path:
        return self.folder / "dataset.json"

    def images(self, split: str, label: int) -> Path:
        return self.folder / split / f"{label:0{LABEL_DIGITS}d}.npy"

    def record(self, split: str, label: int) -> Path:
        return self.folder / split / f"{label:0{LABEL_DIGITS}d}.json"

    def unfinished(self, split: str) -> Path:
        return self.folder / "unfinished" / split

    def sorting_state(self, split: str) -> Path:
        return self.unfinished(split) / "state.json"

    def classifier(self, digest: str) -> Path:
        return self.folder / "classifiers" / f"domain-{digest}.weights.h5"

    @property
    def domain(self) -> Path:
        return self.folder / "classifiers" / "domain.json"

    def seen_by(self, digest: str) -> Path:
        return self.folder / "features" / digest

    def features(self, digest: str, split: str, label: int) -> Path:
        return self.seen_by(digest) / split / f"{label:0{LABEL_DIGITS}d}.npz"


@dataclass(frozen=True)
class ClassifierPaths:
    """Classifiers that serve every data set: `<data_dir>/classifiers/`."""

    data_dir: Path

    @property
    def inception(self) -> Path:
        return self.data_dir / "classifiers" / "inception"


@dataclass(frozen=True)
class LabelPaths:
    """What one label process writes: `<workdir>/labels/00003/`, and nothing outside it."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def status(self) -> Path:
        return self.folder / "status.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def tensorboard(self, name: str) -> Path:
        """Called as the label is, whatever letters that has, for so TensorBoard calls it: `labels/00003/cat`."""
        words = re.sub(r"[^\w-]+", "_", name)[:NAME_LETTERS].strip("_")
        taken = {path.name for path in (self.checkpoints, self.generator, self.best, self.temporary, self.lock)}
        return self.folder / (f"{words}_" if words in taken else words or "label")

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def generator(self) -> Path:
        return self.folder / "generator"

    @property
    def best(self) -> Path:
        return self.folder / "best"

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"


@dataclass(frozen=True)
class RunPaths:
    """A work directory: one folder per label, and what is known of all labels together."""

    folder: Path

    def label(self, label: int) -> LabelPaths:
        return LabelPaths(self.folder / "labels" / f"{label:0{LABEL_DIGITS}d}")

    def labels(self) -> list[int]:
        """The labels that have a folder."""
        folders = (self.folder / "labels").glob("[0-9]" * LABEL_DIGITS)
        return sorted(int(folder.name) for folder in folders)

    @property
    def scores(self) -> Path:
        return self.folder / "scores.json"

    @property
    def tensorboard(self) -> Path:
        return self.folder / "scores"

    @property
    def overview(self) -> Path:
        return self.folder / "overview"

    @property
    def grid(self) -> Path:
        return self.folder / "grid.png"

    @property
    def samples(self) -> Path:
        return self.folder / "samples.png"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"


@dataclass(frozen=True)
class ModelPaths:
    """A combined model in the layout of TensorFlow Serving: `<folder>/1/` is the SavedModel."""

    folder: Path

    @property
    def saved_model(self) -> Path:
        return self.folder / "1"

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"
