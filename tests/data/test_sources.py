"""The table of data sets: real digits, folders of images, and TensorFlow Datasets."""

import os
import re
import socket
import unicodedata

import numpy as np
import pytest
import scipy.io
import tensorflow as tf
import tensorflow_datasets as tfds
from conftest import run
from PIL import Image
from sklearn.datasets import load_digits

from wcgan_tf.config import default_config
from wcgan_tf.core import network
from wcgan_tf.core.errors import UserError
from wcgan_tf.data import decoding, folders, sources, split_folders

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


@pytest.mark.parametrize("train", ["train", "Train"])
@pytest.mark.parametrize("name", ["val", "validation", "valid", "test", "VAL", "Test"])
def test_any_name_of_the_splits_is_found(dataset, tmp_path, train, name):
    picture(tmp_path / train / "cat/1.png", 1)
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


@pytest.mark.parametrize("ending", ["webp", "bmp", "gif", "tiff", "avif", "jp2", "ppm"])
def test_every_format_that_pillow_reads_is_taken(dataset, tmp_path, ending):
    picture(tmp_path / f"train/cat/1.{ending}", 80)
    picture(tmp_path / "val/cat/2.png", 2)
    ((label, grey),) = levels(sources.source(dataset), "train")
    assert label == 0
    assert abs(grey - 80) <= 2


def test_links_to_folders_are_followed_and_each_folder_is_read_once(dataset, tmp_path):
    picture(tmp_path / "elsewhere/2.png", 2)
    picture(tmp_path / "train/cat/1.png", 1)
    picture(tmp_path / "val/cat/4.png", 4)
    (tmp_path / "train/cat/away").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "train/cat/again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "train/cat/loop").symlink_to(tmp_path / "train/cat")
    (tmp_path / "train/cat/lost.png").symlink_to(tmp_path / "nowhere.png")
    picture(tmp_path / "dogs/2.png", 2)
    (tmp_path / "train/dog").symlink_to(tmp_path / "dogs")
    picture(tmp_path / "val/dog/4.png", 4)
    source = sources.source(dataset)
    assert [path.name for path in source.links("train", 0)] == ["again"]
    assert [path.name for path in source.links("train", 1)] == ["dog"]
    assert levels(source, "train") == [(0, 1), (0, 2), (1, 2)]
    assert {reason: len(paths) for reason, paths in source.files("train", 0).left.items()} == {
        folders.SEEN: 2,
        folders.NO_FILE: 1,
    }


def test_links_to_other_labels_and_splits_are_not_followed(dataset, tmp_path):
    for number, name in enumerate(("train/cat", "train/dog", "val/cat", "val/dog")):
        picture(tmp_path / name / "1.png", 10 * number)
    (tmp_path / "train/cat/x").symlink_to("../dog")
    (tmp_path / "train/cat/y").symlink_to(tmp_path / "val/cat")
    (tmp_path / "train/cat/z.png").symlink_to(tmp_path / "train/dog/1.png")
    source = sources.source(dataset)
    assert levels(source, "train") == [(0, 0), (1, 10)]
    left = source.files("train", 0).left
    assert {reason: [path.name for path in paths] for reason, paths in left.items()} == {
        folders.ELSEWHERE: ["x", "y", "z.png"]
    }


@pytest.mark.parametrize("target", [".", "..", "cat", "../val/cat", "../val"])
def test_a_label_that_is_a_link_to_others_is_refused(dataset, tmp_path, target):
    picture(tmp_path / "train/cat/1.png", 1)
    picture(tmp_path / "val/cat/1.png", 2)
    (tmp_path / "train/other").symlink_to(target)
    with pytest.raises(
        UserError, match=r"train/other is a link to .*, whose images have a label or a split of their own"
    ):
        sources.source(dataset)


@pytest.mark.parametrize(
    ("one", "other", "to"),
    [
        ("train/cat", "train/dog", "pets"),
        ("train/dog", "val/dog", "pets"),
        ("train/ant/more", "train/bee/more", "pets"),
        ("train/ant/more", "val/bee/more", "pets/in"),
        ("val/bee/more", "train/ant/more", "pets/in"),
    ],
)
def test_a_folder_that_two_labels_or_splits_link_to_is_refused(dataset, tmp_path, one, other, to):
    for name in ("pets/in", "train/ant", "train/bee", "val/ant", "val/bee"):
        picture(tmp_path / name / "1.png", 1)
    (tmp_path / one).symlink_to(tmp_path / "pets")
    (tmp_path / other).symlink_to(tmp_path / to)
    for name in ("cat", "dog"):
        if (tmp_path / "train" / name).exists() and not (tmp_path / "val" / name).exists():
            picture(tmp_path / "val" / name / "1.png", 1)
    links = [f"--config.dataset.{key}={value}" for key, value in (("name", "photos"), ("root", tmp_path))]
    done = run("prepare", *links, folder=tmp_path, check=False)
    assert done.returncode == 2
    assert re.match(r"error: \S+ and \S+ both link to \S+/pets, whose images would have two labels", done.stderr)
    assert not list(tmp_path.glob("data/*/train"))


