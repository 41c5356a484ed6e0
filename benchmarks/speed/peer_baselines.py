"""The steps of the frozen baselines (../same_budget/methods.py) in PyTorch, for peer.py."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "gpu"))

import torch
import torch_steps
from torch import nn
from torch.nn import functional


class DCGAN(torch_steps.Step):
    """A discriminator with batch normalization, cross-entropy, no penalty, no average."""

    batch_size, critic_steps = 128, 1

    def networks(self, sizes: argparse.Namespace) -> tuple[nn.Sequential, nn.Sequential]:
        return torch_steps.networks(sizes.side, sizes.width, batch_norm=True, batch_deviation=False)

    def critic_loss(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()

    def generator_loss(self, fake: torch.Tensor) -> torch.Tensor:
        return functional.softplus(-fake).mean()

    def period(self) -> None:
        self.critic_step(penalised=False)
        self.generator_step()


class WGANGP(torch_steps.Step):
    """Five steps of the critic, each with the penalty, for one of the generator; no average."""

    batch_size, critic_steps = 64, 5

    def networks(self, sizes: argparse.Namespace) -> tuple[nn.Sequential, nn.Sequential]:
        return torch_steps.networks(sizes.side, sizes.width, batch_deviation=False)

    def period(self) -> None:
        for _ in range(self.critic_steps):
            self.critic_step(penalised=True)
        self.generator_step()


METHODS = {"dcgan": DCGAN, "wgan_gp": WGANGP}
