"""Sort a data set by label, once: one `.npy` per label and split, so that a label process reads only its own.

    python -m wcgan_tf.prepare --config configs/cifar10.py
    python -m wcgan_tf.prepare --config configs/cifar10.py --config.dataset.tfds_dir=/where/tfds/has/it
    python -m wcgan_tf.prepare --config configs/tiny_imagenet10.py --labels 0-2,koala

Writes <data_dir>/<name>-<resolution>/.  Stopped and started again, it goes on; what is there is not done again.
"""

from absl import flags

from wcgan_tf import cli, datasets, files, sources
from wcgan_tf.paths import DatasetPaths
from wcgan_tf.progress import Count
from wcgan_tf.sorting import COUNTS, SplitSorter


def define_flags() -> None:
    cli.define_common_flags()
    flags.DEFINE_string("labels", "", "The labels, such as 0-9,12,cat; all where not given.")


def main() -> None:
    dataset = cli.FLAGS.config.dataset
    paths = DatasetPaths.of(dataset)
    if paths.info.exists():  # then nothing may be left to do, and the source need not be opened
        names = datasets.label_names(dataset, cli.command("prepare"))
        if not any(_unprepared(paths, split, cli.FLAGS.labels, names) for split in sources.SPLITS):
            print(f"{paths.folder} is prepared already; delete it to do it again")
            return
    with cli.quiet_imports():
        source = sources.source(dataset)
    datasets.refuse_other_names(paths, source.label_names)
    datasets.parse_labels(cli.FLAGS.labels, source.label_names)  # a mistyped one is said before anything is written
    waiting = f"another process prepares {paths.folder}; waiting for it"
    with files.only_one(paths.folder, waiting=lambda: print(waiting, flush=True)):
        for split in sources.SPLITS:
            if labels := _unprepared(paths, split, cli.FLAGS.labels, source.label_names):
                _prepare_split(dataset, source, split, labels, paths)
        datasets.write_info(dataset, paths, source)
    _say_totals(dataset, paths)


def _unprepared(paths: DatasetPaths, split: str, text: str, names: list[str]) -> set[int]:
    """The labels that are asked for and have no record yet."""
    return {label for label in datasets.parse_labels(text, names) if not paths.record(split, label).exists()}


def _prepare_split(dataset, source: sources.Source, split: str, labels: set[int], paths: DatasetPaths) -> None:
    with Count(f"{dataset.name} {split}", source.counts[split]) as count:
        sorter = SplitSorter(
            source,
            split,
            labels,
            dataset.resolution,
            paths,
            skipped=lambda name, reason: count.say(f"skipped {name}: {reason}"),
        )
        if sorter.seen:
            count.say(f"going on after {sorter.seen} images")
        sorter.sort(count.to)
    sorter.finish()


def _say_totals(dataset, paths: DatasetPaths) -> None:
    info = files.read_json(paths.info, cli.command("prepare"))
    totals = {
        split: {name: sum(label[split][name] for label in info["labels"] if label[split]) for name in COUNTS}
        for split in sources.SPLITS
    }
    ready = sum(all(label[split] for split in sources.SPLITS) for label in info["labels"])
    images = ", ".join(f"{totals[split]['count']} {split}" for split in sources.SPLITS)
    print(f"{dataset.name}: {ready} of {len(info['labels'])} labels, {images} images in {paths.folder}")
    resized, unreadable = (sum(total[name] for total in totals.values()) for name in ("resized", "unreadable"))
    if resized:
        print(f"{resized} had another size and were cropped and resized to {dataset.resolution}x{dataset.resolution}")
    if unreadable:
        print(f"{unreadable} could not be read and were left out")


if __name__ == "__main__":
    cli.run(main, define_flags)
