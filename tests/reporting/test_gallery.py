"""The pictures of a report, on the real digits."""

import base64
import io
import shutil

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from wcgan_tf import serve_demo
from wcgan_tf.combined import pictures
from wcgan_tf.config import default_config
from wcgan_tf.core.images import tile
from wcgan_tf.data import prepared
from wcgan_tf.evaluation import classifiers
from wcgan_tf.reporting import gallery


@pytest.fixture
def dataset(tmp_path):
    settings = default_config().dataset
    settings.data_dir = str(tmp_path)
    return settings


def test_a_training_image_is_nearest_to_itself(dataset, digits):
    assert classifiers.load_existing_domain(dataset) is None
    shutil.copytree(digits / "data", dataset.data_dir, dirs_exist_ok=True)
    judge = classifiers.load_existing_domain(dataset)
    images = prepared.label_images(dataset, "train", 4).images
    chosen = images[[30, 2, 17, 2]]
    np.testing.assert_array_equal(gallery.nearest_train(judge, dataset, 4, chosen), chosen)


def decoded(uri: str) -> PIL.Image.Image:
    kind, content = uri.split(",")
    assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
    return PIL.Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize(("side", "channels", "shown"), [(8, 1, 48), (32, 3, 32), (256, 3, 96)])
def test_contact_sheets_are_small_and_keep_their_pixels(side, channels, shown):
    images = np.full([4, side, side, channels], 200, np.uint8)
    picture = decoded(pictures.contact_sheet([images, images[:2]], 4))
    assert picture.width == pytest.approx(4 * shown, abs=20)
    assert picture.height == pytest.approx(2 * shown, abs=10)
    pixels = np.asarray(picture)
    assert abs(int(pixels[shown // 2, shown // 2].max()) - 200) < 4
    assert pixels[-2, -2].min() > 250, "a short row ends in white"


class Model:
    """Each pixel is the seed."""

    def __init__(self):
        self.labels = {3: "<b>cat</b>", 5: "dog"}

    def draw(self, label, number, seed, truncation):
        yield np.full([number, 8, 8, 1], seed, np.uint8)


def test_names_on_the_demo_page_are_text():
    model = Model()
    text = serve_demo._figures(model, [3, 5], lambda label: model.draw(label, 2, 7, None))
    assert text.count("<img ") == 2
    assert "&lt;b&gt;cat&lt;/b&gt;" in text
    assert "<b>" not in text


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_row_of_a_grid_is_cut_into_images(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, [6, 8, 8, channels], np.uint8)
    path = tmp_path / "grid.png"
    PIL.Image.fromarray(tile(images, 3).squeeze()).save(path)
    np.testing.assert_array_equal(gallery._cells(path.read_bytes(), (8, 8, channels)), images[:3])
    for shape in [(8, 8, 4 - channels), (16, 16, channels), (7, 7, channels)]:
        assert gallery._cells(path.read_bytes(), shape) == []
    assert gallery._cells(path.read_bytes()[:50], (8, 8, channels)) == []


def test_a_film_leaves_out_what_is_no_grid_of_the_labels_images(tmp_path):
    def png(*shape: int) -> bytes:
        file = io.BytesIO()
        PIL.Image.fromarray(np.full(shape, 200, np.uint8)).save(file, "PNG")
        return file.getvalue()

    grids = {1: png(26, 26), 2: png(26, 26, 4), 3: b"no picture", 4: png(1, 1), 5: png(8, 8), 6: png(26, 26)}
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for step, content in grids.items():
            tf.summary.write("generated", tf.constant([b"26", b"26", content]), step)
    (tmp_path / "events.out.tfevents.5.folder").mkdir()
    (tmp_path / "events.out.tfevents.6.link").symlink_to("nowhere")
    with tf.io.TFRecordWriter(str(tmp_path / "events.out.tfevents.7.other")) as writer:
        writer.write(b"\xff\xff\xff\xff")
    film, steps = gallery._film(tmp_path, (8, 8, 1))
    assert steps == [1, 6]
    assert decoded(film).width == pytest.approx(2 * 48, abs=20)
