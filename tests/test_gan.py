"""The train step: who moves when, what is random, and what the average is."""

import keras
import numpy as np
import tensorflow as tf

from wcgan_tf import datasets, models
from wcgan_tf.gan import WassersteinGAN

LABEL = 3


def make(config, label=LABEL, seed=0) -> WassersteinGAN:
    keras.utils.set_random_seed(seed)
    data = datasets.label_images(config.dataset, "train", label, "")
    generator, critic = models.build(config.model, 8, 1)
    average, _ = models.build(config.model, 8, 1)
    gan = WassersteinGAN(generator, critic, average, data.images, config.train, config.model.latent_size, False, label)
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3), jit_compile=False)
    return gan


def values(model, trainable=True) -> list[np.ndarray]:
    return [variable.numpy() for variable in (model.trainable_variables if trainable else model.variables)]


def same(before, after) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_critic_step_moves_only_the_critic_and_a_generator_step_only_the_generator(config):
    gan = make(config)
    _, latents, mixes, _ = gan._draw()
    real = tf.random.stateless_uniform([config.train.batch_size, 8, 8, 1], [1, 2], -1, 1)
    generator, critic = values(gan.generator), values(gan.critic)
    gan._critic_step(0, real, latents[0], mixes[0])
    assert same(generator, values(gan.generator))
    assert not same(critic, values(gan.critic))
    critic = values(gan.critic)
    gan._generator_step(latents[1])
    assert same(critic, values(gan.critic))
    assert not same(generator, values(gan.generator))


def test_a_step_draws_from_seed_label_and_step_alone(config):
    first, again = make(config)._draw(), make(config, seed=5)._draw()
    other_label, other_step = make(config, label=4)._draw(), make(config)
    other_step.step.assign(1)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    for other in (other_label, other_step._draw()):
        assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_draws_are_what_they_should_be(config):
    config.train.batch_size, config.train.critic_steps = 4096, 2
    gan = make(config)
    indices, latents, mixes, mirrored = gan._draw()
    assert indices.shape == (2, 4096)
    assert set(np.unique(indices)) == set(range(len(gan.images)))
    assert latents.shape == (3, 4096, config.model.latent_size)
    assert abs(np.mean(latents)) < 0.02
    assert abs(np.std(latents) - 1) < 0.02
    assert 0 <= np.min(mixes) < 0.01 < 0.99 < np.max(mixes) <= 1
    assert abs(np.mean(mirrored) - 0.5) < 0.05


def test_the_average_follows_with_its_ramp_batch_statistics_included(config):
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
            np.testing.assert_allclose(after, decay * value + (1 - decay), rtol=1e-5)


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


def test_progress_is_the_larger_share(config):
    config.train.max_steps, config.train.max_seconds = 100, 50.0
    gan = make(config)
    gan.step.assign(30)
    gan.seconds.assign(10.0)
    assert float(gan.progress()) == np.float32(0.3)
    gan.seconds.assign(40.0)
    assert float(gan.progress()) == np.float32(0.8)


def test_the_penalty_is_due_every_nth_critic_step(config):
    config.train.gp_every, config.train.critic_steps = 3, 2
    gan = make(config)
    _, latents, mixes, _ = gan._draw()
    real = tf.random.stateless_uniform([config.train.batch_size, 8, 8, 1], [1, 2], -1, 1)
    fake = gan.generator(latents[0])
    due = []
    for step in range(3):
        gan.step.assign(step)
        due += [float(gan._penalty(turn, real, fake, mixes[turn])) > 0 for turn in range(2)]
    assert due == [True, False, False, True, False, False]
    assert float(gan.means["gradient_penalty"].count) == 2


def test_the_same_steps_with_any_number_per_execution(config):
    config.train.critic_steps = 2
    ends = []
    for steps_per_execution in (1, 4):
        gan = make(config)
        gan.steps_per_execution = steps_per_execution
        gan.fit(tf.data.Dataset.range(6), verbose=0, shuffle=False)
        assert int(gan.step) == 6
        ends.append(values(gan.average, trainable=False) + values(gan.critic))
    assert same(*ends)
