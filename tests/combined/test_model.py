"""All labels as one model: it draws the images of each label's generator, or fails."""

import subprocess
import sys

import examples
import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf import models
from wcgan_tf.combined.manifest import Manifest
from wcgan_tf.combined.model import ConditionalModel
from wcgan_tf.config import default_config
from wcgan_tf.core import records
from wcgan_tf.core.errors import Command, DamagedError
from wcgan_tf.core.images import to_uint8
from wcgan_tf.core.paths import ModelPaths
from wcgan_tf.models.generator_export import export_generator, label_signs, latents_from_seed, read_weights

PRESENT = [0, 2, 5]
NAMES = [f"name {label}" for label in range(6)]
MANIFEST = examples.manifest(
    [examples.label_entry(label, name=NAMES[label]) for label in PRESENT], names=NAMES, num_labels=len(NAMES)
)


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
        export_generator(generator, label, settings.latent_size, folder / str(label))
        generators[label], weights[label] = generator, read_weights(folder / str(label), Command("train"))
    model = ConditionalModel(settings, PRESENT, num_labels=6, resolution=8, channels=1)
    for label in PRESENT:
        model.set_weights(label, weights[label])
    model.save(MANIFEST, ModelPaths(folder / "combined").saved_model)
    return folder, generators


@pytest.fixture(scope="module")
def loaded(made):
    return tf.saved_model.load(str(ModelPaths(made[0] / "combined").saved_model))


@pytest.fixture
def serve(loaded):
    def call(labels, latents):
        return loaded.signatures["serving_default"](labels=tf.constant(labels, tf.int32), latents=latents)["images"]

    return call


def latents(number):
    return tf.random.stateless_normal([number, 64], [7, 8])


@pytest.mark.parametrize("labels", [[0] * 9, [5, 0, 2, 2, 0, 5, 5, 5, 2], [2]])
def test_each_image_comes_from_its_labels_generator(made, serve, labels):
    z = latents(len(labels))
    images = serve(labels, z)
    assert images.dtype == tf.uint8
    for row, label in enumerate(labels):
        expected = to_uint8(made[1][label](z[row : row + 1]))[0]
        assert np.abs(images[row].numpy().astype(int) - expected.numpy().astype(int)).max() <= 1


def test_a_batch_of_one_label_equals_its_generators_images(made, serve):
    for label in PRESENT:
        alone = tf.saved_model.load(str(made[0] / str(label))).signatures["serving_default"]
        np.testing.assert_array_equal(serve([label] * 9, latents(9)), alone(latents=latents(9))["images"])


def test_generated_image_i_depends_on_label_seed_and_i_alone(made, loaded):
    def generate(labels, seed):
        seed = tf.constant(seed, tf.int64)
        return loaded.signatures["generate"](labels=tf.constant(labels, tf.int32), seed=seed)["images"].numpy()

    mixed = generate([5, 0, 2, 2, 0], 7)
    assert mixed.shape == (5, 8, 8, 1)
    assert mixed.dtype == np.uint8
    assert np.abs(generate([5, 5, 2, 0], 7)[[0, 2]].astype(int) - mixed[[0, 2]].astype(int)).max() <= 1
    assert not np.array_equal(generate([5, 0, 2, 2, 0], 8), mixed)
    alone = tf.saved_model.load(str(made[0] / "5")).signatures["generate"]
    np.testing.assert_array_equal(
        generate([5] * 6, 7), alone(num=tf.constant(6), seed=tf.constant(7, tf.int64))["images"]
    )
    assert generate([], 7).shape == (0, 8, 8, 1)


def test_the_model_has_its_manifest(loaded):
    assert records.decode(loaded.signatures["manifest"]()["json"].numpy(), Manifest) == MANIFEST


def test_an_exported_generator_draws_the_same_images(made):
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
    latents = latents_from_seed(0, 4000, tf.constant(1, tf.int64), 16).numpy()
    assert latents.mean() == pytest.approx(0, abs=0.02)
    assert latents.std() == pytest.approx(1, abs=0.02)
    assert np.abs(np.corrcoef(latents.T) - np.eye(16)).max() < 0.1


def test_each_label_has_signs_of_its_own():
    signs = label_signs(0, 1000, 16).numpy()
    assert set(signs.ravel()) == {-1.0, 1.0}
    assert np.abs(signs.mean(axis=0)).max() < 0.15
    assert np.abs(np.corrcoef(signs.T) - np.eye(16)).max() < 0.15
    np.testing.assert_array_equal(label_signs(7, 1, 16), signs[7:8])


def test_zero_labels_give_zero_images(serve):
    assert serve([], tf.zeros([0, 64])).shape == (0, 8, 8, 1)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1], r"the model has no generator of label \[1\]"),
        ([0, 6], r"labels are 0 to \d, not \[6\]"),
        ([-1, 0], r"labels are 0 to \d, not \[-1\]"),
        ([0], "there are 1 labels and 2 latents"),
    ],
)
def test_labels_without_a_generator_and_wrong_latents_are_errors(serve, labels, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        serve(labels, latents(2))


def test_the_model_runs_in_a_process_without_wcgan_tf(made, serve, tmp_path):
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
tf.saved_model.load({str(made[0] / "2")!r})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "gradient" not in done.stderr  # TensorFlow warns of gradients that are not saved
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), serve([2, 5, 0], z))


def test_the_weights_are_kept_where_a_gpu_is_the_default(tmp_path):
    """A second CPU stands in for it: a variable there would have memory of its own, in which the zeros stay."""
    code = """
import numpy as np, tensorflow as tf
from wcgan_tf.combined.model import ConditionalModel
from wcgan_tf.config import default_config
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
settings = default_config().model
settings.width = 4
with tf.device("/CPU:1"):
    model = ConditionalModel(settings, [0], num_labels=1, resolution=8, channels=1)
model.set_weights(0, [np.ones(array.shape[1:], np.float32) for array in model._arrays])
print({stack.device[-5:] for stack in model._stacks}, all(np.all(stack.numpy() == 1) for stack in model._stacks))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "{'CPU:0'} True\n"


def test_a_weight_that_is_not_finite_is_not_read(made, tmp_path):
    generator = made[1][2]
    kept = generator.trainable_variables[0].numpy()
    generator.trainable_variables[0].assign(kept * np.nan)
    export_generator(generator, 2, default_config().model.latent_size, tmp_path / "2")
    generator.trainable_variables[0].assign(kept)
    with pytest.raises(DamagedError, match=r"2 has a weight that is not finite; delete it and run: .*train --label=2"):
        read_weights(tmp_path / "2", Command("train", "--label=2"))
