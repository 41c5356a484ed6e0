"""The baseline: CIFAR-10 by DC-GAN, as Radford et al. 2016 (arXiv 1511.06434) train it, in the same time.

    python -m wcgan_tf.pipeline --config cifar10_dcgan

Images, widths and latents are those of configs/cifar10.py, and so is the budget, with a tenth of its pretraining for
each label; objective, optimizer, batch, initial weights and the discriminator's BatchNorm are those of Radford et al.,
without average, penalty, decay and pretraining.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "cifar10"
    config.model.batch_deviation = False
    config.train.objective = "dcgan"
    config.train.batch_size = 128
    config.train.generator_learning_rate = 2e-4
    config.train.critic_learning_rate = 2e-4
    config.train.learning_rate_decay = "none"
    config.train.pretraining = 0.0
    config.train.classification_weight = 0.0
    config.train.max_seconds = 1170.0  # of cifar10.py, with a tenth of the seconds of its pretraining
    config.train.ema_decay = 0.0
    return config
