"""Classifiers of images: the domain classifier, and SavedModels such as Inception."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import DatasetPaths, inception_folder
from wcgan_tf.data import prepared
from wcgan_tf.evaluation import classifiers, domain_classifier
from wcgan_tf.evaluation.classifier_files import refuse_unusable


def look_through(config, name, said=None):
    return classifiers.load(name, config.dataset, (said if said is not None else []).append)


def save(folder, side=299, outputs=("logits", "pool_3"), factor=1.0, mixed=False) -> str:
    """A SavedModel in place of Inception: its features are the mean colours, its logits these and their squares."""
    module = tf.Module()
    module.factor = tf.Variable(factor)

    @tf.function(input_signature=[tf.TensorSpec([None, side, side, 3], tf.float32, name="images")])
    def serve(images):
        colours = tf.reduce_mean(images, [1, 2]) * module.factor
        values = {"logits": tf.concat([colours, colours**2], axis=1), "pool_3": colours[:, None, None, :]}
        if mixed:
            values["pool_3"] = tf.reduce_mean(colours, axis=0)
        return {name: values[name] for name in outputs}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return str(folder)


def test_every_fifth_image_of_a_label_is_held_out():
    np.testing.assert_array_equal(np.flatnonzero(domain_classifier.held_out(np.arange(12))), [4, 9])


def test_the_domain_classifier_learns_digits_once_and_again_if_damaged_or_outdated(config, digits, monkeypatch):
    shutil.copytree(digits / "data", config.dataset.data_dir)
    said = []
    first = look_through(config, "domain", said)
    test = [prepared.label_images(config.dataset, "test", label) for label in range(10)]
    right = [np.mean(first.predict(part.images)[1].argmax(axis=1) == part.label) for part in test]
    assert np.mean(right) > 0.95
    assert DatasetPaths.of(config.dataset).classifier(first.digest).exists()
    again = look_through(config, "domain", said)
    assert said == []
    assert again.digest == first.digest
    for one, other in zip(first.predict(test[3].images), again.predict(test[3].images), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.predict(test[3].images)[0].shape == (len(test[3].images), domain_classifier.FEATURES)
    old = DatasetPaths.of(config.dataset).features(first.digest, "test", 3)
    files.write_text(old, "")
    weights = DatasetPaths.of(config.dataset).classifier(first.digest)
    weights.write_bytes(weights.read_bytes()[:1000])
    # From here on accuracy is not needed.
    monkeypatch.setattr(domain_classifier, "training_images_seen", lambda number: domain_classifier.BATCH_SIZE)
    mended = classifiers.load("domain", config.dataset, said.append)  # the damaged one is made anew
    assert (len(said), mended.digest) == (1, first.digest)
    assert not old.exists()  # new ones may differ in the last bits
    monkeypatch.setattr(domain_classifier, "RECIPE", domain_classifier.RECIPE + 1)
    assert look_through(config, "domain", said).digest != first.digest
    assert len(said) == 2


def test_a_saved_model_sees_images_of_its_own_size_between_minus_1_and_1(config, tmp_path):
    classifier = look_through(config, save(tmp_path / "colours", side=20))
    assert classifier.resize == "bilinear to 20x20"
    images = np.zeros([3, 8, 8, 3], np.uint8)
    images[1], images[2, ..., 1] = 255, 255
    features, logits = classifier.predict(images)
    np.testing.assert_allclose(features, [[-1, -1, -1], [1, 1, 1], [-1, 1, -1]], atol=1e-6)
    assert logits.shape == (3, 6)
    grey = classifier.predict(images[..., :1])[0]
    np.testing.assert_allclose(grey, [[-1, -1, -1], [1, 1, 1], [-1, -1, -1]], atol=1e-6)


def test_a_classifiers_digest_is_that_of_its_weights(config, tmp_path):
    one, other = (look_through(config, save(tmp_path / f"{factor}", factor=factor)) for factor in (1.0, 2.0))
    assert one.digest != other.digest
    assert look_through(config, str(tmp_path / "1.0")).digest == one.digest


def test_a_saved_model_that_is_no_classifier_is_an_error(config, tmp_path):
    save(tmp_path / "half", outputs=("logits",))
    save(tmp_path / "mixed", mixed=True)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/saved_model.pb").write_bytes(b"nothing")
    for name, words in (
        (str(tmp_path / "half"), "half has no output pool_3"),
        (str(tmp_path / "mixed"), r"mixed: pool_3 of 2 images has the shape \(3,\), where it needs \[2, k\]"),
        (str(tmp_path / "broken"), "broken is damaged, or no classifier of images"),
    ):
        with pytest.raises(UserError, match=words):
            look_through(config, name)


def test_unusable_classifiers_are_errors(config, tmp_path):
    with pytest.raises(UserError, match=r"no SavedModel in nowhere; the classifier may be domain, inception, or"):
        refuse_unusable("nowhere", config.dataset, "test")
    with pytest.raises(UserError, match=r"was trained on the split `train`; type --config.evaluate.split=test"):
        refuse_unusable("domain", config.dataset, "train")
    refuse_unusable(save(tmp_path / "own"), config.dataset, "train")
    refuse_unusable("domain", config.dataset, "test")


def test_a_missing_inception_is_an_error_and_a_present_one_is_used(config):
    folder = inception_folder(config.dataset.data_dir)
    with pytest.raises(UserError, match=r"prepare --classifier=inception, and copy .* or score with"):
        refuse_unusable("inception", config.dataset, "test")
    save(folder)
    refuse_unusable("inception", config.dataset, "test")
    assert look_through(config, "inception").resize == "bilinear to 299x299"
    assert classifiers.fetch_inception(config.dataset) == folder  # it is there and not fetched again


def test_inception_that_cannot_be_fetched_is_an_error_and_leaves_nothing(config, monkeypatch):
    import tensorflow_hub

    def no_network(handle):
        raise OSError(f"no way to {handle}")

    monkeypatch.setattr(tensorflow_hub, "resolve", no_network)
    with pytest.raises(UserError, match=r"cannot be fetched .*no way to https://tfhub.dev/.*; fetch it elsewhere"):
        classifiers.fetch_inception(config.dataset)
    assert not inception_folder(config.dataset.data_dir).exists()
