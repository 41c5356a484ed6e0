"""All labels as one model: the same pictures as the generators', and never a wrong one."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf import conditional, export, models
from wcgan_tf.config import default_config
from wcgan_tf.errors import UserError
from wcgan_tf.images import to_uint8
from wcgan_tf.paths import ModelPaths

PRESENT = [0, 2, 5]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three different generators, exported, read back and combined: (folder, generators)."""
    folder = tmp_path_factory.mktemp("model")
    settings = default_config().model
    settings.width = 4
    generators, weights = {}, {}
    for label in PRESENT:
        generator = models.generator(settings, 8, 1)
        for i, variable in enumerate(generator.variables):  # BatchNorm's statistics too
            noise = tf.random.stateless_normal(variable.shape, [label, i])
            variable.assign(tf.abs(noise) + 0.1 if "variance" in variable.path else variable + 0.3 * noise)
        export.export_generator(generator, settings.latent_size, folder / str(label))
        generators[label], weights[label] = generator, export.read_weights(folder / str(label), "")
    module, signatures = conditional.build(settings, weights, num_labels=6, resolution=8, channels=1)
    paths = ModelPaths(folder / "combined")
    export.save(module, signatures, paths.saved_model)
    labels = [{"label": label, "name": f"name {label}"} for label in PRESENT]
    paths.manifest.write_text(json.dumps({"dataset": "digits", "latent_size": 64, "labels": labels}))
    return folder, generators


@pytest.fixture
def serve(made):
    loaded = tf.saved_model.load(str(ModelPaths(made[0] / "combined").saved_model))

    def call(labels, latents):
        return loaded.signatures["serving_default"](labels=tf.constant(labels, tf.int32), latents=latents)["images"]

    return call


def latents(number):
    return tf.random.stateless_normal([number, 64], [7, 8])


@pytest.mark.parametrize("labels", [[0] * 9, [5, 0, 2, 2, 0, 5, 5, 5, 2], [2]])
def test_each_image_is_its_own_generators(made, serve, labels):
    z = latents(len(labels))
    images = serve(labels, z)
    assert images.dtype == tf.uint8
    for row, label in enumerate(labels):
        expected = to_uint8(made[1][label](z[row : row + 1]))[0]
        assert np.abs(images[row].numpy().astype(int) - expected.numpy().astype(int)).max() <= 1


def test_an_exported_generator_is_the_generator(made):
    for label, generator in made[1].items():
        loaded = tf.saved_model.load(str(made[0] / str(label)))
        images = loaded.signatures["serving_default"](latents=latents(4))["images"]
        np.testing.assert_array_equal(images, to_uint8(generator(latents(4))))


def test_an_exported_generator_draws_image_i_from_seed_and_i_alone(made):
    generate = tf.saved_model.load(str(made[0] / "2")).signatures["generate"]

    def images(num, seed):
        return generate(num=tf.constant(num), seed=tf.constant(seed, tf.int64))["images"].numpy()

    seven = images(7, 5)
    assert seven.shape == (7, 8, 8, 1)
    assert seven.dtype == np.uint8
    np.testing.assert_array_equal(images(3, 5), seven[:3])
    assert len({image.tobytes() for image in (*seven, *images(7, 6))}) == 14
    assert images(0, 5).shape == (0, 8, 8, 1)


def test_latents_are_normally_distributed():
    latents = export.latents_of(tf.range(4000, dtype=tf.int64), tf.constant(1, tf.int64), 16).numpy()
    assert latents.mean() == pytest.approx(0, abs=0.02)
    assert latents.std() == pytest.approx(1, abs=0.02)
    assert np.abs(np.corrcoef(latents.T) - np.eye(16)).max() < 0.1


def test_no_labels_make_no_images(serve):
    assert serve([], tf.zeros([0, 64])).shape == (0, 8, 8, 1)


@pytest.mark.parametrize(
    ("labels", "words"), [([0, 1], "no generator"), ([0, 6], "not in 0 to"), ([-1, 0], "not in 0 to"), ([0], "latents")]
)
def test_what_it_cannot_draw_is_an_error(serve, labels, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        serve(labels, latents(2))


def test_it_is_called_in_a_process_that_has_no_wcgan_tf(made, serve, tmp_path):
    z = latents(3).numpy()
    np.save(tmp_path / "z.npy", z)
    code = f"""
import sys
sys.modules["wcgan_tf"] = sys.modules["keras"] = None  # importing them fails
import numpy as np, tensorflow as tf
model = tf.saved_model.load({str(ModelPaths(made[0] / "combined").saved_model)!r})
z = np.load("z.npy")
images = model.signatures["serving_default"](labels=tf.constant([2, 5, 0]), latents=tf.constant(z))["images"]
np.save("images.npy", images.numpy())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), serve([2, 5, 0], z))


def test_drawing_depends_on_seed_and_label(made):
    model = conditional.load(made[0] / "combined", "")
    assert model.labels == {label: f"name {label}" for label in PRESENT}
    first = model.draw(2, 5, seed=0)
    np.testing.assert_array_equal(first, model.draw(2, 5, seed=0))
    assert not np.array_equal(first, model.draw(2, 5, seed=1))
    assert not np.array_equal(first, model.draw(5, 5, seed=0))


def test_drawing_in_batches_is_drawing_at_once(made, monkeypatch):
    model = conditional.load(made[0] / "combined", "")
    whole = model.draw(2, 10, seed=0)
    monkeypatch.setattr(conditional.ConditionalModel, "BATCH_SIZE", 4)
    np.testing.assert_array_equal(whole, model.draw(2, 10, seed=0))


def test_a_folder_that_is_no_model_says_what_to_run(made, tmp_path):
    with pytest.raises(UserError, match=r"there is no .*manifest.json; run: combine it"):
        conditional.load(tmp_path, "combine it")
    with pytest.raises(UserError, match=r"there is no generator in .* run: train it"):
        export.read_weights(tmp_path / "nothing", "train it")
    with pytest.raises(UserError, match="trained on digits, not on cifar10"):
        conditional.load(made[0] / "combined", "").refuse_other("cifar10")
