"""All labels as one model: `(labels, latents) -> images`, made of the labels' generators, saved, loaded, asked."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from wcgan_tf import draws, files, models
from wcgan_tf.errors import UserError
from wcgan_tf.images import to_uint8
from wcgan_tf.paths import ModelPaths

NO_GENERATOR = -1


def build(model, weights: dict[int, list[np.ndarray]], num_labels: int, resolution: int, channels: int):
    """The generators as one `tf.Module`, and its signatures.

    The weights are stacked, and one body serves every label: the graph does not grow with their number.  A label that
    is out of range, or has no generator, is an error and never a picture.

    Args:
        model: the settings `config.model`, the same for all.
        weights: label -> the weights of its generator, as `export.read_weights` gives them.

    Returns:
        (module, signatures), the only one being `serving_default(labels: int32 [n], latents: float32 [n, z]) ->
        {"images": uint8 [n, H, W, C]}`.
    """
    body = models.generator(model, resolution, channels)
    labels_present = sorted(weights)
    row_of_label = np.full(num_labels, NO_GENERATOR, np.int32)
    row_of_label[labels_present] = np.arange(len(labels_present))

    module = tf.Module()
    module.row_of_label = tf.constant(row_of_label)
    module.stacks = [
        tf.Variable(np.stack(values), trainable=False)
        for values in zip(*(weights[label] for label in labels_present), strict=True)
    ]
    trainable = [_position(variable, body.variables) for variable in body.trainable_variables]
    others = [_position(variable, body.variables) for variable in body.non_trainable_variables]

    def one_label(row, latents):
        values = [stack[row] for stack in module.stacks]
        images, _ = body.stateless_call([values[i] for i in trainable], [values[i] for i in others], latents)
        return to_uint8(images)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, name="labels"),
            tf.TensorSpec([None, model.latent_size], tf.float32, name="latents"),
        ]
    )
    def serving_default(labels, latents):
        rows = _rows(labels, latents, module.row_of_label)
        present, _ = tf.unique(rows)
        images = tf.zeros([tf.shape(latents)[0], resolution, resolution, channels], tf.uint8)

        def add(turn, images):
            where = tf.where(rows == present[turn])
            made = one_label(present[turn], tf.gather_nd(latents, where))
            return turn + 1, tf.tensor_scatter_nd_update(images, where, made)

        _, images = tf.while_loop(lambda turn, _: turn < tf.size(present), add, [0, images])
        return {"images": images}

    module.serving_default = serving_default
    return module, {"serving_default": serving_default}


def load(folder: Path, hint: str) -> "ConditionalModel":
    """A combined model from its folder, `saved_models/<name>/`.

    Raises:
        UserError: where there is none.
    """
    paths = ModelPaths(folder)
    manifest = files.read_json(paths.manifest, hint, ("dataset", "latent_size", "labels"))
    try:
        loaded = tf.saved_model.load(str(paths.saved_model))
    except (OSError, tf.errors.OpError):
        raise UserError(f"there is no SavedModel in {paths.saved_model}; run: {hint}") from None
    return ConditionalModel(loaded, manifest)


class ConditionalModel:
    """A loaded combined model.

    Attributes:
        manifest: what `combine` wrote beside it.
        labels: the labels that it has a generator of, with their names.
    """

    BATCH_SIZE = 500

    def __init__(self, loaded, manifest: dict):
        self._serve = loaded.signatures["serving_default"]
        self._loaded = loaded  # a signature does not keep its variables alive
        self.manifest = manifest
        self.labels: dict[int, str] = {label["label"]: label["name"] for label in manifest["labels"]}

    def refuse_other(self, dataset: str) -> None:
        """Raise a UserError where the model was trained on another data set than this one."""
        if (own := self.manifest["dataset"]) != dataset:
            raise UserError(f"the model was trained on {own}, not on {dataset}; type --config=configs/{own}.py")

    def draw(self, label: int, number: int, seed: int) -> np.ndarray:
        """Images of one label, uint8 [number, H, W, C], from latents that depend on (seed, label) alone."""
        shape = [number, self.manifest["latent_size"]]
        latents = draws.normal(shape, [seed, label])
        batches = tf.split(latents, [len(part) for part in _batches(number, self.BATCH_SIZE)])
        return np.concatenate(
            [self._serve(labels=tf.fill([len(batch)], label), latents=batch)["images"].numpy() for batch in batches]
        )


def _rows(labels, latents, row_of_label):
    """Each label's row in the stacks, or an error from the model itself where a label has none."""
    number, last = tf.shape(latents)[0], tf.size(row_of_label) - 1
    checks = [
        tf.debugging.Assert(tf.size(labels) == number, ["labels:", tf.size(labels), "latents:", number]),
        tf.debugging.Assert(tf.reduce_all((labels >= 0) & (labels <= last)), ["not in 0 to", last, "labels:", labels]),
    ]
    with tf.control_dependencies(checks):
        rows = tf.gather(row_of_label, labels)
    has_all = tf.reduce_all(rows != NO_GENERATOR)
    with tf.control_dependencies([tf.debugging.Assert(has_all, ["no generator of some of the labels:", labels])]):
        return tf.identity(rows)


def _position(variable, variables) -> int:
    return next(i for i, other in enumerate(variables) if other is variable)


def _batches(number: int, size: int) -> list[range]:
    return [range(start, min(start + size, number)) for start in range(0, number, size)]
