"""The table of data sets: real digits, folders of images, and TensorFlow Datasets."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image
from sklearn.datasets import load_digits

from wcgan_tf.config import default_config
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import decoding, sources

EVERYTHING = set(range(10))


@pytest.fixture
def dataset(tmp_path):
    """Settings of a folder data set with the test's own folder as root."""
    settings = default_config().dataset
    settings.name, settings.root = "photos", str(tmp_path)
    return settings


def picture(path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (6, 6), grey).save(path)


def levels(source: sources.Source, split: str, labels=None) -> list[tuple[int, int]]:
    """(label, grey level of the first pixel) of each example."""
    found = source.examples(split, labels or set(range(len(source.label_names))))
    return [(e.label, int(decoding.square(e.content, 6, source.channels).pixels[0, 0, 0])) for e in found]


def test_digits_are_those_of_scikit_learn():
    bunch = load_digits()
    source = sources.source(default_config().dataset)
    assert source.label_names == [str(label) for label in range(10)]
    assert source.channels == 1
    train, test = (list(source.examples(split, EVERYTHING)) for split in sources.SPLITS)
    assert source.counts == {"train": len(train), "test": len(test)} == {"train": 1438, "test": 359}
    np.testing.assert_allclose(train[0].content[..., 0], bunch.images[0] * 255 / 16, atol=0.5)
    names = [example.name for example in train + test]
    assert len(set(names)) == len(bunch.images)
    assert {example.label for example in test} == set(range(10))
    assert {example.label for example in source.examples("train", {3, 5})} == {3, 5}


def test_images_are_found_at_any_depth_with_endings_in_any_case(dataset, tmp_path):
    picture(tmp_path / "train/cat/1.png", 1)
    picture(tmp_path / "train/cat/images/deep/2.JPEG", 2)
    picture(tmp_path / "train/ant/3.Jpg", 3)
    (tmp_path / "train/ant/notes.txt").write_text("no picture")
    picture(tmp_path / "train/ant/.thumbnails/6.png", 6)
    picture(tmp_path / "train/ant/._3.png", 7)
    picture(tmp_path / "train/.hidden/8.png", 8)
    picture(tmp_path / "val/cat/4.png", 4)
    picture(tmp_path / "val/ant/5.PNG", 5)
    source = sources.source(dataset)
    assert source.label_names == ["ant", "cat"]
    assert source.channels == 3
    assert levels(source, "train") == [(0, 3), (1, 1), (1, 2)]
    assert levels(source, "test") == [(0, 5), (1, 4)]
    assert levels(source, "train", {1}) == [(1, 1), (1, 2)]


@pytest.mark.parametrize("name", ["val", "validation", "test"])
def test_any_name_of_the_test_split_is_found(dataset, tmp_path, name):
    picture(tmp_path / "train/cat/1.png", 1)
    picture(tmp_path / name / "cat/2.png", 2)
    assert levels(sources.source(dataset), "test") == [(0, 2)]


def test_without_a_test_split_every_fifth_image_is_a_test_image(dataset, tmp_path):
    for label in "ab":
        for index in range(10):
            picture(tmp_path / f"train/{label}/{index}.png", index)
    source = sources.source(dataset)
    assert levels(source, "test") == [(0, 4), (0, 9), (1, 4), (1, 9)]
    assert levels(source, "train", {1}) == [(1, index) for index in (0, 1, 2, 3, 5, 6, 7, 8)]


@pytest.mark.parametrize("file", ["synset_words.txt", "words.txt", "LOC_synset_mapping.txt"])
def test_synsets_are_named_by_their_words(dataset, tmp_path, file):
    for synset in ("n01440764", "n02012849", "n03126707", "other"):
        picture(tmp_path / f"train/{synset}/1.png", 1)
    gap = "\t" if file == "words.txt" else " "
    lines = [("n03126707", "crane"), ("n01440764", "tench, Tinca tinca"), ("n02012849", "crane")]
    (tmp_path / file).write_text("".join(f"{synset}{gap}{words}\n" for synset, words in lines) + "broken\n\n")
    assert sources.source(dataset).label_names == [
        "tench, Tinca tinca",
        "crane (n02012849)",
        "crane (n03126707)",
        "other",
    ]


def test_control_characters_in_a_name_are_replaced(dataset, tmp_path):
    picture(tmp_path / "train/a\n\x1b[31mb/1.png", 1)
    assert sources.source(dataset).label_names == ["a??[31mb"]


def test_a_folder_that_is_no_data_set_is_named(dataset, tmp_path):
    with pytest.raises(UserError, match=r"no folders of images in .*/train; type --config.dataset.root="):
        sources.source(dataset)
    (tmp_path / "train/cat").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no images in .*/train/cat; add some, or take 'cat' out of the data set"):
        sources.source(dataset)
    picture(tmp_path / "train/cat/1.png", 1)
    picture(tmp_path / "val/dog/1.png", 1)
    with pytest.raises(UserError, match=r"val has a folder 'dog' that .*train has not"):
        sources.source(dataset)


