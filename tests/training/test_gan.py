"""The train step: which network it updates, what is random, and the average."""

import copy

import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.data import prepared
from wcgan_tf.training import augment, losses
from wcgan_tf.training.device import own_device
from wcgan_tf.training.gan import LabelGAN
from wcgan_tf.training.objectives import OBJECTIVES
from wcgan_tf.training.trainer import build

LABEL = 3


def make(config, label=LABEL, seed=None) -> LabelGAN:
    if seed is not None:
        config = copy.deepcopy(config)
        config.train.seed = seed
    data = prepared.label_images(config.dataset, "train", label)
    config = copy.deepcopy(config)
    config.train.jit_compile = "off"
    return build(config, data, own_device("cpu"))


def values(model, trainable=True) -> list[np.ndarray]:
    return [variable.numpy() for variable in (model.trainable_variables if trainable else model.variables)]


def fit(gan, steps):
    """The history of so many steps, each an execution."""
    gan.execution_steps = 1
    return gan.fit(tf.data.Dataset.range(steps), verbose=0, shuffle=False).history


def real_images(config):
    return tf.random.stateless_uniform([config.train.batch_size, 8, 8, 1], [1, 2], -1, 1)


def moved(before, after) -> int:
    """The number of variables that changed."""
    return sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def same(before, after) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


EVERY_WAY = pytest.mark.parametrize(
    ("objective", "architecture", "precision"),
    [
        ("wasserstein", "dcgan", "float32"),
        ("wasserstein", "resnet", "mixed_bfloat16"),
        ("dcgan", "dcgan", "float32"),
        ("dcgan", "resnet", "float32"),
    ],
)


def ways(config, objective, architecture, precision):
    config.train.objective, config.model.architecture = objective, architecture
    config.train.precision, config.model.batch_deviation = precision, True
    config.train.augment, config.dataset.flip = "color,translation,cutout", True
    return config


@EVERY_WAY
def test_a_critic_step_updates_only_the_critic_and_a_generator_step_only_the_generator(
    config, objective, architecture, precision
):
    gan = make(ways(config, objective, architecture, precision))
    draws = gan._draw()
    generator, critic = values(gan.generator), values(gan.critic)
    gan._critic_step(0, draws.indices[0], draws.latents[0], draws.mixes[0], draws.augments[0])
    assert same(generator, values(gan.generator))
    constant = objective == "wasserstein"  # the last bias: E[D(real)] - E[D(fake)] does not depend on it
    assert moved(critic, values(gan.critic)) == len(critic) - constant
    critic = values(gan.critic)
    gan._generator_step(draws.latents[1], draws.augments[1, 0])
    assert same(critic, values(gan.critic))
    assert moved(generator, values(gan.generator)) == len(generator)


@pytest.mark.parametrize("way", [("wasserstein", "resnet", "mixed_bfloat16"), ("dcgan", "dcgan", "float32")])
def test_a_few_steps_log_finite_means(config, way):
    gan = make(ways(config, *way))
    objective = config.train.objective
    logs = fit(gan, 3)
    assert set(logs) == set(OBJECTIVES[objective].logged)
    assert all(np.isfinite(value).all() for value in logs.values())
    assert gan.finite()


def test_a_step_compiled_by_xla_is_the_same_up_to_rounding(config):
    config.train.gp_every, config.train.augment, config.model.batch_deviation = 2, "color,translation,cutout", True
    config.train.critic_learning_rate = config.train.generator_learning_rate = 1e-4
    logs, weights = [], []
    for compiled in (False, True):
        gan = make(config)
        gan.jit_compile = compiled
        logs.append(fit(gan, 3))
        weights.append(values(gan.average, trainable=False) + values(gan.critic))
    for name in logs[0]:
        np.testing.assert_allclose(logs[1][name], logs[0][name], rtol=1e-3, atol=1e-4, err_msg=name)
    for plain, xla in zip(
        *weights, strict=True
    ):  # Adam's first steps scale the smallest gradients to the size of the others
        np.testing.assert_allclose(xla, plain, atol=3 * 2e-4)


def test_gradients_in_bfloat16_equal_those_in_float32_up_to_rounding(config):
    config.model.width, config.train.batch_size = 16, 64
    norms = []
    for precision in ("float32", "mixed_bfloat16"):
        config.train.precision = precision
        gan = make(config)
        draws = gan._draw()
        fake = gan.generator(draws.latents[0])
        norms.append(losses.gradient_norm(gan.critic, fake).numpy())
    assert norms[1].dtype == np.float32
    np.testing.assert_allclose(norms[1], norms[0], rtol=0.05)
    assert not np.array_equal(norms[0], norms[1])


def test_real_and_fake_images_are_augmented_alike_with_separate_draws(config, monkeypatch):
    seen = []

    def spy(images, draws, kinds, mirror):
        seen.append((draws.numpy().tobytes(), kinds, mirror))
        return images

    monkeypatch.setattr(augment, "augment", spy)
    config.train.augment, config.dataset.flip, config.train.critic_steps = "color,cutout", True, 2
    make(config).train_step(None)
    assert len(seen) == 5  # real and fake in two critic steps, fake in the generator's
    assert {(kinds, mirror) for _, kinds, mirror in seen} == {(("color", "cutout"), True)}
    assert len({draws for draws, _, _ in seen}) == 5


