"""Compare ways to compute a mixed batch with many generators of one architecture and stacked weights.

    python benchmarks/combined_forms.py
    python benchmarks/combined_forms.py --labels 100 --batch 64

Prints the median time, over several rounds in one process, of a batch of one label and of a mixed batch in each form.
"""

import argparse
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from wcgan_tf import models
from wcgan_tf.config import photo_config

SIDE, CHANNELS = 32, 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--labels", type=int, default=10)
    arguments.add_argument("--batch", type=int, default=256)
    arguments.add_argument("--rounds", type=int, default=15)
    chosen = arguments.parse_args()
    settings = photo_config().model
    body = models.generator(settings, SIDE, CHANNELS)
    stacks = [
        tf.Variable(variable + tf.random.uniform([chosen.labels, *variable.shape], maxval=0.1))
        for variable in body.variables
    ]
    latents = tf.random.normal([chosen.batch, settings.latent_size])
    mixed = tf.constant(np.random.default_rng(0).integers(chosen.labels, size=chosen.batch), tf.int32)
    alone = tf.function(body, autograph=False)
    calls = {"one label, its generator alone": lambda: alone(latents)}
    for name, form in FORMS.items():
        step = tf.function(form(body, stacks), autograph=False)
        calls[f"{name}, one label"] = lambda step=step: step(tf.zeros_like(mixed), latents)
        calls[f"{name}, mixed"] = lambda step=step: step(mixed, latents)
    seconds = {name: [] for name in calls}
    expected = None
    for name, call in list(calls.items()):
        try:
            images = call().numpy()
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:200]}")
            del calls[name], seconds[name]
            continue
        if name.endswith("mixed"):
            expected = images if expected is None else expected
            print(f"{name}: differs from the first form by {np.abs(images - expected).max():.2g} at most")
    for _ in range(chosen.rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - began)
    base = statistics.median(next(iter(seconds.values())))
    for name, all_seconds in seconds.items():
        median = statistics.median(all_seconds)
        print(f"{name:45} {1e3 * median:9.1f} ms  {median / base:6.2f}")


def values(body, stacks, row):
    """The weights of one label, as `stateless_call` takes them."""
    own = {id(variable): tf.gather(stack, row) for variable, stack in zip(body.variables, stacks, strict=True)}
    return [own[id(v)] for v in body.trainable_variables], [own[id(v)] for v in body.non_trainable_variables]


def scatter(body, stacks):
    """Loop over the labels present; gather their latents, scatter their images."""

    def images(labels, latents):
        present, _ = tf.unique(labels)
        made = tf.zeros([tf.shape(latents)[0], SIDE, SIDE, CHANNELS])

        def add(turn, made):
            where = tf.where(labels == present[turn])
            out, _ = body.stateless_call(*values(body, stacks, present[turn]), tf.gather_nd(latents, where))
            return turn + 1, tf.tensor_scatter_nd_update(made, where, out)

        return tf.while_loop(lambda turn, _: turn < tf.size(present), add, [0, made])[1]

    return images


def segments(body, stacks):
    """Sort by label, loop over the segments, restore the order of the images at the end."""

    def images(labels, latents):
        order = tf.argsort(labels, stable=True)
        present, _, counts = tf.unique_with_counts(tf.gather(labels, order))
        ends = tf.cumsum(counts)
        sorted_latents = tf.gather(latents, order)
        parts = tf.TensorArray(
            tf.float32, tf.size(present), infer_shape=False, element_shape=[None, SIDE, SIDE, CHANNELS]
        )

        def add(turn, parts):
            part = sorted_latents[ends[turn] - counts[turn] : ends[turn]]
            out, _ = body.stateless_call(*values(body, stacks, present[turn]), part)
            return turn + 1, parts.write(turn, out)

        parts = tf.while_loop(lambda turn, _: turn < tf.size(present), add, [0, parts])[1]
        return tf.gather(parts.concat(), tf.argsort(order))

    return images


def every_label(body, stacks):
    """vectorized_map over the labels present, the samples of each padded to the largest number."""

    def images(labels, latents):
        present, padded, where = by_label(labels, latents)
        read = [tf.convert_to_tensor(stack) for stack in stacks]  # vectorized_map cannot gather from a variable

        def one(arguments):
            row, z = arguments
            return body.stateless_call(*values(body, read, row), z)[0]

        return tf.gather_nd(tf.vectorized_map(one, (present, padded)), where)

    return images


def every_sample(body, stacks):
    """vectorized_map over the samples, each with its label's weights."""

    def images(labels, latents):
        read = [tf.convert_to_tensor(stack) for stack in stacks]

        def one(arguments):
            row, z = arguments
            return body.stateless_call(*values(body, read, row), z[None])[0][0]

        return tf.vectorized_map(one, (labels, latents))

    return images


