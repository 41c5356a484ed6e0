"""Whether what a program makes is there already, made of what is there now.  No TensorFlow: told in an instant."""

import contextlib
import time
from pathlib import Path

from wcgan_tf.combined import manifest as manifests
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths, ModelPaths, RunPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.data import sources
from wcgan_tf.runs import label_status as heartbeat
from wcgan_tf.runs import settings as claims


def prepared(config, hint: str) -> bool:
    """Whether all labels are sorted; and where trainings score themselves, seen by the domain classifier.

    Raises:
        UserError: where the images of another folder are.
    """
    dataset, paths = config.dataset, DatasetPaths.of(config.dataset)
    datasets.refuse_other_root(dataset)
    if not paths.info.exists():
        return False
    labels = range(len(datasets.prepared_names(paths, hint)))
    if not all(datasets.prepared(dataset, split, label) for split in sources.SPLITS for label in labels):
        return False
    if not config.train.eval_seconds:
        return True
    digest = files.known_json(paths.domain).get("digest", "")
    seen = (paths.features(digest, split, label) for split in sources.SPLITS for label in labels)
    return paths.classifier(digest).exists() and all(path.exists() for path in seen)


def trained(config, run: RunPaths, labels: list[int]) -> bool:
    """Whether these labels have spent their budget, on the images and with the settings that are there now."""
    return all(_trained(config, run, label) for label in labels)


def _trained(config, run: RunPaths, label: int) -> bool:
    paths = run.label(label)
    if not claims.finished(paths, config):
        return False
    try:
        before, images = claims.trained_with(paths), datasets.digest(config.dataset, "train", label, "")
    except UserError:
        return False
    return before["images"].get("digest") == images and not claims.differences(before, config.to_dict())


def combined(run: RunPaths, model: ModelPaths, labels: list[int]) -> bool:
    """Whether the model is of these labels, as they are now."""
    records = manifests.records(model)
    return (
        files.size(model.saved_model) == files.known_json(model.manifest).get("bytes")
        and sorted(records) == labels
        and all(
            (state := files.known_json(run.label(label).status)).get("state") == "done"
            and manifests.same_weights(record, state)
            for label, record in records.items()
        )
    )


def evaluated(config, run: RunPaths, model: ModelPaths) -> bool:
    """Whether the scores are those of the model beside the images that are there now, made as the settings say."""
    scores, records, dataset = files.known_json(run.scores), manifests.records(model), config.dataset
    wanted = {
        "labels": sorted(records),
        "model": files.digest_json([records[label].get("weights_digest") for label in sorted(records)]),
        "num_per_label": config.evaluate.num_per_label,
        "split": config.evaluate.split,
        "seed": config.evaluate.seed,
    }
    classifier = {"name": config.evaluate.classifier}
    if classifier["name"] == "domain":
        classifier["digest"] = files.known_json(DatasetPaths.of(dataset).domain).get("digest")
    if not records or any(_part(scores, "classifier").get(name) != value for name, value in classifier.items()):
        return False
    with contextlib.suppress(UserError):
        wanted["real_images"] = datasets.digests(dataset, sorted(records), "")
    if config.evaluate.accuracy and len(records) > 1 and "accuracy" not in _part(_part(scores, "scores"), "generated"):
        return False
    return all(scores.get(name) == value for name, value in wanted.items())


def newer(result: Path, *sources_of_it: Path) -> bool:
    """Whether a file or a folder is there, and nothing that it is made of was written after it."""
    if not result.exists() or not result.stat().st_size:
        return False
    written = result.stat().st_mtime
    if written > time.time():  # by a clock that was wrong
        return False
    return all(not path.exists() or path.stat().st_mtime <= written for path in sources_of_it)


def done(run: RunPaths, labels: list[int]) -> list[int]:
    """Those labels that are done and have a generator."""
    return [
        label
        for label in labels
        if heartbeat.read(run.label(label).status).state == "done" and run.label(label).generator.is_dir()
    ]


def _part(values: dict, name: str) -> dict:
    """A part of a JSON file; empty where it is missing or damaged."""
    part = values.get(name)
    return part if isinstance(part, dict) else {}
