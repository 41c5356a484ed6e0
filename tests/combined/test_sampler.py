"""Drawing from a combined model: the same images in every way, and a clear error if there is no model."""

import shutil

import examples
import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf import models
from wcgan_tf.combined import sampler
from wcgan_tf.combined.model import ConditionalModel
from wcgan_tf.config import default_config
from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import ModelPaths
from wcgan_tf.data import prepared

NAMES = ["zero", "one", "two"]
MANIFEST = examples.manifest([examples.label_entry(label, name=NAMES[label]) for label in (0, 2)], names=NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A combined model of two of three labels."""
    settings = default_config().model
    settings.width = 4
    model = ConditionalModel(settings, [0, 2], num_labels=3, resolution=8, channels=1)
    for label in (0, 2):
        model.set_weights(label, [value + 0.02 * label for value in models.generator(settings, 8, 1).get_weights()])
    where = tmp_path_factory.mktemp("model") / "model"
    model.save(MANIFEST, ModelPaths(where).saved_model)
    return where


@pytest.fixture(scope="module")
def model(folder):
    return sampler.load(folder)


def draw(model, *arguments) -> np.ndarray:
    return np.concatenate(list(model.draw(*arguments)))


def test_a_model_knows_its_labels(model):
    assert model.labels == {0: "zero", 2: "two"}
    assert model.manifest.names == NAMES
    assert model.latent_size == 64


def test_a_version_folder_is_loaded_too(folder, model):
    np.testing.assert_array_equal(draw(sampler.load(folder / "1"), 2, 3, 0), draw(model, 2, 3, 0))


def test_a_model_that_is_replaced_while_it_is_loaded_is_read_again(folder, tmp_path, monkeypatch):
    place = shutil.copytree(folder, tmp_path / "model")
    looked = []

    def look(saved_model):
        """The manifest is of the model that was there, and the graph of the one that is there now."""
        looked.append(saved_model)
        if len(looked) == 1:
            with files.publish(place) as path:
                shutil.copytree(folder, path)
        return len(looked) > 1

    monkeypatch.setattr(sampler, "is_intact", look)
    assert sampler.load(place).labels == {0: "zero", 2: "two"}
    assert len(looked) == 2
    monkeypatch.setattr(sampler, "is_intact", lambda _: False)
    with pytest.raises(UserError, match="is damaged"):
        sampler.load(place)


def test_drawing_depends_on_seed_label_and_index(model):
    first = draw(model, 2, 5, 0)
    assert first.dtype == np.uint8
    assert first.shape == (5, 8, 8, 1)
    np.testing.assert_array_equal(first, draw(model, 2, 5, 0))
    np.testing.assert_array_equal(first[:3], draw(model, 2, 3, 0))
    assert not np.array_equal(first, draw(model, 2, 5, 1))
    assert not np.array_equal(first, draw(model, 0, 5, 0))
    assert len({image.tobytes() for image in first}) == 5


def test_drawing_in_batches_equals_drawing_at_once(model, monkeypatch):
    whole = draw(model, 2, 10, 0)
    monkeypatch.setattr(sampler, "BATCH_SIZE", 4)
    batches = list(model.draw(2, 10, 0))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert np.abs(np.concatenate(batches).astype(int) - whole.astype(int)).max() <= 1


def test_drawing_equals_the_signature_generate(folder, model):
    generate = tf.saved_model.load(str(folder / "1")).signatures["generate"]
    images = generate(labels=tf.fill([6], 2), seed=tf.constant(3, tf.int64))["images"]
    np.testing.assert_array_equal(images, draw(model, 2, 6, 3))


def test_truncation_bounds_latents_and_keeps_their_order(model):
    latents = model.latents(2, 0, 0, 500, None).numpy()
    assert np.abs(latents).max() > 3
    inside = model.latents(2, 0, 0, 500, 0.5).numpy()
    assert np.abs(inside).max() <= 0.5
    assert np.abs(inside).max() > 0.49
    assert np.diff(inside.ravel()[np.argsort(latents, axis=None)]).min() > -1e-6
    # the deviation of a normal distribution truncated to +-0.5
    assert inside.std() == pytest.approx(0.2840, abs=0.003)
    np.testing.assert_allclose(model.latents(2, 0, 0, 50, 100.0), latents[:50], atol=1e-4)


def test_an_interpolation_has_both_ends_and_keeps_its_length(model):
    first, last = (model.latents(2, seed, 0, 1, None)[0] for seed in (3, 4))
    way = sampler.interpolate_latents(first, last, 7).numpy()
    np.testing.assert_allclose(way[0], first, atol=1e-5)
    np.testing.assert_allclose(way[-1], last, atol=1e-5)
    lengths = np.linalg.norm(way, axis=1)
    assert lengths.min() > 0.95 * min(np.linalg.norm(first), np.linalg.norm(last))
    np.testing.assert_allclose(sampler.interpolate_latents(first, first, 3), [first] * 3, atol=1e-5)
    images = np.concatenate(list(model.interpolate(2, (3, 4), 7, None)))
    np.testing.assert_array_equal(images[0], draw(model, 2, 1, 3)[0])


def test_a_missing_or_damaged_model_is_an_error(folder, tmp_path):
    with pytest.raises(
        UserError, match=r"there is no model in .*; type another --model, or run: python -m wcgan_tf.combine"
    ):
        sampler.load(tmp_path)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(
        UserError,
        match=r"or no model of wcgan_tf.combine; with the --workdir that .*, run: .* --overwrite",
    ):
        sampler.load(tmp_path)
    other = tf.Module()
    other.f = tf.function(lambda: {"x": tf.constant(1)}, input_signature=[])
    tf.saved_model.save(other, str(tmp_path / "other/1"), signatures={"serving_default": other.f})
    with pytest.raises(UserError, match=r"is damaged, or no model of wcgan_tf.combine"):
        sampler.load(tmp_path / "other")


def test_a_model_with_truncated_weights_is_an_error(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (data,) = (copy / "1/variables").glob("variables.data*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match="is damaged"):
        sampler.load(copy)


def test_a_model_of_another_data_set_is_refused(model, monkeypatch):
    dataset = default_config().dataset
    monkeypatch.setattr(prepared, "label_names", lambda dataset: NAMES)
    model.refuse_other_dataset(dataset)
    for names, how in (
        ([*NAMES, "six"], "3 there, 4 here"),
        (NAMES[:2], "3 there, 2 here"),
        (["zero", "ten", "two"], "'one' there, 'ten' here"),
    ):
        with monkeypatch.context() as patch, pytest.raises(UserError, match=f"than the .* prepared now \\({how}\\);"):
            patch.setattr(prepared, "label_names", lambda dataset, names=names: names)
            model.refuse_other_dataset(dataset)
    dataset.resolution = 16
    with pytest.raises(UserError, match=r"makes images of 8x8 pixels; type --config.dataset.resolution=8, not 16"):
        model.refuse_other_dataset(dataset)
    dataset.name = "cifar10"
    with pytest.raises(UserError, match="trained on digits, not on cifar10"):
        model.refuse_other_dataset(dataset)
