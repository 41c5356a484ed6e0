"""Sort a data set by label, once: one `.npy` per label and split, so that a label process reads only its own.

    python -m wcgan_tf.prepare --config configs/cifar10.py
    python -m wcgan_tf.prepare --config configs/cifar10.py --config.dataset.tfds_dir=/where/tfds/has/it

Writes <data_dir>/<name>-<resolution>/; dataset.json comes last.  Where it is, nothing is done.
"""

import numpy as np
import rich.console
import rich.progress

from wcgan_tf import cli, datasets, files
from wcgan_tf.errors import UserError
from wcgan_tf.paths import DatasetPaths


def define_flags() -> None:
    cli.define_common_flags()


def main() -> None:
    dataset = cli.FLAGS.config.dataset
    paths = DatasetPaths.of(dataset)
    if paths.info.exists():
        print(f"{paths.folder} is prepared already; delete it to do it again")
        return
    with cli.quiet_imports():
        source = datasets.source(dataset)
    records = {split: _prepare_split(dataset, source, split, paths) for split in datasets.SPLITS}
    labels = [
        {"name": name, **{split: records[split][label]["count"] for split in datasets.SPLITS}}
        for label, name in enumerate(source.label_names)
    ]
    digests = [record["digest"] for split in datasets.SPLITS for record in records[split]]
    files.write_json(
        paths.info,
        {
            "name": dataset.name,
            "resolution": dataset.resolution,
            "digest": files.digest(np.array(digests)),
            "labels": labels,
        },
    )
    counts = ", ".join(f"{sum(label[split] for label in labels)} {split}" for split in datasets.SPLITS)
    print(f"{dataset.name}: {len(labels)} labels, {counts} images in {paths.folder}")


def _prepare_split(dataset, source: datasets.Source, split: str, paths: DatasetPaths) -> list[dict]:
    """Write all labels' images of one split, and return their records in the order of the labels."""
    images: list[list[np.ndarray]] = [[] for _ in source.label_names]
    console = rich.console.Console(stderr=True)
    for image, label in rich.progress.track(
        source.images(split),
        f"{dataset.name} {split}",
        source.counts[split],
        console=console,
        disable=not console.is_terminal,
    ):
        images[label].append(datasets.checked(image, dataset))
    records = []
    for label, name in enumerate(source.label_names):
        if not images[label]:
            raise UserError(f"{dataset.name} has no {split} images of label {label} ({name}); choose another data set")
        array = np.stack(images[label])
        record = {"label": label, "name": name, "count": len(array), "digest": files.digest(array)}
        files.write_array(paths.images(split, label), array)
        files.write_json(paths.record(split, label), record)
        records.append(record)
    return records


if __name__ == "__main__":
    cli.run(main, define_flags)
