"""A worker of table.py and baselines.py: a train step in PyTorch, in one of its forms.

python peer.py [channels_last] [bfloat16]           # of configs/cifar10.py
python peer.py [channels_last] [bfloat16] dcgan     # of a frozen baseline: dcgan, wgan_gp
"""

import argparse
import sys
from pathlib import Path

import turns

sys.path.insert(0, str(Path(__file__).parents[1] / "gpu"))

WARMING_PERIODS = 5


def main(channels_last: bool, bfloat16: bool, method: str) -> None:
    import torch
    import torch_steps

    torch.set_num_threads(1)
    kind, batch_size, images = torch_steps.Step, 32, torch_steps.GP_EVERY * 32  # images of a period
    if method:
        from peer_baselines import METHODS

        kind = METHODS[method]
        batch_size, images = kind.batch_size, kind.critic_steps * kind.batch_size
    step = kind(argparse.Namespace(side=32, width=32, batch_size=batch_size), "cpu", channels_last, bfloat16, False)

    def take() -> int:
        step.period()
        return images

    for _ in range(WARMING_PERIODS):
        take()
    turns.serve(lambda seconds: turns.images_per_second(take, seconds))


if __name__ == "__main__":
    words = sys.argv[1:]
    methods = [word for word in words if word in ("dcgan", "wgan_gp")]
    main("channels_last" in words, "bfloat16" in words, *(methods or [""]))
