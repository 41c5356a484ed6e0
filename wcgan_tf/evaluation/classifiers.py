"""Images -> (features, logits), for scoring.  Adding a classifier: a function here, a row in CLASSIFIERS.

- `domain` is trained once on the prepared images, and kept beside them (domain.py).
- `inception` is the TF-Hub module that TF-GAN scores with; `wcgan_tf.prepare --classifier inception` fetches it, once.
- A path is any SavedModel that makes `logits` [n, k] and `pool_3` [n, d] of float32 images in -1..1, of 299x299 pixels
  where its signature does not say otherwise.
"""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from wcgan_tf.core import files
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.images import to_unit
from wcgan_tf.core.paths import ClassifierPaths, DatasetPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.evaluation import domain_classifier as domain
from wcgan_tf.evaluation import tfgan

INCEPTION_SIDE = 299


@dataclass(frozen=True)
class Classifier:
    """Something that looks at images.

    Attributes:
        name: `domain`, `inception`, or the path.
        digest: of what it was trained on and how, or of its files.
        resize: what is done to an image before it is looked at.
        own_labels: whether its logits are those of the data set's labels.
        batch_size: how many images it looks at together.
        look: uint8 [n, H, W, C] -> (features float32 [n, d], logits float32 [n, k]).
    """

    name: str
    digest: str
    resize: str
    own_labels: bool
    batch_size: int
    look: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def load(name: str, dataset, hint: str, say: Callable[[str], None]) -> Classifier:
    """A classifier by its name in CLASSIFIERS, or by its path.

    Args:
        dataset: the settings `config.dataset`.
        hint: the command that prepares the data set, to which a classifier can be added.
        say: gets a line where something takes long.

    Raises:
        UserError: where there is none, saying how to get it.
    """
    if name in CLASSIFIERS:
        return CLASSIFIERS[name](dataset, hint, say)
    if not (Path(name) / "saved_model.pb").is_file():
        raise UserError(f"there is no SavedModel in {name}; type {', '.join(CLASSIFIERS)}, or the path of one")
    return _saved_model(name, Path(name))


def kept_domain(dataset, hint: str) -> Classifier | None:
    """The kept network of these training images; None where there is none, or a damaged one.

    Raises:
        UserError: where the images are not there.
    """
    labels, digest = _domain_of(dataset, hint)
    network = _kept(dataset, labels, digest, hint)
    return network and _looking(network, digest)


def _domain(dataset, hint: str, say: Callable[[str], None]) -> Classifier:
    """The kept network of these training images, or a new one."""
    labels, digest = _domain_of(dataset, hint)
    paths = DatasetPaths.of(dataset)
    network = _kept(dataset, labels, digest, hint)
    if network is None:
        waiting = "another process trains the domain classifier; waiting for it"
        with files.only_one(paths.classifier(digest).parent, waiting=lambda: say(waiting)):
            network = _kept(dataset, labels, digest, hint) or _train_domain(dataset, labels, hint, say, digest)
    _point(paths.domain, {"digest": digest, "labels": len(labels)})
    return _looking(network, digest)


def _domain_of(dataset, hint: str) -> tuple[range, str]:
    """The labels of a data set, and the digest of a network that was trained on them."""
    labels = range(len(datasets.label_names(dataset, hint)))
    digests = [datasets.digest(dataset, "train", label, hint) for label in labels]
    return labels, files.digest_json([domain.RECIPE, dataset.flip, *digests])


def _kept(dataset, labels: range, digest: str, hint: str) -> keras.Model | None:
    shape = datasets.label_images(dataset, "train", 0, hint).images.shape[1:]
    return domain.kept(DatasetPaths.of(dataset).classifier(digest), shape, len(labels))


def _looking(network: keras.Model, digest: str) -> Classifier:
    look = lambda images: network.predict_on_batch(images)  # noqa: E731
    return Classifier("domain", digest, "none", own_labels=True, batch_size=500, look=look)


