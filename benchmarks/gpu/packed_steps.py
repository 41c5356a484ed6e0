"""Several labels as one program, in JAX: do they train faster than in as many processes?

    python packed_steps.py --pack 1 4 16 [--form matrices] [--bfloat16] [--begin EPOCH] [--seconds 3]

Needs JAX alone.  The train step of configs/cifar10.py, written for one label and mapped over a further axis of all
that a label owns: weights, optimizers, images, random numbers.  A convolution whose weights differ by label is then a
grouped convolution, or, with --form=matrices, the products of as many matrices.

With --begin, seconds since 1970, several processes measure at the same time.
First it takes a few steps with three labels, one of them broken, and compares the others with what they are alone.
"""

import argparse
import functools
import itertools
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

LATENT_SIZE, GP_WEIGHT, GP_EVERY, EMA_DECAY = 128, 2.0, 4, 0.995
GENERATOR_RATE, CRITIC_RATE, BETA_2 = 5e-4, 1e-3, 0.9  # beta_1 is 0: Adam's first moment is the gradient
IMAGES = 500
CHECKED_STEPS, TOLERANCE = 3, 0.05  # of the losses; the weights' first steps have the sign of the smallest gradient
CALL_SECONDS = 0.3
NHWC = ("NHWC", "HWIO", "NHWC")


def convolution(form: str, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[N, H, W, C] -> [N, H/2, W/2, D], kernel: [4, 4, C, D]."""
    if form == "grouped":
        return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=NHWC)
    _, height, width, _ = x.shape
    x = jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    parts = [x[:, row : row + height : 2, column : column + width : 2] for row in range(4) for column in range(4)]
    return jnp.concatenate(parts, -1) @ kernel.reshape(-1, kernel.shape[-1])


def transposed_convolution(form: str, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[N, H, W, C] -> [N, 2H, 2W, D], kernel: [4, 4, C, D]."""
    if form == "grouped":
        around = [(2, 2), (2, 2)]
        return lax.conv_general_dilated(x, kernel, (1, 1), around, lhs_dilation=(2, 2), dimension_numbers=NHWC)
    count, height, width, _ = x.shape
    x = jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])

    def every_second(row: int, column: int) -> jax.Array:
        """Every second pixel of the result, from a row and a column on."""
        starts = itertools.product((row, row + 1), (column, column + 1))
        parts = [x[:, top : top + height, left : left + width] for top, left in starts]
        return jnp.concatenate(parts, -1) @ kernel[row::2, column::2].reshape(-1, kernel.shape[-1])

    rows = [jnp.stack([every_second(row, 0), every_second(row, 1)], axis=3) for row in (0, 1)]
    return jnp.stack(rows, axis=2).reshape(count, 2 * height, 2 * width, -1)


