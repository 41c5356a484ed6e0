"""Sort a data set by label, once: one `.npy` per label and split, so that each training reads only its own label.

    python -m wcgan_tf.prepare --config cifar10
    python -m wcgan_tf.prepare --config cifar10 --config.dataset.tfds_dir=/where/tfds/has/it
    python -m wcgan_tf.prepare --config tiny_imagenet10 --labels 0-2,koala
    srun python -m wcgan_tf.prepare --config imagenet64 --label auto   # the labels of this rank, beside the others
    python -m wcgan_tf.prepare --config cifar10 --classifier domain    # and train the domain classifier
    python -m wcgan_tf.prepare --config cifar10 --classifier inception # and download TF-GAN's Inception

Writes <data_dir>/<name>-<resolution>/.  Started again after a stop, it resumes; finished files are not written again.
With train.eval_seconds it also trains the domain classifier, which those trainings need.
"""

import contextlib
import itertools
import os
import shutil
from pathlib import Path

from absl import flags

from wcgan_tf import cli
from wcgan_tf.config import Dataset
from wcgan_tf.core import folder_lock, listing, unfinished
from wcgan_tf.core.console import ProgressBar, print_now
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.labels import format_labels, label_title, number_of_labels, parse_labels
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import folders, prepared, sources
from wcgan_tf.data.sorting import SplitSorter
from wcgan_tf.evaluation import enough
from wcgan_tf.launching import ranks, up_to_date

NAMED = 5  # labels without images in a message


def define_flags() -> None:
    cli.define_common_flags()
    flags.DEFINE_string("labels", "", "The labels, such as 0-9,12,cat; all if not given.")
    flags.DEFINE_string(
        "label",
        "",
        "A share of them, beside other processes: auto, of this process's rank, or every tenth from 3 on: 3/10.",
    )
    flags.DEFINE_enum("classifier", None, ["domain", "inception"], "Get this classifier ready as well.")


def main() -> None:
    share = ranks.named(cli.FLAGS.label, "prepare")
    if cli.FLAGS.label and share is None:
        raise UserError(f"--label is {cli.FLAGS.label!r}; type auto, or a share such as 3/10, or --labels=0-9,cat")
    if share and cli.FLAGS.classifier:
        raise UserError("--classifier takes all labels; type it in one process, after those with --label")
    _prepare(share)
    config = cli.config()
    to_train = config.train.eval_seconds and _is_whole(config.dataset) and not up_to_date.is_prepared(config)
    if cli.FLAGS.classifier == "domain" or to_train:
        _train_domain()
    if cli.FLAGS.classifier == "inception":
        with quiet_imports():
            from wcgan_tf.evaluation import classifiers
        print(f"Inception is in {classifiers.fetch_inception(cli.config().dataset)}")


def _train_domain() -> None:
    """Train the domain classifier and cache its features of all real images, for trainings with `eval_seconds`."""
    with quiet_imports():
        from wcgan_tf.evaluation import classifiers, features

    dataset = cli.config().dataset
    classifier = classifiers.load("domain", dataset, print)
    labels = range(len(prepared.label_names(dataset)))
    for split in sources.SPLITS:
        number = sum(prepared.count(dataset, split, label) for label in labels)
        with ProgressBar(f"looking at real {split} images", number) as bar:
            for label in filter(lambda label: prepared.count(dataset, split, label), labels):
                features.extract_real(dataset, split, label, classifier, bar.add)
    print(f"the domain classifier {classifier.digest} and what it sees are in {DatasetPaths.of(dataset).folder}")


def _prepare(share: ranks.Share | None) -> None:
    dataset = cli.config().dataset
    paths = DatasetPaths.of(dataset, share.name if share else "")
    _clear_after_a_kill(dataset, paths)
    prepared.refuse_other_source(dataset)
    if paths.info.exists():  # if nothing is left to do, no images are opened
        labels = _labels(prepared.names_in(paths), share)
        if prepared.are_all(dataset, labels) and not _may_have_more(dataset, labels):
            _say_finished(dataset, paths, labels)
            return
    with quiet_imports(without=()):  # the digits are part of scikit-learn
        source = sources.source(dataset)
    labels = _labels(source.label_names, share)
    if share and cli.FLAGS.label == "auto":
        print_now(share.in_words(labels, len(source.label_names)))
    try:
        with _locked(paths.locked):
            _refuse_shared(source)
            prepared.write_info(paths, dataset, source)
            for split, label in _changed(dataset, source, labels):
                print(f"the {split} images of {label_title(label, source.label_names[label])} have changed")
                paths.record(split, label).unlink()
            for split in sources.SPLITS:
                if missing := prepared.missing(dataset, split, labels):
                    _prepare_split(dataset, source, split, missing, paths)
    except KeyboardInterrupt:
        print("stopped; the same command resumes")
        raise
    _clear_if_whole(dataset, paths)
    _say_totals(dataset, paths, source.label_names)
    if source.note:
        print(source.note)
    _say_left(source, labels)