def test_splits_whose_names_differ_in_case_are_no_secret(dataset, tmp_path):
    for name, grey in (("train", 1), ("test", 2), ("Val", 3)):
        picture(tmp_path / name / "cat/1.png", grey)
    assert levels(sources.source(dataset), "test") == [(0, 3)]
    picture(tmp_path / "TRAIN/cat/1.png", 4)
    with pytest.raises(UserError, match="has both TRAIN and train; put their folders into one"):
        sources.source(dataset)


def test_what_is_no_regular_file_is_left_out(dataset, tmp_path):
    picture(tmp_path / "train/cat/1.png", 1)
    os.mkfifo(tmp_path / "train/cat/pipe.png")
    (tmp_path / "train/cat/loop.png").symlink_to("loop.png")
    (tmp_path / "train/cat/up").symlink_to("..")
    left = sources.source(dataset).files("train", 0).left
    assert {reason: len(paths) for reason, paths in left.items()} == {folders.NO_FILE: 2, folders.SEEN: 1}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_val_that_is_no_folder_is_named(dataset, tmp_path, kind):
    picture(tmp_path / "train/cat/1.png", 1)
    if kind == "file":
        (tmp_path / "val").write_text("")
    else:
        (tmp_path / "val").symlink_to(tmp_path / "not mounted")
    with pytest.raises(UserError, match=r"/val is no folder; mend it, or move it away"):
        sources.source(dataset)


def test_what_systems_add_is_no_data(dataset, tmp_path):
    for split in ("train", "val"):
        picture(tmp_path / split / "cat/1.png", 1)
        for name in ("__MACOSX/cat/._1.png", "@eaDir/1.png", "cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "cat/._1.png"):
            picture(tmp_path / split / name, 9)
    source = sources.source(dataset)
    assert source.label_names == ["cat"]
    assert levels(source, "train") == levels(source, "test") == [(0, 1)]
    assert [len(paths) for paths in source.around().values()] == [4]


def test_what_is_not_taken_is_known_by_its_reason(dataset, tmp_path):
    picture(tmp_path / "train/cat/1.png", 1)
    picture(tmp_path / "val/cat/1.png", 1)
    picture(tmp_path / "train/stray.png", 1)
    (tmp_path / "train/cat/a.heic").write_bytes(b"")
    (tmp_path / "train/cat/b.txt").write_text("")
    source = sources.source(dataset)
    assert source.around() == {split_folders.OUTSIDE: [tmp_path / "train/stray.png"]}
    left = source.files("train", 0).left
    assert folders.in_words(left) == f"files of other kinds (2, such as {tmp_path / 'train/cat/a.heic'})"


def test_a_label_whose_files_are_no_images_says_what_they_are(dataset, tmp_path):
    (tmp_path / "train/cat").mkdir(parents=True)
    (tmp_path / "train/cat/a.heic").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"no images of 'cat' in .*train \(files of other kinds \(1, such as .*a.heic\)\);"
    ):
        sources.source(dataset)


def test_folders_of_one_name_in_two_forms_of_unicode_are_one_label(dataset, tmp_path):
    picture(tmp_path / "train" / unicodedata.normalize("NFC", "café") / "1.png", 1)
    picture(tmp_path / "val" / unicodedata.normalize("NFD", "café") / "2.png", 2)
    source = sources.source(dataset)
    assert source.label_names == [unicodedata.normalize("NFC", "café")]
    assert levels(source, "test") == [(0, 2)]
    picture(tmp_path / "train" / unicodedata.normalize("NFD", "café") / "1.png", 1)
    with pytest.raises(UserError, match=r"train has two folders called 'café', spelt with other Unicode"):
        sources.source(dataset)


def unsorted_validation(tmp_path) -> None:
    """Three labels, and validation images of them as ImageNet's archive has them: in one folder."""
    for index, synset in enumerate(("n01", "n02", "n03")):
        picture(tmp_path / f"train/{synset}/1.JPEG", index)
    for index in range(1, 5):
        picture(tmp_path / f"val/ILSVRC2012_val_0000000{index}.JPEG", 40 * index)


def test_unsorted_validation_images_are_refused(dataset, tmp_path):
    unsorted_validation(tmp_path)
    with pytest.raises(UserError, match=r"val has images, but no folders of labels; type --config.dataset.val_labels="):
        sources.source(dataset)


