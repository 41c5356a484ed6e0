"""Whether the result of each program exists and matches the present inputs and settings.  No TensorFlow."""

import contextlib
import time
import zipfile
from pathlib import Path

from wcgan_tf.combined import manifest
from wcgan_tf.combined.manifest import Manifest
from wcgan_tf.config import Config
from wcgan_tf.core import files, records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths, LabelPaths, ModelPaths, RunPaths, is_saved_model
from wcgan_tf.data import prepared, sources
from wcgan_tf.data.prepared import CurrentDomain
from wcgan_tf.evaluation import classifier_files, enough
from wcgan_tf.runs import label_status, recorded_settings
from wcgan_tf.runs.score_report import ScoreReport


def is_prepared(config: Config) -> bool:
    """Whether all labels are prepared, and with `train.eval_seconds` also the domain classifier and its features.

    Raises:
        UserError: if the folder holds the images of another `dataset.root`.
    """
    dataset, paths = config.dataset, DatasetPaths.of(config.dataset)
    prepared.refuse_other_source(dataset)
    if not paths.info.exists():
        return False
    labels = range(len(prepared.names_in(paths)))
    if not prepared.are_all(dataset, labels):
        return False
    if not config.train.eval_seconds:
        return True
    current = records.read_if_whole(paths.domain, CurrentDomain)
    if current is None or not _is_hdf5(paths.classifier(current.digest)):
        return False
    seen = (paths.features(current.digest, split, label) for split in sources.SPLITS for label in labels)
    return all(map(zipfile.is_zipfile, seen))  # a truncated one is none


def _is_hdf5(file: Path) -> bool:
    """Whether it is there, and not truncated."""
    import h5py

    with contextlib.suppress(OSError), h5py.File(file):
        return True
    return False


def is_trained(config: Config, run: RunPaths, label: int) -> bool:
    """Whether a label has spent its budget, with these settings and on the present training images."""
    paths = run.label(label)
    if not recorded_settings.finished(paths, config):
        return False
    try:
        before, images = recorded_settings.read(paths), prepared.digest(config.dataset, "train", label)
    except UserError:
        return False
    different = recorded_settings.differences(before.sections(), config.to_dict())
    return before.images.digest == images and not different


def is_combined(run: RunPaths, model: ModelPaths, labels: list[int]) -> bool:
    """Whether the combined model has exactly these labels, with the weights of their present generators."""
    known = records.read_if_whole(model.manifest, Manifest)
    return (
        known is not None
        and files.size(model.saved_model) == known.bytes
        and sorted(known.entries) == labels
        and all(
            (status := label_status.read(run.label(label).status)).state == "done" and entry.made_of(status)
            for label, entry in known.entries.items()
        )
    )


def is_evaluated(config: Config, file: Path, model: ModelPaths) -> bool:
    """Whether a scores.json is about the present model and images, and was computed with these settings."""
    scores, known = records.read_if_whole(file, ScoreReport), records.read_if_whole(model.manifest, Manifest)
    if scores is None or known is None:
        return False
    small = enough.too_small(config, known.entries, config.evaluate.classifier)
    labels = sorted(known.entries.keys() - set(small))  # the others have no scores
    wanted = [
        (scores.labels, labels),
        (scores.model, manifest.weights_digest([known.entries[label] for label in labels])),
        (scores.num_per_label, config.evaluate.num_per_label),
        (scores.split, config.evaluate.split),
        (scores.seed, config.evaluate.seed),
        (scores.classifier.name, config.evaluate.classifier),
    ]
    wanted.append((scores.classifier.digest, _classifier_digest(config)))
    try:
        wanted.append((scores.real_images, prepared.digests(config.dataset, labels)))
    except UserError:
        return False
    accuracy = "accuracy" in scores.scores.generated or not config.evaluate.accuracy or len(labels) < 2
    return accuracy and all(one == other for one, other in wanted)


def _classifier_digest(config: Config) -> str | None:
    """The digest of the present classifier; None if it is not there."""
    name = config.evaluate.classifier
    if name == classifier_files.TRAINED_HERE:
        current = records.read_if_whole(DatasetPaths.of(config.dataset).domain, CurrentDomain)
        return current.digest if current else None
    folder = classifier_files.folder_of(name, config.dataset)
    return classifier_files.digest(folder) if is_saved_model(folder) else None


def is_newer(result: Path, *sources_of_it: Path) -> bool:
    """Whether a file or folder exists, is not empty, and is not older than any existing source of it."""
    if not result.exists() or not result.stat().st_size:
        return False
    written = result.stat().st_mtime
    if written > time.time():  # a wrong clock set that time
        return False
    return all(not path.exists() or path.stat().st_mtime <= written for path in sources_of_it)


def finished_labels(config: Config, run: RunPaths, labels: list[int]) -> list[int]:
    """Those of the labels that are done and have an exported generator, of the images that are prepared now."""
    return [label for label in labels if _is_finished(config, run.label(label), label)]


def _is_finished(config: Config, paths: LabelPaths, label: int) -> bool:
    if label_status.read(paths.status).state != "done" or not paths.generator.is_dir():
        return False
    try:
        return not recorded_settings.is_of_other_images(paths, config.dataset, label)
    except UserError:  # combine will say what is damaged
        return True