def _may_have_more(dataset: Dataset, labels: list[int]) -> bool:
    """Whether there may be images now of labels that had none."""
    there = bool(dataset.root) and Path(dataset.root).is_dir()
    return there and any(not prepared.count(dataset, split, label) for label in labels for split in sources.SPLITS)


def _locked(folder: Path) -> contextlib.AbstractContextManager:
    return folder_lock.lock(folder, print_now, f"another process prepares {folder}; waiting for it")


def _clear_if_whole(dataset: Dataset, paths: DatasetPaths) -> None:
    if _is_whole(dataset):
        shutil.rmtree(paths.all_unfinished, ignore_errors=True)  # what is left are locks of shares


def _clear_after_a_kill(dataset: Dataset, paths: DatasetPaths) -> None:
    """Delete what processes have left that were killed, also after their last label."""
    seen = listing.matching(paths.scoring / "features", "*")
    scored = [paths.domain.parent, *(own / split for own in seen for split in sources.SPLITS)]
    for folder in (paths.folder, *(paths.folder / split for split in sources.SPLITS), *scored):
        unfinished.clear(folder)
    left = paths.all_unfinished.exists() or (paths.folder / folder_lock.OWNER).exists()
    if left and os.access(paths.folder, os.W_OK) and paths.info.exists() and _is_whole(dataset):
        with _locked(paths.folder):
            _clear_if_whole(dataset, paths)


def _is_whole(dataset: Dataset) -> bool:
    """Whether all labels are prepared."""
    return prepared.are_all(dataset, range(len(prepared.label_names(dataset))))


def _labels(names: list[str], share: ranks.Share | None) -> list[int]:
    """The labels to prepare."""
    labels = parse_labels(cli.FLAGS.labels, names)
    return share.of(labels) if share else labels


def _refuse_shared(source: sources.Source) -> None:
    """Refuse folders whose images several labels, or both splits, would have."""
    if source.links is None:
        return
    each = list(itertools.product(sources.SPLITS, range(len(source.label_names))))
    found: list[tuple[Path, ...]] = []
    with ProgressBar(f"looking for links in {cli.config().dataset.root}", len(each)) as bar:
        for split, label in each:
            found.append(source.links(split, label))
            bar.add(1)
    folders.refuse_shared(found)


def _changed(dataset: Dataset, source: sources.Source, labels: list[int]) -> list[tuple[str, int]]:
    """The splits and labels whose files have changed since they were prepared."""
    if source.files is None:
        return []
    with ProgressBar(f"looking for changes in {dataset.root}", len(sources.SPLITS) * len(labels)) as bar:
        found = []
        for split, label in itertools.product(sources.SPLITS, labels):
            if prepared.changed(dataset, source, split, label):
                found.append((split, label))
            bar.add(1)
    return found


def _say_finished(dataset: Dataset, paths: DatasetPaths, labels: list[int]) -> None:
    """Print that nothing is left to do, or which labels have other files now."""
    changed: list[int] = []
    listed = not dataset.val_labels or Path(dataset.val_labels).is_file()
    if dataset.root and Path(dataset.root).is_dir() and listed:  # they may have been moved away
        source = sources.source(dataset)
        prepared.write_info(paths, dataset, source)  # refuses other labels
        changed = sorted({label for _, label in _changed(dataset, source, labels)})
    if changed:
        which = f"label{'s' if len(changed) > 1 else ''} {format_labels(changed)}"
        print(
            f"{paths.folder} is prepared already, but the files of {which} in {dataset.root} "
            "have changed since: delete it and run this again to take them"
        )
    else:
        print(f"{paths.folder} is prepared already (each label is checked when it is read); delete it to do it again")
    _say_small(labels)


