"""The train step of configs/cifar10.py in PyTorch, in the forms that a user would try: steps and images per second.

    python torch_steps.py --side 32 --batch_size 32 --width 32 [--form eager] [--seconds 3]

Needs PyTorch alone.  The same networks, losses, penalty in every fourth step, average and optimizer as this project's;
the images are on the device, and batches are drawn there.  Four steps are a period, which a CUDA graph records whole.
"""

import argparse
import copy
import itertools
import statistics
import time

import torch
from torch import nn

LATENT_SIZE, GP_WEIGHT, GP_EVERY, EMA_DECAY = 128, 2.0, 4, 0.995
GENERATOR_RATE, CRITIC_RATE, BETAS = 5e-4, 1e-3, (0.0, 0.9)
IMAGES = 500
WARMING_PERIODS = 5


class BatchDeviation(nn.Module):
    """One more channel: the standard deviation over the batch, averaged to one number."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        deviation = (features.float().var(0, unbiased=False) + 1e-8).sqrt().mean().to(features.dtype)
        return torch.cat([features, deviation.expand(len(features), 1, *features.shape[2:])], 1)


def networks(
    side: int, width: int, *, batch_norm: bool = False, batch_deviation: bool = True
) -> tuple[nn.Sequential, nn.Sequential]:
    """Generator and critic: convolutions of stride 2 between `side` and 4 to 7 pixels."""
    smallest, widths = side, []
    while smallest > 7:
        widths.append(width << min(len(widths), 3))
        smallest //= 2
    wide = widths[-1]
    generator = [nn.Linear(LATENT_SIZE, wide * smallest**2, bias=False), nn.Unflatten(1, (wide, smallest, smallest))]
    generator += [nn.BatchNorm2d(wide), nn.ReLU()]
    for before, after in itertools.pairwise(reversed(widths)):
        generator += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    generator += [nn.ConvTranspose2d(widths[0], 3, 4, 2, 1), nn.Tanh()]
    critic = []
    for before, after in itertools.pairwise([3, *widths]):
        critic += [nn.Conv2d(before, after, 4, 2, 1)]
        critic += [nn.BatchNorm2d(after)] if batch_norm and before > 3 else []
        critic += [nn.LeakyReLU(0.2)]
    critic += [BatchDeviation()] if batch_deviation else []
    critic += [nn.Flatten(), nn.Linear((wide + batch_deviation) * smallest**2, 1)]
    return nn.Sequential(*generator), nn.Sequential(*critic)


class Step:
    """Generator, critic, average and optimizers, and the step that trains them.

    Args:
        channels_last: the layout of images and weights in memory.
        bfloat16: whether layers compute in it, by autocast.
        graph: whether a CUDA graph will record the step.
    """

    def __init__(self, sizes: argparse.Namespace, device: str, channels_last: bool, bfloat16: bool, graph: bool):
        torch.manual_seed(0)
        self.batch, self.device, self.graph = sizes.batch_size, device, graph
        layout = torch.channels_last if channels_last else torch.contiguous_format
        images = torch.rand(IMAGES, 3, sizes.side, sizes.side, device=device) * 2 - 1
        self.images = images.to(memory_format=layout)
        generator, critic = self.networks(sizes)
        self.generator = generator.to(device, memory_format=layout)
        self.critic = critic.to(device, memory_format=layout)
        self.average = copy.deepcopy(self.generator)
        options = {"betas": BETAS, "fused": True} | ({"capturable": True} if graph else {})
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), GENERATOR_RATE, **options)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), CRITIC_RATE, **options)
        self.cast = lambda: torch.autocast(device, torch.bfloat16, enabled=bfloat16, cache_enabled=not graph)

    def networks(self, sizes: argparse.Namespace) -> tuple[nn.Sequential, nn.Sequential]:
        return networks(sizes.side, sizes.width)

    def critic_loss(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return fake.mean() - real.mean()

    def generator_loss(self, fake: torch.Tensor) -> torch.Tensor:
        return -fake.mean()

    def take(self, penalised: bool) -> None:
        """One step of the critic, one of the generator, one of the average."""
        self.critic_step(penalised)
        self.generator_step()
        with torch.no_grad():
            averages, weights = list(self.average.parameters()), list(self.generator.parameters())
            torch._foreach_lerp_(averages, weights, 1 - EMA_DECAY)
            for own, other in zip(self.average.buffers(), self.generator.buffers(), strict=True):
                own.copy_(other)

    def critic_step(self, penalised: bool) -> None:
        real = self.images[torch.randint(IMAGES, (self.batch,), device=self.device)]
        mirrored = torch.rand(self.batch, 1, 1, 1, device=self.device) < 0.5
        real = torch.where(mirrored, real.flip(3), real)
        with self.cast():
            with torch.no_grad():
                fake = self.generator(self.latents()).float()
            loss = self.critic_loss(self.critic(real).float(), self.critic(fake).float())
            if penalised:
                loss = loss + GP_WEIGHT * GP_EVERY * self.penalty(real, fake)
        self.minimise(self.critic_optimizer, loss)

    def generator_step(self) -> None:
        self.critic.requires_grad_(False)  # else its gradients are computed too, for nothing
        with self.cast():
            loss = self.generator_loss(self.critic(self.generator(self.latents())).float())
        self.minimise(self.generator_optimizer, loss)
        self.critic.requires_grad_(True)

    def penalty(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        mix = torch.rand(self.batch, 1, 1, 1, device=self.device)
        between = (real + mix * (fake - real)).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).float().sum(), between, create_graph=True)
        return ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()

    def latents(self) -> torch.Tensor:
        return torch.randn(self.batch, LATENT_SIZE, device=self.device)

    def minimise(self, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=not self.graph)
        loss.backward()
        optimizer.step()

    def period(self) -> None:
        """GP_EVERY steps, the first with the penalty."""
        for turn in range(GP_EVERY):
            self.take(penalised=turn == 0)


def recorded(step: Step):
    """The period as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step.period()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step.period()
    return graph.replay


