"""Train one conditional Wasserstein GAN on all labels, for the sum of their budgets, and export a generator per label.

    python benchmarks/same_budget/single.py --config cifar10 --config.train.max_seconds=180 --workdir runs/single

The budget counts core-seconds: on two cores, ten labels of 180 s have 900 s together.  A conditional generator asked
for one label is an ordinary one, with the BatchNorm of that label.  So the run looks like one of `launch`: combine,
evaluate and report take it.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from wcgan_tf import cli
from wcgan_tf.core import errors, machine, signals
from wcgan_tf.core.console import LineWriter
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.process import quiet_imports
from wcgan_tf.data import prepared
from wcgan_tf.runs import recorded_settings
from wcgan_tf.runs.label_run import open_run

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with quiet_imports():
    import tensorflow as tf
    from same_budget.conditional import ConditionalGAN

    from wcgan_tf import models
    from wcgan_tf.models.generator_export import export_generator
    from wcgan_tf.training.device import device_name, own_device, precision

EXECUTION_SECONDS = 0.5


def define_flags() -> None:
    cli.define_common_flags(workdir=True)


def main() -> int:
    config, run = cli.config(), cli.run_paths()
    if (config.model.architecture, config.train.objective) != ("dcgan", "wasserstein"):
        raise UserError("the conditional networks are those of model.architecture=dcgan, with the Wasserstein loss")
    if config.train.critic_steps != 1 or config.train.augment != "none":
        raise UserError("one GAN for all labels is trained with train.critic_steps=1 and train.augment=none only")
    labels = range(len(prepared.label_names(config.dataset)))
    images = [prepared.label_images(config.dataset, "train", label) for label in labels]
    for own in images:
        seen = recorded_settings.TrainingImages(own.images.shape, own.digest)
        recorded_settings.refuse_different(run.label(own.label), config.to_dict(), seen)
    if all(recorded_settings.finished(run.label(label), config) for label in labels):
        print("all labels: done before")
        return errors.DONE
    strategy = own_device(config.train.device)
    gan = ConditionalGAN(
        config,
        tf.constant(np.concatenate([own.images for own in images])),
        tf.constant(np.repeat(labels, [len(own.images) for own in images]).astype(np.int32)),
        len(labels),
        precision(config.train, strategy, config.dataset.resolution),
    )
    budget = config.train.max_seconds * len(labels) / machine.threads()
    if not train(gan, budget):
        print(f"all labels: diverged after {int(gan.step)} steps")
        return errors.DIVERGED
    stop, out = signals.StopRequests(), LineWriter()
    plain = models.generator(config.model, config.dataset.resolution, images[0].images.shape[-1])
    for label in labels:
        with open_run(config, images[label], run.label(label), stop, out) as own:
            gan.average.copy_to(plain, label)
            export_generator(plain, label, config.model.latent_size, own.paths.generator)
            facts = {"device": device_name(strategy), "threads": 1}  # `seconds` are core-seconds
            own.heartbeat.note(step=int(gan.step), seconds=config.train.max_seconds, progress=1.0, **facts)
            own.heartbeat.end("done")
    print(f"all labels: done after {int(gan.step)} steps and {budget:.0f} s on {machine.threads()} threads")
    return errors.DONE


def train(gan: ConditionalGAN, budget: float) -> bool:
    """Take steps for so many seconds, after one that is traced.  Returns whether every weight is still finite."""
    finite, steps = bool(gan.take(tf.constant(1))), 1
    began = time.monotonic()
    while finite and gan.progress < 1.0:
        before = time.monotonic()
        finite = bool(gan.take(tf.constant(steps)))
        now = time.monotonic()
        gan.progress.assign(min(1.0, (now - began) / budget))
        fitting = min(EXECUTION_SECONDS, began + budget - now) / (now - before) * steps
        steps = max(1, min(4 * steps, int(fitting)))
    return finite


if __name__ == "__main__":
    cli.run(main, define_flags)