NAMED = [f"ILSVRC2012_val_0000000{index}" for index in range(1, 5)]
LISTS = {
    "caffe": "".join(f"{name}.JPEG {place}\n" for name, place in zip(NAMED, (2, 0, 1, 0), strict=True)),
    "names": "".join(f"{name}.JPEG\tn0{place + 1}\r\n" for name, place in zip(NAMED, (2, 0, 1, 0), strict=True)),
    "kaggle": "ImageId,PredictionString\n"
    + "".join(
        f"{name},n0{place + 1} 1 2 3 4 n0{place + 1} 5 6 7 8\n" for name, place in zip(NAMED, (2, 0, 1, 0), strict=True)
    ),
    "devkit": "7\n9\n8\n9\n",
}


@pytest.mark.parametrize("form", LISTS)
def test_unsorted_validation_images_get_their_labels_from_a_list(dataset, tmp_path, form):
    unsorted_validation(tmp_path)
    (tmp_path / "labels.txt").write_text(LISTS[form])
    dataset.val_labels = str(tmp_path / "labels.txt")
    if form == "devkit":
        with pytest.raises(UserError, match=r"labels.txt has numbers that meta.mat explains; copy it there"):
            sources.source(dataset)
        rows = np.array([(7, "n03"), (9, "n01"), (8, "n02")], [("ILSVRC2012_ID", object), ("WNID", object)])
        scipy.io.savemat(tmp_path / "meta.mat", {"synsets": rows})
    found = levels(sources.source(dataset), "test")
    assert [(label, round(grey / 40)) for label, grey in found] == [(0, 2), (0, 4), (1, 3), (2, 1)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no label of ILSVRC2012_val_00000001.JPEG and 3 more"),
        ("1\n2\n", "has 2 labels for 4 images"),
        (LISTS["caffe"].replace(" 2", " 700"), "has a label 700, but train has 3 folders, which are 0 to 2; write"),
        (LISTS["names"] + f"{NAMED[0]}.JPEG n02\n", f"gives {NAMED[0]}.JPEG two labels, n03 and n02; delete one"),
        ("\udcff", "is no UTF-8 text; save it as such"),
        (None, "No such file or directory; type --config.dataset.val_labels="),
    ],
)
def test_a_list_that_does_not_fit_is_named(dataset, tmp_path, text, problem):
    unsorted_validation(tmp_path)
    if text is not None:
        (tmp_path / "labels.txt").write_text(text, errors="surrogateescape")
    dataset.val_labels = str(tmp_path / "labels.txt")
    with pytest.raises(UserError, match=f"labels.txt:? {problem}"):
        sources.source(dataset)


def test_listed_images_of_one_name_in_two_folders_keep_their_labels(dataset, tmp_path):
    for place, name in enumerate(("cat", "dog")):
        picture(tmp_path / f"train/{name}/1.png", 1)
        picture(tmp_path / f"val/{name}s/001.png", 100 + place)
    dataset.val_labels = str(tmp_path / "labels.txt")
    (tmp_path / "labels.txt").write_text("cats/001.png,cat\ndogs/001.png,dog\n")
    assert levels(sources.source(dataset), "test") == [(0, 100), (1, 101)]
    (tmp_path / "labels.txt").write_text("cats/001,cat\ndogs/001,dog\n")
    assert levels(sources.source(dataset), "test") == [(0, 100), (1, 101)]
    (tmp_path / "labels.txt").write_text("cats/001.jpg,cat\ndogs/001.jpg,dog\n")
    with pytest.raises(UserError, match=r"has no label of 001.png and 1 more"):
        sources.source(dataset)