@pytest.fixture
def stored(tmp_path):
    """Store a data set as TensorFlow Datasets does: image i has grey level i everywhere, and label i % 3."""

    def store(splits: dict[str, range], channels: int = 3, encoding: str = "png"):
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(16, 16, channels), encoding_format=encoding),
                "label": tfds.features.ClassLabel(names=["disc", "a/b <i>", "square"]),
            }
        )

        def examples(indices):
            numbers = np.array(indices, np.uint8)
            images = numbers[:, None, None, None] * np.ones([1, 16, 16, channels], np.uint8)
            return tf.data.Dataset.from_tensor_slices({"image": images, "label": numbers.astype(np.int64) % 3})

        tfds.dataset_builders.store_as_tfds_dataset(
            name="shapes",
            version="1.0.0",
            features=features,
            split_datasets={split: examples(indices) for split, indices in splits.items()},
            data_dir=str(tmp_path),
        )
        settings = default_config().dataset
        settings.name, settings.tfds_dir, settings.resolution = "shapes", str(tmp_path), 16
        return settings

    return store


@pytest.mark.parametrize("other", ["test", "validation"])
def test_tensorflow_datasets_with_a_test_or_validation_split_are_read(stored, other):
    source = sources.source(stored({"train": range(9), other: range(9, 12)}))
    assert source.label_names == ["disc", "a/b <i>", "square"]
    assert source.counts == {"train": 9, "test": 3}
    in_stored_order = levels(source, "train")
    assert sorted(in_stored_order) == sorted((i % 3, i) for i in range(9))
    assert levels(source, "train") == in_stored_order
    assert levels(source, "train", {2}) == [one for one in in_stored_order if one[0] == 2]
    assert sorted(levels(source, "test")) == [(0, 9), (1, 10), (2, 11)]


def test_tensorflow_datasets_without_a_test_split_are_divided(stored):
    source = sources.source(stored({"train": range(12)}, channels=1))
    assert source.channels == 1
    assert source.counts == {"train": 10, "test": 2}
    train, test = levels(source, "train"), levels(source, "test")
    assert (len(train), len(test)) == (10, 2)
    assert sorted(train + test) == sorted((i % 3, i) for i in range(12))


def test_jpegs_of_tensorflow_datasets_are_decoded_like_files(stored):
    source = sources.source(stored({"train": range(3), "test": range(3)}, encoding="jpeg"))
    assert isinstance(next(source.examples("train", EVERYTHING)).content, bytes)
    assert sorted(levels(source, "train")) == [(0, 0), (1, 1), (2, 2)]


def test_a_misspelt_data_set_suggests_the_nearest(dataset):
    dataset.name, dataset.root = "cifar01", ""
    with pytest.raises(UserError, match=r"'cifar01' is no data set .* did you mean cifar10\?"):
        sources.source(dataset)


def test_a_data_set_that_cannot_be_downloaded_names_the_setting(dataset, tmp_path, monkeypatch):
    dataset.name, dataset.root, dataset.tfds_dir = "cifar10", "", str(tmp_path)

    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
    with pytest.raises(UserError, match=r"type --config.dataset.tfds_dir=.* could not be downloaded: no network"):
        sources.source(dataset)


def test_a_data_set_without_labelled_images_is_refused(dataset, tmp_path):
    dataset.name, dataset.root, dataset.tfds_dir = "imdb_reviews", "", str(tmp_path)
    with pytest.raises(UserError, match=r"'imdb_reviews' has no images with one label each"):
        sources.source(dataset)


PUBLISHED = [  # name, labels, channels, test split
    ("mnist", 10, 1, "test"),
    ("cifar10", 10, 3, "test"),
    ("cifar100", 100, 3, "test"),
    ("imagenet2012", 1000, 3, "validation"),
    ("imagenet_resized/64x64", 1000, 3, "validation"),
]


def store_as_published(name: str, splits: dict[str, int], folder) -> None:
    """Store noise as TensorFlow Datasets stores one of its own data sets, with its published features."""
    published = tfds.builder(name, data_dir=str(folder))
    features = published.info.features
    random = np.random.default_rng(0)

    def column(feature, number):
        if isinstance(feature, tfds.features.Image):
            return random.integers(0, 256, [number, *(side or 70 for side in feature.shape)], np.uint8)
        if isinstance(feature, tfds.features.ClassLabel):
            return np.arange(number) % feature.num_classes
        return np.array([f"file {index}" for index in range(number)])

    def examples(number):
        return tf.data.Dataset.from_tensor_slices({key: column(value, number) for key, value in features.items()})

    tfds.dataset_builders.store_as_tfds_dataset(
        name=published.name,
        version=str(published.version),
        features=features,
        split_datasets={split: examples(number) for split, number in splits.items()},
        data_dir=str(folder),
        **({"config": published.builder_config.name} if published.builder_config else {}),
    )


@pytest.mark.parametrize(("name", "labels", "channels", "test"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_data_sets_of_tensorflow_datasets_are_read_by_name(dataset, tmp_path, name, labels, channels, test):
    hidden = {"test": 3} if name == "imagenet2012" else {}  # its labels are unpublished
    store_as_published(name, {"train": 7, test: 4, **hidden}, tmp_path)
    dataset.name, dataset.root, dataset.tfds_dir = name, "", str(tmp_path)
    source = sources.source(dataset)
    assert len(source.label_names) == labels
    assert source.channels == channels
    assert source.counts == {"train": 7, "test": 4}
    assert sorted(label for label, _ in levels(source, "test")) == [0, 1, 2, 3]
