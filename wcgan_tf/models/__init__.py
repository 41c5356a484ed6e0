"""The table of architectures.

To add one, write a module here with a Generator and a Critic, and add a row here and its name in config.py.
"""

import collections
import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf
from keras.src.backend.common import global_state  # private; nothing public sets Keras's numbers alone

from wcgan_tf.config import Model
from wcgan_tf.core.errors import UserError
from wcgan_tf.models import dcgan, resnet

# Generators take (resolution, channels, width), critics (resolution, width, batch_norm=, batch_deviation=), and
# classes= if they classify, as a `feature_critic.FeatureCritic`.
ARCHITECTURES: dict[str, tuple[Callable, Callable]] = {
    "dcgan": (dcgan.Generator, dcgan.Critic),
    "resnet": (resnet.Generator, resnet.Critic),
}
NAMES = "object_name_uids"  # Keras's: how often each name was given


@contextlib.contextmanager
def numbered_anew() -> Iterator[None]:
    """Layers created in this block get the names that they would have in a new process, such as dense and dense_1.

    For every name that a variable has had, TensorFlow keeps 35 kB until the process ends, and Keras counts on and on.
    """
    before = global_state.get_global_attribute(NAMES)
    global_state.set_global_attribute(NAMES, collections.defaultdict(int))
    try:
        yield
    finally:
        global_state.set_global_attribute(NAMES, before)


@numbered_anew()
def generator(model: Model, resolution: int, channels: int, precision: str = "float32") -> keras.Model:
    """A new, built generator for the settings `config.model`: latents [N, z] -> images [N, H, W, C] in -1..1."""
    with computing_in(precision):
        network = ARCHITECTURES[model.architecture][0](resolution, channels, model.width)
        network(tf.zeros([1, model.latent_size]))  # the first call creates the variables
    return network


@numbered_anew()
def critic(
    model: Model,
    resolution: int,
    channels: int,
    precision: str = "float32",
    *,
    batch_norm: bool = False,
    classes: int = 0,
) -> keras.Model:
    """A new, built critic for the settings `config.model`: images [N, H, W, C] in -1..1 -> scores [N].

    With `classes`, its last variables are those of a classifier of its features.

    Raises:
        UserError: if there are classes, and critics of this architecture classify nothing.
    """
    kind, options = ARCHITECTURES[model.architecture][1], {"classes": classes} if classes else {}
    if classes and not hasattr(kind, "logits"):
        raise UserError(
            f"critics of the architecture {model.architecture} do not classify; "
            "type --config.train.classification_weight=0"
        )
    with computing_in(precision):
        width = model.critic_width or model.width
        network = kind(resolution, width, batch_norm=batch_norm, batch_deviation=model.batch_deviation, **options)
        images = tf.zeros([1, resolution, resolution, channels])
        network.built = True  # or Keras would trace it first, and TensorFlow never frees a traced custom gradient
        if classes:
            network.logits(network.features(images))
        network(images)
    return network


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers created in this block compute in `precision`; variables, normalization and output layers stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