def test_a_listed_name_without_ending_may_have_a_dot(dataset, tmp_path):
    picture(tmp_path / "train/cat/1.png", 1)
    picture(tmp_path / "val/photo.v1.png", 100)
    dataset.val_labels = str(tmp_path / "labels.txt")
    (tmp_path / "labels.txt").write_text("photo.v1,cat\n")
    assert levels(sources.source(dataset), "test") == [(0, 100)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_that_windows_wrote_is_read(dataset, tmp_path, encoding):
    """With a byte order mark, ends of lines of two letters, and names in other letters' case."""
    unsorted_validation(tmp_path)
    dataset.val_labels = str(tmp_path / "labels.txt")
    text = LISTS["names"].replace("n0", "N0").replace("\n", "\r\n")
    (tmp_path / "labels.txt").write_bytes(text.encode(encoding))
    found = levels(sources.source(dataset), "test")
    assert [(label, round(grey / 40)) for label, grey in found] == [(0, 2), (0, 4), (1, 3), (2, 1)]


def test_a_label_of_several_words_is_no_other_folder(dataset, tmp_path):
    for name in ("great", "great dane"):
        picture(tmp_path / "train" / name / "1.png", 1)
    for index in range(3):
        picture(tmp_path / f"val/images/{index}.png", 80)
    (tmp_path / "labels.txt").write_text('"0.png","great dane"\n1.png,great,0,0,9,9\n2.png;great poodle\n')
    dataset.val_labels = str(tmp_path / "labels.txt")
    source = sources.source(dataset)
    assert [example.name[-5:] for example in source.examples("test", {1})] == ["0.png"]
    assert [example.name[-5:] for example in source.examples("test", {0})] == ["1.png"]
    assert source.around() == {split_folders.NO_LABEL: [tmp_path / "val/images/2.png"]}


def test_a_list_and_its_images_may_have_two_forms_of_unicode(dataset, tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    picture(tmp_path / "train" / decomposed / "1.png", 1)
    picture(tmp_path / f"val/{decomposed}.png", 80)
    (tmp_path / "labels.txt").write_text(f"{composed}.png,{decomposed}\n")
    dataset.val_labels = str(tmp_path / "labels.txt")
    assert levels(sources.source(dataset), "test") == [(0, 80)]


@pytest.mark.parametrize("gap", [" ", "\t", ", "])
def test_names_in_a_list_may_have_spaces(dataset, tmp_path, gap):
    picture(tmp_path / "train/polar bear/1.png", 1)
    image = "b.png" if gap == " " else "my bear.png"
    picture(tmp_path / "val" / image, 80)
    (tmp_path / "labels.txt").write_text(f"{image}{gap}polar bear\n")
    dataset.val_labels = str(tmp_path / "labels.txt")
    assert levels(sources.source(dataset), "test") == [(0, 80)]


def test_listed_images_of_other_labels_are_left_out(dataset, tmp_path):
    unsorted_validation(tmp_path)
    picture(tmp_path / "val/more.JPEG", 5)
    (tmp_path / "labels.txt").write_text(LISTS["names"] + "more.JPEG n99\n")
    dataset.val_labels = str(tmp_path / "labels.txt")
    source = sources.source(dataset)
    assert source.around() == {split_folders.NO_LABEL: [tmp_path / "val/more.JPEG"]}
    assert len(levels(source, "test")) == 4


def test_a_list_without_unsorted_images_is_refused(dataset, tmp_path):
    picture(tmp_path / "train/cat/1.png", 1)
    dataset.val_labels = "labels.txt"
    with pytest.raises(UserError, match=r"dataset.val_labels is set, but .* has no images in val"):
        sources.source(dataset)


def test_control_characters_in_a_name_are_replaced(dataset, tmp_path):
    picture(tmp_path / "train/a\n\x1b[31mb/1.png", 1)
    assert sources.source(dataset).label_names == ["a??[31mb"]


def test_a_folder_that_is_no_data_set_is_named(dataset, tmp_path):
    with pytest.raises(UserError, match=r"no folders of images in .*/train; type --config.dataset.root="):
        sources.source(dataset)
    (tmp_path / "train/cat").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no images of 'cat' in .*/train; add some, or take it out of the data set"):
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
    monkeypatch.setattr(network, "unreachable", lambda urls: "")
    with pytest.raises(UserError, match=r"type --config.dataset.tfds_dir=.* could not be downloaded: no network"):
        sources.source(dataset)


def test_without_a_network_it_is_said_at_once(dataset, tmp_path, monkeypatch):
    """TensorFlow Datasets would try for minutes."""
    dataset.name, dataset.root, dataset.tfds_dir = "cifar10", "", str(tmp_path)
    asked = []

    def refuse(address, timeout):
        asked.append(address)
        raise OSError("no route")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", pytest.fail)
    words = r"--config.dataset.tfds_dir=<the folder that has it> \(it cannot be downloaded: www.cs.toronto.edu cannot"
    with pytest.raises(UserError, match=words):
        sources.source(dataset)
    assert asked == [("www.cs.toronto.edu", 443)]


@pytest.mark.parametrize("typed", ["store/mnist", "store/mnist/3.0.1", "."])
def test_a_folder_one_level_off_is_named(dataset, tmp_path, monkeypatch, typed):
    store_as_published("mnist", {"train": 10, "test": 10}, tmp_path / "store")
    dataset.name, dataset.root, dataset.tfds_dir = "mnist", "", str(tmp_path / typed)
    with pytest.raises(UserError, match=f"type --config.dataset.tfds_dir={tmp_path / 'store'}, which has it"):
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