def rate(period, device: str, seconds: float) -> float:
    """Steps per second, the median of stretches of a tenth of a second and more."""
    finish = torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def stretch(periods: int) -> float:
        began = time.perf_counter()
        for _ in range(periods):
            period()
        finish()
        return time.perf_counter() - began

    stretch(WARMING_PERIODS)
    periods = max(1, int(0.1 / (stretch(WARMING_PERIODS) / WARMING_PERIODS)))
    rates, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until or len(rates) < 3:
        rates.append(GP_EVERY * periods / stretch(periods))
    return statistics.median(rates)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("side", 32), ("batch_size", 32), ("width", 32)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--form", choices=["graphs", "eager", "all"], default="all")
    parser.add_argument("--seconds", type=float, default=3.0)
    sizes = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"PyTorch {torch.__version__} on {where}", flush=True)
    for graph, bfloat16, channels_last in itertools.product(*3 * [(True, False)]):
        if (graph and device == "cpu") or sizes.form == ("eager" if graph else "graphs"):
            continue
        words = {"CUDA graph": graph, "bfloat16": bfloat16, "channels_last": channels_last}
        form = ", ".join(word for word, there in words.items() if there) or "eager"
        title = f"{sizes.side}px-b{sizes.batch_size}-w{sizes.width:<19} PyTorch, {form:35s}"
        try:
            step = Step(sizes, device, channels_last, bfloat16, graph)
            steps = rate(recorded(step) if graph else step.period, device, sizes.seconds)
        except Exception as error:  # a form that this release or this card cannot do
            print(title, f"{type(error).__name__}: {str(error).splitlines()[0][:100]}", flush=True)
            continue
        print(f"{title} {steps:9.1f} steps/s {steps * sizes.batch_size:11.0f} images/s", flush=True)


if __name__ == "__main__":
    main()
