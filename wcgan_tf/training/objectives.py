"""The table of objectives: the losses of generator and critic, and the settings that belong to them.

To add one: a row here, and its name in config.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wcgan_tf.training import losses


@dataclass(frozen=True)
class Objective:
    """The losses of generator and critic, and the network and optimizer settings that belong to them."""

    critic_loss_name: str  # name of the critic's loss, penalty included, in the logs
    critic_loss: Callable  # (real scores [N], fake scores [N]) -> scalar, without the penalty
    generator_loss: Callable  # fake scores [N] -> scalar
    wasserstein: bool  # whether the critic estimates the Wasserstein distance, with the gradient penalty
    batch_norm: bool  # whether the critic has BatchNorm
    adam_betas: tuple[float, float]  # (beta_1, beta_2) of both optimizers
    # standard deviation of the normally distributed initial weights; None: Keras's own initializers
    weight_deviation: float | None

    @property
    def logged(self) -> tuple[str, ...]:
        """Names of the metrics that a training logs."""
        own = ("wasserstein_estimate", "gradient_penalty", "gradient_norm") if self.wasserstein else ()
        return (*own, self.critic_loss_name, "generator_loss")


OBJECTIVES = {
    # Gulrajani et al. 2017, algorithm 1.
    "wasserstein": Objective(
        critic_loss_name="critic_loss",
        critic_loss=losses.critic_loss,
        generator_loss=losses.generator_loss,
        wasserstein=True,
        batch_norm=False,
        adam_betas=(0.0, 0.9),
        weight_deviation=None,
    ),
    # Radford et al. 2016, section 4; the learning rates and the batch size are settings, see configs/cifar10_dcgan.py.
    "dcgan": Objective(
        critic_loss_name="discriminator_loss",
        critic_loss=losses.discriminator_loss,
        generator_loss=losses.non_saturating_loss,
        wasserstein=False,
        batch_norm=True,
        adam_betas=(0.5, 0.999),
        weight_deviation=0.02,
    ),
}