def by_label(labels, latents):
    """The labels present; their latents, padded to [present, most samples, z]; the index of each sample in these."""
    present, index, counts = tf.unique_with_counts(labels)
    one_hot = tf.one_hot(index, tf.size(present), dtype=tf.int32)
    place = tf.reduce_sum(tf.cumsum(one_hot, exclusive=True) * one_hot, axis=1)
    where = tf.stack([index, place], axis=1)
    shape = [tf.size(present), tf.reduce_max(counts), tf.shape(latents)[1]]
    return present, tf.scatter_nd(where, latents, shape), where


def layer_by_layer(body, stacks, transposed_convolution):
    """Run the layers of the `dcgan` generator on all labels at once, as batched products [label, sample, ...]."""
    stack_of = {id(variable): stack for variable, stack in zip(body.variables, stacks, strict=True)}

    def images(labels, latents):
        present, x, where = by_label(labels, latents)

        def weights(variable):
            return tf.gather(stack_of[id(variable)], present)

        for block in body.blocks:
            if isinstance(block, keras.layers.Dense):
                x = tf.matmul(x, weights(block.kernel))
            elif isinstance(block, keras.layers.Reshape):
                x = tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1], *block.target_shape])
            elif isinstance(block, keras.layers.BatchNormalization):
                scale = weights(block.gamma) * tf.math.rsqrt(weights(block.moving_variance) + block.epsilon)
                shift = weights(block.beta) - weights(block.moving_mean) * scale
                x = x * scale[:, None, None, None] + shift[:, None, None, None]
            elif isinstance(block, keras.layers.ReLU):
                x = tf.nn.relu(x)
            else:
                x = transposed_convolution(x, weights(block.kernel))
        x = tf.tanh(x + weights(body.blocks[-1].bias)[:, None, None, None])
        return tf.gather_nd(x, where)

    return images


def products(x, kernels):
    """Transposed convolution, 4x4 and stride 2, as one product per label and a sum where outputs overlap.

    x [label, sample, h, w, c], kernels [label, 4, 4, out, c] -> [label, sample, 2 h, 2 w, out].
    """
    shape = tf.shape(x)
    present, number = shape[0], shape[1]
    _, _, height, width, channels = x.shape
    out = kernels.shape[3]
    flat = tf.reshape(x, [present, -1, channels])
    spread = tf.matmul(flat, tf.reshape(kernels, [present, 16 * out, channels]), transpose_b=True)
    # Row y of the input adds to rows 2 y - 1 to 2 y + 2 of the output: kernel rows (2, 3) land 2 below rows (0, 1).
    spread = tf.reshape(spread, [present, number, height, width, 2, 2, 2, 2, out])
    spread = tf.transpose(spread, [4, 6, 0, 1, 2, 5, 3, 7, 8])  # [down, right, label, sample, h, 2, w, 2, out]
    spread = tf.reshape(spread, [2, 2, present, number, 2 * height, 2 * width, out])
    whole = sum(
        tf.pad(spread[down, right], [[0, 0], [0, 0], [2 * down, 2 - 2 * down], [2 * right, 2 - 2 * right], [0, 0]])
        for down in range(2)
        for right in range(2)
    )
    return whole[:, :, 1 : 1 + 2 * height, 1 : 1 + 2 * width]


def groups(x, kernels):
    """As `products`, by one convolution with a group per label; zeros go between the input's pixels."""
    shape = tf.shape(x)
    present, number = shape[0], shape[1]
    _, _, height, width, channels = x.shape
    out = kernels.shape[3]
    wide = tf.reshape(tf.transpose(x, [1, 2, 3, 0, 4]), [number, height, 1, width, 1, present * channels])
    wide = tf.pad(wide, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
    wide = tf.reshape(wide, [number, 2 * height, 2 * width, present * channels])
    wide = tf.pad(wide, [[0, 0], [2, 1], [2, 1], [0, 0]])
    turned = tf.reshape(tf.transpose(kernels[:, ::-1, ::-1], [1, 2, 4, 0, 3]), [4, 4, channels, present * out])
    made = tf.nn.conv2d(wide, turned, strides=1, padding="VALID")
    return tf.transpose(tf.reshape(made, [number, 2 * height, 2 * width, present, out]), [3, 0, 1, 2, 4])


FORMS = {
    "loop, gather and scatter": scatter,
    "sorted, loop, concatenate": segments,
    "vectorized over labels": every_label,
    "vectorized over samples": every_sample,
    "batched products": lambda body, stacks: layer_by_layer(body, stacks, products),
    "grouped convolution": lambda body, stacks: layer_by_layer(body, stacks, groups),
}

if __name__ == "__main__":
    main()
