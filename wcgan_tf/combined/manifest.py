"""manifest.json: the data set, settings and labels of a combined model.  No TensorFlow."""

from pathlib import Path
from typing import Any

import msgspec

from wcgan_tf.core import files, records
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.paths import ModelPaths, graph, is_saved_model
from wcgan_tf.core.records import Amount, Count
from wcgan_tf.runs.label_status import LabelStatus
from wcgan_tf.runs.score_report import Values

COMBINE, COMBINE_ANEW = Command("combine"), Command("combine", "--overwrite")


class LabelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One label of a combined model."""

    label: int
    name: str
    # step, seconds, best_step, device, threads: of its training, as in its status
    step: Count
    seconds: Amount
    best_step: Count | None = None
    device: str
    threads: Count
    # settings_digest, weights_digest: of the settings that define it, and of its weights
    settings_digest: str
    weights_digest: str
    scores: Values = {}  # of this label alone, with these weights; empty if not evaluated

    def made_of(self, status: LabelStatus) -> bool:
        """Whether these weights are those of the label's current generator, to judge by its status."""
        return (self.step, self.seconds, self.best_step) == (status.step, status.seconds, status.best_step)


class PretrainingEntry(msgspec.Struct, frozen=True):
    """The pretraining from which the labels started; the fields are those of its status."""

    step: Count
    seconds: Amount
    device: str
    threads: Count


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A combined model.  The SavedModel's signature `manifest` is authoritative; the file needs no TensorFlow."""

    dataset: str  # name of the data set
    num_labels: int
    names: list[str]  # of all labels, with and without a generator
    # resolution, channels, latent_size: of its images and latents
    resolution: int
    channels: int
    latent_size: int
    settings: dict[str, dict[str, Any]]  # the settings that define the model, by section
    versions: dict[str, str]  # of the packages that wrote it
    labels: list[LabelEntry]  # the labels with a generator, in ascending order
    pretraining: PretrainingEntry | None = None  # None: each label began anew
    # bytes, graph_digest: the size of the SavedModel, and the digest of its saved_model.pb; only in the file
    bytes: Count = 0
    graph_digest: str = ""

    @property
    def entries(self) -> dict[int, LabelEntry]:
        """Label -> its entry."""
        return {entry.label: entry for entry in self.labels}


def weights_digest(labels: list[LabelEntry]) -> str:
    """One digest of the weights of these labels."""
    return files.digest_json([own.weights_digest for own in labels])


def is_intact(saved_model: Path) -> bool:
    """Whether a SavedModel's graph is the one that the manifest beside it tells of; True if there is no such manifest.

    TensorFlow itself checks the weights, but not the graph.
    """
    known = records.read_if_whole(ModelPaths(saved_model.parent).manifest, Manifest)
    return not (known and known.graph_digest) or files.digest_file(graph(saved_model)) == known.graph_digest


def find_saved_model(folder: Path) -> Path:
    """The SavedModel in a combined model's folder, `saved_models/<name>/`, or in the folder of a version of it.

    Raises:
        UserError: if there is none; the message names models in nearby folders.
    """
    for place in (ModelPaths(folder).saved_model, folder):
        if is_saved_model(place):
            return place
    around = {folder, folder.parent}
    near = sorted(str(model.parent.parent) for place in around for model in place.glob("*/1/saved_model.pb"))
    others = f", but in {', '.join(near[:5])}" if near else ""
    raise UserError(f"there is no model in {folder}{others}; type another --model, or run: ", COMBINE)