def _train_domain(dataset, labels: range, hint: str, say: Callable[[str], None], digest: str) -> keras.Model:
    """Train the network of these labels, and keep its weights under a digest."""
    paths = DatasetPaths.of(dataset)
    weights = paths.classifier(digest)
    images, numbers = _some(dataset, labels, hint)
    seen = domain.images_seen(len(images))
    say(f"training the domain classifier on {len(images)} images, {seen} looks; it is kept as {weights}")
    keras.utils.set_random_seed(0)
    network = domain.network(images.shape[1:], len(labels))
    domain.train(network, domain.shuffled(images, numbers, seed=0), seen // domain.BATCH_SIZE, dataset.flip)
    shutil.rmtree(paths.seen_by(digest), ignore_errors=True)  # another one saw that, whose weights were damaged
    with files.publish(weights) as path:
        network.save_weights(path)
    return network


def _point(pointer: Path, to: dict) -> None:
    """Write down which classifier is the present one, so that a training finds it without a look at all labels."""
    with contextlib.suppress(UserError):
        if files.read_json(pointer, "", ()) == to:  # perhaps in a folder that may only be read
            return
    files.write_json(pointer, to)


def _some(dataset, labels: range, hint: str) -> tuple[np.ndarray, np.ndarray]:
    """What the domain classifier is trained on, uint8 [n, H, W, C], with their labels int64 [n].

    Of each label the images that are not held out, of large sets fewer.
    """
    share = max(domain.MOST_IMAGES // len(labels), 1)
    parts = []
    for label in labels:
        images = datasets.label_images(dataset, "train", label, hint).images
        parts.append(images[~domain.held_out(np.arange(len(images)))][:share])
    return np.concatenate(parts), np.repeat(labels, [len(images) for images in parts])


def _inception(dataset, hint: str, say: Callable[[str], None]) -> Classifier:
    folder = ClassifierPaths(Path(dataset.data_dir)).inception
    if not (folder / "saved_model.pb").is_file():
        raise UserError(
            f"Inception is not in {folder}; where there is a network, run: {hint} --classifier=inception, and copy "
            "that folder to where there is none; or score with --classifier=domain"
        )
    return _saved_model("inception", folder)


def fetch_inception(dataset) -> Path:
    """Fetch TF-GAN's Inception from TF-Hub into `data_dir`, once; returns its folder.

    Raises:
        UserError: where it cannot be reached.
    """
    target = ClassifierPaths(Path(dataset.data_dir)).inception
    if target.is_dir():
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


CLASSIFIERS = {"domain": _domain, "inception": _inception}


def _saved_model(name: str, folder: Path) -> Classifier:
    try:
        loaded = tf.saved_model.load(str(folder))
        call, side = _entry(loaded)
        shape = {output: value.shape for output, value in call(tf.zeros([2, side, side, 3])).items()}
    except (OSError, tf.errors.OpError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{folder} is damaged, or no classifier of images ({type(error).__name__})") from None
    if absent := {"logits", "pool_3"} - shape.keys():
        raise UserError(
            f"{folder} has no output {min(absent)}; a classifier has to have logits [n, k] and pool_3 [n, d]"
        )
    for output in ("logits", "pool_3"):
        if shape[output].rank < 2 or shape[output][0] != 2:
            raise UserError(f"{folder}: {output} of 2 images has the shape {shape[output]}, where it needs [2, k]")
    step = tf.function(lambda images: call(_fit(images, side)), autograph=False, reduce_retracing=True)

    def look(images):
        seen = step(tf.constant(np.broadcast_to(images, (*images.shape[:3], 3))))  # grey ones three times
        return tuple(seen[output].numpy().reshape(len(images), -1) for output in ("pool_3", "logits"))

    digest = files.digest_json([files.digest_file(path) for path in sorted(folder.rglob("*")) if path.is_file()])
    resize = f"bilinear to {side}x{side}"
    return Classifier(name, digest, resize, own_labels=False, batch_size=50, look=look)


def _entry(loaded) -> tuple[Callable, int]:
    """How to call a SavedModel, and the side of the images that it takes."""
    if "serving_default" in loaded.signatures:
        signature = loaded.signatures["serving_default"]
        ((key, spec),) = signature.structured_input_signature[1].items()
        # A signature alone does not keep its variables alive.
        return lambda images, _alive=loaded: signature(**{key: images}), spec.shape[1] or INCEPTION_SIDE
    return loaded, INCEPTION_SIDE


def _fit(images, side: int):
    """uint8 [n, H, W, 3] -> float32 [n, side, side, 3] in -1..1."""
    return tf.image.resize(to_unit(images), [side, side], "bilinear")