def _prepare_split(dataset: Dataset, source: sources.Source, split: str, labels: set[int], paths: DatasetPaths) -> None:
    with ProgressBar(f"{dataset.name} {split}", source.counts[split]) as count:
        sorter = SplitSorter(
            source,
            split,
            labels,
            dataset.resolution,
            dataset.bit_depth,
            paths,
            skipped=lambda name, reason: count.say(f"skipped {name}: {reason}"),
            noted=lambda name, text: count.say(f"{name}: {text}"),
        )
        if sorter.seen:
            count.say(f"resuming after {sorter.seen} images")
        sorter.sort(count.to)
    sorter.finish()


def _say_totals(dataset: Dataset, paths: DatasetPaths, names: list[str]) -> None:
    """Print how many labels and images are prepared, by this and by earlier starts."""
    there = {
        split: [
            prepared.read_record(dataset, split, label)
            for label in range(len(names))
            if prepared.exists(dataset, split, label)
        ]
        for split in sources.SPLITS
    }
    ready = set.intersection(*({record.label for record in there[split]} for split in sources.SPLITS))
    images = ", ".join(f"{sum(record.count for record in there[split])} {split}" for split in sources.SPLITS)
    print(f"{dataset.name}: {len(ready)} of {number_of_labels(len(names))}, {images} images in {paths.folder}")
    everything = there["train"] + there["test"]
    if resized := sum(record.resized for record in everything):
        print(f"{resized} had another size and were cropped and resized to {dataset.resolution}x{dataset.resolution}")
    if unreadable := sum(record.unreadable for record in everything):
        print(f"{unreadable} could not be read and were left out")
    if left_out := sum(record.too_small for record in everything):
        size = f"{dataset.resolution}x{dataset.resolution}"
        print(f"{left_out} smaller than {size} were left out: a smaller --config.dataset.resolution takes them, too")
    if line := _depth_in_words(dataset, everything):
        print(line)
    _say_small(sorted(ready))
    for split in sources.SPLITS:
        if empty := [record for record in there[split] if not record.count]:
            print(_empty_in_words(dataset, split, empty))


def _empty_in_words(dataset: Dataset, split: str, empty: list[prepared.ImageRecord]) -> str:
    """Which labels have no images, and what to do; `empty` has one at least."""
    named = ", ".join(label_title(record.label, record.name) for record in empty[:NAMED])
    more = f" and {len(empty) - NAMED} more" if len(empty) > NAMED else ""
    which, what = "readable", "add some"
    if small := sum(record.too_small for record in empty):
        which, what = "large enough", f"{small} are smaller than {dataset.resolution}x{dataset.resolution}; add others"
    return f"no {which} {split} images of {named}{more}: {what}, and run this again; the other labels are ready"


def _say_small(labels: list[int]) -> None:
    """Print which labels have too few images for scores."""
    config, classifier = cli.config(), cli.config().evaluate.classifier
    if small := enough.too_small(config, labels, classifier):
        print(enough.in_words(config, small, classifier))


def _depth_in_words(dataset: Dataset, everything: list[prepared.ImageRecord]) -> str:
    """What is wrong with the brightness of images with 16 bits; "" if nothing is."""
    number = sum(own.sixteen_bits for own in everything)
    brightest = max((own.brightest for own in everything), default=0)
    used = brightest.bit_length()
    if not number or dataset.bit_depth - 1 <= used <= dataset.bit_depth:
        return ""
    become = "dark" if used < dataset.bit_depth else "white where they are bright"
    folder, used_now = DatasetPaths.of(dataset).folder, f"dataset.bit_depth={dataset.bit_depth}"
    return (
        f"the images with 16 bits ({number}) have no value above {brightest}: with {used_now} they become {become}; "
        f"to mend that, delete {folder}, and add --config.dataset.bit_depth={max(8, used)} or set it in the config file"
    )


def _say_left(source: sources.Source, labels: list[int]) -> None:
    """Print which files of a folder were not taken, and why."""
    if source.files is None:
        return
    left = source.around()
    for split, label in itertools.product(sources.SPLITS, labels):
        for reason, paths in source.files(split, label).left.items():
            left.setdefault(reason, []).extend(paths)
    if words := folders.in_words({reason: sorted(set(paths)) for reason, paths in left.items()}):
        print(f"not taken: {words}")


if __name__ == "__main__":
    cli.run(main, define_flags)
