"""A worker of table.py: the train step in PyTorch, in one of its forms.  `python peer.py [channels_last] [bfloat16]`"""

import argparse
import sys
from pathlib import Path

import turns

sys.path.insert(0, str(Path(__file__).parents[1] / "gpu"))

WARMING_PERIODS = 5


def main(channels_last: bool, bfloat16: bool) -> None:
    import torch
    import torch_steps

    torch.set_num_threads(1)
    sizes = argparse.Namespace(side=32, width=32, batch_size=32)
    step = torch_steps.Step(sizes, "cpu", channels_last, bfloat16, graph=False)

    def take() -> int:
        step.period()
        return torch_steps.GP_EVERY * sizes.batch_size

    for _ in range(WARMING_PERIODS):
        take()
    turns.serve(lambda seconds: turns.images_per_second(take, seconds))


if __name__ == "__main__":
    main("channels_last" in sys.argv, "bfloat16" in sys.argv)