class Step:
    """The train step of one label; what the label owns is a dictionary of arrays."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.side, self.batch = arguments.side, arguments.batch_size
        self.widths, self.smallest = [], self.side
        while self.smallest > 7:
            self.widths.append(arguments.width << min(len(self.widths), 3))
            self.smallest //= 2
        kind = jnp.bfloat16 if arguments.bfloat16 else jnp.float32

        def computed(operation, x: jax.Array, kernel: jax.Array) -> jax.Array:
            return operation(x.astype(kind), kernel.astype(kind))

        self.down = functools.partial(computed, functools.partial(convolution, arguments.form))
        self.up = functools.partial(computed, functools.partial(transposed_convolution, arguments.form))
        self.product = functools.partial(computed, jnp.matmul)

    def start(self, label: jax.Array) -> dict:
        """What a label owns before its first step."""
        keys = iter(jax.random.split(jax.random.key(label), 4 + 2 * len(self.widths)))

        def weights(*shape: int) -> jax.Array:
            return 0.05 * jax.random.normal(next(keys), shape)

        wide, cells = self.widths[-1], self.smallest**2
        generator = {
            "dense": weights(LATENT_SIZE, wide * cells),
            "norms": [(jnp.ones(width), jnp.zeros(width)) for width in reversed(self.widths)],
            "ups": [weights(4, 4, *pair) for pair in itertools.pairwise([*reversed(self.widths), 3])],
            "bias": jnp.zeros(3),
        }
        critic = {
            "downs": [weights(4, 4, *pair) for pair in itertools.pairwise([3, *self.widths])],
            "biases": [jnp.zeros(width) for width in self.widths],
            "dense": weights((wide + 1) * cells, 1),
        }
        return {
            "generator": generator,
            "critic": critic,
            "average": jax.tree.map(jnp.copy, generator),  # each buffer is given away to the program, once
            "squares": jax.tree.map(jnp.zeros_like, {"generator": generator, "critic": critic}),
            "images": jax.random.uniform(next(keys), [IMAGES, self.side, self.side, 3], minval=-1.0),
            "key": next(keys),
            "losses": jnp.zeros(2),
        }

    def generate(self, weights: dict, latents: jax.Array) -> jax.Array:
        x = self.product(latents, weights["dense"]).reshape(-1, self.smallest, self.smallest, self.widths[-1])
        for kernel, (scale, shift) in zip(weights["ups"], weights["norms"], strict=True):
            x = x.astype(jnp.float32)
            x = (x - x.mean((0, 1, 2))) * lax.rsqrt(x.var((0, 1, 2)) + 1e-3) * scale + shift
            x = self.up(jax.nn.relu(x), kernel)
        return jnp.tanh(x.astype(jnp.float32) + weights["bias"])

    def scores(self, weights: dict, images: jax.Array) -> jax.Array:
        x = images
        for kernel, bias in zip(weights["downs"], weights["biases"], strict=True):
            x = self.down(x, kernel)
            x = jax.nn.leaky_relu(x + bias.astype(x.dtype), 0.2)
        deviation = jnp.sqrt(x.astype(jnp.float32).var(0) + 1e-8).mean().astype(x.dtype)
        x = jnp.concatenate([x, jnp.full_like(x[..., :1], deviation)], -1)
        return (x.reshape(len(x), -1).astype(jnp.float32) @ weights["dense"])[:, 0]

    def take(self, number: jax.Array, owned: dict) -> dict:
        """One step of the critic, one of the generator, one of the average; `number`: of the steps before."""
        keys = jax.random.split(jax.random.fold_in(owned["key"], number), 5)
        real = owned["images"][jax.random.randint(keys[0], [self.batch], 0, IMAGES)]
        mirrored = jax.random.bernoulli(keys[1], shape=[self.batch, 1, 1, 1])
        real = jnp.where(mirrored, real[:, :, ::-1], real)
        latents = jax.random.normal(keys[2], [2, self.batch, LATENT_SIZE])
        mix = jax.random.uniform(keys[3], [self.batch, 1, 1, 1])
        fake = self.generate(owned["generator"], latents[0])

        def penalty(critic: dict) -> jax.Array:
            slope = jax.grad(lambda images: self.scores(critic, images).sum())(mix * real + (1 - mix) * fake)
            return ((jnp.sqrt(jnp.maximum((slope**2).sum((1, 2, 3)), 1e-20)) - 1) ** 2).mean()

        def critic_loss(critic: dict) -> jax.Array:
            loss = self.scores(critic, fake).mean() - self.scores(critic, real).mean()
            # `number` is that of all labels: the condition stays a condition.
            due = number % GP_EVERY == 0
            return loss + GP_WEIGHT * GP_EVERY * lax.cond(due, penalty, lambda _: 0.0, critic)

        def generator_loss(generator: dict) -> jax.Array:
            return -self.scores(critic, self.generate(generator, latents[1])).mean()

        critic, critic_squares, loss = adam(critic_loss, owned, "critic", CRITIC_RATE, number)
        generator, generator_squares, other = adam(generator_loss, owned, "generator", GENERATOR_RATE, number)
        average = jax.tree.map(lambda old, new: old + (1 - EMA_DECAY) * (new - old), owned["average"], generator)
        squares = {"generator": generator_squares, "critic": critic_squares}
        losses = jnp.stack([loss, other])
        return owned | {
            "generator": generator,
            "critic": critic,
            "average": average,
            "squares": squares,
            "losses": losses,
        }


def adam(loss, owned: dict, network: str, rate: float, number: jax.Array) -> tuple[dict, dict, jax.Array]:
    """A step of Adam on a network; returns its weights, its second moments and the loss."""
    value, gradients = jax.value_and_grad(loss)(owned[network])
    squares = jax.tree.map(
        lambda old, gradient: BETA_2 * old + (1 - BETA_2) * gradient**2, owned["squares"][network], gradients
    )
    corrected = rate * jnp.sqrt(1 - BETA_2 ** (number + 1.0))
    weights = jax.tree.map(
        lambda weight, gradient, square: weight - corrected * gradient / (jnp.sqrt(square) + 1e-7),
        owned[network],
        gradients,
        squares,
    )
    return weights, squares, value


def start(step: Step, labels: list[int]) -> dict:
    """What labels own, each array with a first axis of labels."""
    return jax.vmap(step.start)(jnp.asarray(labels))


def program(step: Step):
    """(first step, number of steps, what labels own) -> what they own then."""
    all_labels = jax.vmap(step.take, in_axes=(None, 0))
    return jax.jit(lambda first, steps, owned: lax.fori_loop(first, first + steps, all_labels, owned), donate_argnums=2)


def checked(step: Step) -> str:
    """Whether labels beside a broken one are what they are alone."""
    run = program(step)
    owned = start(step, [0, 1, 2])
    owned["critic"]["dense"] = owned["critic"]["dense"].at[1].set(jnp.nan)
    together = np.asarray(run(0, CHECKED_STEPS, owned)["losses"])
    alone = np.stack([np.asarray(run(0, CHECKED_STEPS, start(step, [label]))["losses"])[0] for label in (0, 2)])
    broken = np.isnan(together[1]).all()
    equal = np.allclose(together[[0, 2]], alone, rtol=TOLERANCE, atol=TOLERANCE)
    return "each label as alone" if broken and equal else f"DIFFERS: {together}, alone {alone}"


def measure(step: Step, pack: int, seconds: float, begin: float) -> str:
    """A row of the table, without its title; what is measured begins at `begin`, if that is still to come."""
    run, owned, done = program(step), start(step, list(range(pack))), 0

    def take(steps: int) -> float:
        nonlocal owned, done
        began = time.perf_counter()
        owned = run(done, steps, owned)
        np.asarray(owned["losses"])
        done += steps
        return time.perf_counter() - began

    compiling = take(1)
    number = max(4, int(CALL_SECONDS / (take(4) / 4)))
    late = time.time() > begin > 0
    time.sleep(max(0.0, begin - time.time()))
    rates, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until or len(rates) < 3:
        rates.append(number / take(number))
    rate = statistics.median(rates)
    images = rate * pack * step.batch
    if late:
        print("it began late: the others ran alone for a while", flush=True)
    return f"{rate:9.1f} steps/s {images:11.0f} images/s of all  compiled in {compiling:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pack", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--form", choices=["grouped", "matrices"], default="grouped")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--unchecked", action="store_true")
    parser.add_argument("--begin", type=float, default=0.0)
    for name, default in (("side", 32), ("batch_size", 32), ("width", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    step = Step(arguments)
    size = f"{arguments.side}px-b{arguments.batch_size}-w{arguments.width}"
    form = f"{arguments.form}, {'bfloat16' if arguments.bfloat16 else 'float32'}"
    print(f"JAX {jax.__version__} on {jax.devices()[0].device_kind}", flush=True)
    rows = {
        f"{pack:2d} labels as one": functools.partial(measure, step, pack, arguments.seconds, arguments.begin)
        for pack in arguments.pack
    }
    if not arguments.unchecked:
        rows["three labels, one broken:"] = functools.partial(checked, step)
    for title, row in rows.items():
        try:
            print(f"{size} {form}, {title} {row()}", flush=True)
        except Exception as error:  # the other rows are still to come
            print(f"{size} {form}, {title} {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)


if __name__ == "__main__":
    main()
