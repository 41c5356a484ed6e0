"""The table of classifiers: images -> features and logits.  To add one: a function here, a row in CLASSIFIERS.

- `domain` is trained once on the prepared images, and stored beside them (domain_classifier.py).
- `inception` is the TF-Hub module that TF-GAN uses; `wcgan_tf.prepare --classifier inception` downloads it once.
- A path is that of a SavedModel with the outputs `logits` [n, k] and `pool_3` [n, d]; its input is float32 images in
  -1..1, of 299x299 pixels unless its signature gives another size.
"""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from wcgan_tf.config import Dataset
from wcgan_tf.core import errors, files, folder_lock, records
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.images import to_unit
from wcgan_tf.core.paths import DatasetPaths, inception_folder, is_saved_model
from wcgan_tf.data import prepared
from wcgan_tf.data.prepared import CurrentDomain
from wcgan_tf.evaluation import classifier_files, domain_classifier, tfgan
from wcgan_tf.evaluation.features import Classifier
from wcgan_tf.evaluation.picked_images import PickedImages

INCEPTION_SIDE = 299
MOST_AT_ONCE, MOST_PIXELS = 500, 500 * 32**2  # images of the domain classifier in one call


def load(name: str, dataset: Dataset, say: Callable[[str], None]) -> Classifier:
    """Load a classifier by its name in CLASSIFIERS, or by the path of a SavedModel.

    Args:
        say: called with a line before a long operation.

    Raises:
        UserError: if it is damaged or is not a classifier; see `classifier_files.refuse_unusable`.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)  # features that are kept may be of a CPU
    return CLASSIFIERS[name](dataset, say) if name in CLASSIFIERS else _saved_model(name, dataset)


def load_existing_domain(dataset: Dataset) -> Classifier | None:
    """The domain classifier of the present training images; None if it or they are missing or damaged."""
    with contextlib.suppress(UserError):
        labels, digest = _domain_of(dataset)
        network = _load_domain(dataset, labels, digest)
        return network and _as_classifier(network, digest)
    return None


def _domain(dataset: Dataset, say: Callable[[str], None]) -> Classifier:
    """The stored network of the present training images, or a newly trained one."""
    labels, digest = _domain_of(dataset)
    paths = DatasetPaths.of(dataset)
    network = _load_domain(dataset, labels, digest)
    if network is None:
        waiting = "another process trains the domain classifier; waiting for it"
        with folder_lock.lock(paths.classifier(digest).parent, say, waiting):
            network = _load_domain(dataset, labels, digest) or _train_domain(dataset, labels, say, digest)
    now = CurrentDomain(digest, len(labels), files.digest_file(paths.classifier(digest)))
    if records.read_if_whole(paths.domain, CurrentDomain) not in (now, msgspec.structs.replace(now, weights="")):
        records.write(paths.domain, now)  # else no write: it may be read-only
    return _as_classifier(network, digest)


def _domain_of(dataset: Dataset) -> tuple[range, str]:
    """The labels of a data set, and the digest of the network for them: of its recipe, `flip` and training images."""
    labels = range(len(prepared.label_names(dataset)))
    digests = [prepared.digest(dataset, "train", label) for label in labels]
    return labels, files.digest_json([domain_classifier.RECIPE, dataset.flip, *digests])


def _load_domain(dataset: Dataset, labels: range, digest: str) -> keras.Model | None:
    """The stored network; None if it is missing or damaged."""
    paths, shape = DatasetPaths.of(dataset), prepared.label_images(dataset, "train", 0).images.shape[1:]
    known = records.read_if_whole(paths.domain, CurrentDomain)
    written = known.weights if known and known.digest == digest else ""
    return domain_classifier.load_network(paths.classifier(digest), shape, len(labels), written)


def _as_classifier(network: keras.Model, digest: str) -> Classifier:
    side = network.input_shape[1]
    at_once = max(1, min(MOST_AT_ONCE, MOST_PIXELS // side**2))
    kernel, bias = network.get_layer("logits").get_weights()
    predict = network.predict_on_batch
    return Classifier("domain", digest, "none", True, at_once, predict, head=lambda features: features @ kernel + bias)


def _train_domain(dataset: Dataset, labels: range, say: Callable[[str], None], digest: str) -> keras.Model:
    """Train the network of these labels, and save its weights under the digest."""
    paths = DatasetPaths.of(dataset)
    weights = paths.classifier(digest)
    images, numbers = _training_images(dataset, labels)
    seen = domain_classifier.training_images_seen(len(images))
    say(f"training the domain classifier on {len(images)} images, {seen} with repeats; it is kept as {weights}")
    keras.utils.set_random_seed(0)
    network = domain_classifier.build_network(images.image_shape, len(labels))
    domain_classifier.train(
        network, domain_classifier.shuffled(images, numbers, seed=0), seen // domain_classifier.BATCH_SIZE, dataset.flip
    )
    shutil.rmtree(paths.seen_by(digest), ignore_errors=True)  # features by an earlier network with damaged weights
    with files.publish(weights) as path:
        network.save_weights(path)
    # Before others may read it: by the digest of a damaged file they would take this one for damaged, too.
    records.write(paths.domain, CurrentDomain(digest, len(labels), files.digest_file(weights)))
    return network


def _training_images(dataset: Dataset, labels: range) -> tuple[PickedImages, np.ndarray]:
    """The training images of the domain classifier, and their labels, int64 [n].

    From each label, the images that are not held out, at most MOST_IMAGES / len(labels) of them.
    """
    share = max(domain_classifier.MOST_IMAGES // len(labels), 1)
    parts = [prepared.mapped_images(dataset, "train", label) for label in labels]
    rows = [np.flatnonzero(~domain_classifier.held_out(np.arange(len(images))))[:share] for images in parts]
    return PickedImages(parts, rows), np.repeat(labels, [len(own) for own in rows])


def fetch_inception(dataset: Dataset) -> Path:
    """Download TF-GAN's Inception from TF-Hub into `data_dir`, unless it is there; returns its folder.

    Raises:
        UserError: if the download fails.
    """
    target = inception_folder(dataset.data_dir)
    if is_saved_model(target):
        return target
    import tensorflow_hub

    try:
        source = tensorflow_hub.resolve(tfgan.INCEPTION)
        with files.publish(target) as path:
            shutil.copytree(source, path)
    except (OSError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            f"{tfgan.INCEPTION} cannot be fetched ({type(error).__name__}: {str(error)[:200]}); fetch it elsewhere, "
            f"unpack it as {target}, or score with --classifier=domain"
        ) from None
    return target


CLASSIFIERS: dict[str, Callable[[Dataset, Callable[[str], None]], Classifier]] = {
    "domain": _domain,
    "inception": lambda dataset, _: _saved_model("inception", dataset),
}


def _saved_model(name: str, dataset: Dataset) -> Classifier:
    folder = classifier_files.folder_of(name, dataset)
    try:
        loaded = tf.saved_model.load(str(folder))
        call, side = _entry(loaded)
        shape = {output: value.shape for output, value in call(tf.zeros([2, side, side, 3])).items()}
    except (OSError, tf.errors.OpError, ValueError, TypeError, KeyError, AttributeError) as error:
        if errors.is_of_system(error):
            raise
        raise UserError(f"{folder} is damaged, or no classifier of images ({type(error).__name__})") from None
    if absent := {"logits", "pool_3"} - shape.keys():
        raise UserError(
            f"{folder} has no output {min(absent)}; a classifier has to have logits [n, k] and pool_3 [n, d]"
        )
    for output in ("logits", "pool_3"):
        if shape[output].rank < 2 or shape[output][0] != 2:
            raise UserError(f"{folder}: {output} of 2 images has the shape {shape[output]}, where it needs [2, k]")

    @tf.function(autograph=False, reduce_retracing=True)
    def look(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return call(tf.image.resize(to_unit(images), [side, side], "bilinear"))

    def predict(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = look(tf.constant(np.broadcast_to(images, (*images.shape[:3], 3))))  # grey: one channel three times
        return tuple(seen[output].numpy().reshape(len(images), -1) for output in ("pool_3", "logits"))

    digest, resize = classifier_files.digest(folder), f"bilinear to {side}x{side}"
    return Classifier(name, digest, resize, own_labels=False, batch_size=50, predict=predict)


def _entry(loaded: Any) -> tuple[Callable, int]:
    """The function that calls a SavedModel, and the side in pixels of its input images."""
    if "serving_default" in loaded.signatures:
        signature = loaded.signatures["serving_default"]
        ((key, spec),) = signature.structured_input_signature[1].items()
        # A signature alone does not keep its variables alive.
        return lambda images, _alive=loaded: signature(**{key: images}), spec.shape[1] or INCEPTION_SIDE
    return loaded, INCEPTION_SIDE