def test_dcgan_starts_from_its_published_initialization(config):
    config.train.objective, config.model.width = "dcgan", 32
    gan = make(config)
    kernels = [v for n in (gan.generator, gan.critic) for v in n.trainable_variables if v.name == "kernel"]
    assert len(kernels) == 4
    for kernel in kernels:
        assert np.std(kernel) == pytest.approx(0.02, rel=0.1)
    gammas = [v for v in gan.generator.trainable_variables if v.name == "gamma"]
    assert np.mean(gammas[0]) == pytest.approx(1, abs=0.02)
    assert np.std(gammas[0]) == pytest.approx(0.02, rel=0.5)
    assert (gan.critic_optimizer.beta_1, gan.critic_optimizer.beta_2) == (0.5, 0.999)


def test_a_weight_that_is_not_finite_is_noticed(config):
    gan = make(config)
    assert gan.finite()
    variable = gan.generator.variables[-1]
    variable.assign(tf.fill(variable.shape, np.inf))
    assert not gan.finite()


def test_a_step_draws_from_seed_label_and_step_alone(config):
    first, again = make(config)._draw(), make(config)._draw()
    other_label, other_seed, other_step = make(config, label=4)._draw(), make(config, seed=5)._draw(), make(config)
    other_step.step.assign(1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    for other in (other_label, other_seed, other_step._draw()):
        assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_draws_have_their_distributions(config):
    config.train.batch_size, config.train.critic_steps = 4096, 2
    gan = make(config)
    indices, latents, mixes, augments = gan._draw()
    assert indices.shape == (2, 4096)
    assert set(np.unique(indices)) == set(range(int(gan.count)))
    assert latents.shape == (3, 4096, config.model.latent_size)
    assert abs(np.mean(latents)) < 0.02
    assert abs(np.std(latents) - 1) < 0.02
    assert 0 <= np.min(mixes) < 0.01 < 0.99 < np.max(mixes) <= 1
    assert augments.shape == (3, 2, 4096, augment.DRAWS)
    assert 0 <= np.min(augments) < 0.01 < 0.99 < np.max(augments) < 1


def test_the_average_ramps_up_and_includes_batch_statistics(config):
    gan = make(config)
    start = values(gan.average, trainable=False)
    for variable in gan.generator.variables:
        variable.assign(tf.ones_like(variable))
    for step, decay in ((0, 1 / 10), (5, 6 / 15), (10**6, config.train.ema_decay)):
        for average, value in zip(gan.average.variables, start, strict=True):
            average.assign(value)
        gan.step.assign(step)
        gan._average_step()
        for after, value in zip(values(gan.average, trainable=False), start, strict=True):
            np.testing.assert_allclose(after, decay * value + (1 - decay), rtol=1e-5, atol=1e-7)


def test_the_learning_rate_falls_in_the_second_half(config):
    config.train.max_steps, config.train.generator_learning_rate = 100, 0.5
    gan = make(config)
    for step, rate in ((0, 0.5), (50, 0.5), (75, 0.25), (100, 0.0)):
        gan.step.assign(step)
        gan._set_learning_rates()
        assert float(gan.generator_optimizer.learning_rate) == np.float32(rate)
    config.train.learning_rate_decay = "none"
    gan = make(config)
    gan.step.assign(75)
    gan._set_learning_rates()
    assert float(gan.generator_optimizer.learning_rate) == 0.5


def test_progress_is_the_larger_share_of_steps_and_seconds(config):
    config.train.max_steps, config.train.max_seconds = 100, 50.0
    gan = make(config)
    gan.step.assign(30)
    gan.seconds.assign(10.0)
    assert float(gan.progress()) == np.float32(0.3)
    gan.seconds.assign(40.0)
    assert float(gan.progress()) == np.float32(0.8)


@pytest.mark.parametrize("penalty", losses.PENALTIES)
def test_a_penalty_every_nth_step_is_weighted_n_times(config, penalty):
    config.train.penalty = penalty
    config.train.gp_every, config.train.gp_weight, config.train.critic_steps = 3, 7.0, 1
    history = fit(make(config), 1)
    loss, estimate, value = (history[name][0] for name in ("critic_loss", "wasserstein_estimate", "gradient_penalty"))
    assert value > 0.01
    assert loss == pytest.approx(-estimate + 3 * 7.0 * value, rel=1e-4)


def test_the_penalty_is_due_every_nth_critic_step(config):
    config.train.gp_every, config.train.critic_steps = 3, 2
    gan = make(config)
    draws, real = gan._draw(), real_images(config)
    fake = gan.generator(draws.latents[0])
    due = []
    for step in range(3):
        gan.step.assign(step)
        due += [float(gan._penalty(turn, real, fake, draws.mixes[turn])) > 0 for turn in range(2)]
    assert due == [True, False, False, True, False, False]
    assert float(gan.means["gradient_penalty"].count) == 2


def test_steps_per_execution_does_not_change_the_result(config):
    config.train.critic_steps = 2
    ends = []
    for lengths in ([1] * 6, [4, 1, 4]):  # the last one is cut at the end of the budget
        gan = make(config)
        gan.make_train_function()
        for gan.execution_steps in lengths:
            gan.train_function(None)
        assert (gan.last.step, int(gan.step), gan.last.finite) == (6, 6, True)
        ends.append(values(gan.average, trainable=False) + values(gan.critic))
    assert same(*ends)
