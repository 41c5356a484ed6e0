"""ImageNet-1k at 128x128, from a folder of photographs: a thousand labels, for a cluster.

    python -m wcgan_tf.prepare --config imagenet128 --config.dataset.root=/where/imagenet/is
    sbatch --gpus=1 slurm/pretrain.sbatch --config imagenet128      # 6 hours; then, when it is done:
    sbatch --ntasks=1000 --gpus-per-task=1 slurm/train.sbatch --config imagenet128

The folder is that of configs/imagenet64.py, and so are combine and evaluate.  Feature maps have 512 channels at 4x4 and
64 at 64x64.  A step takes 899 MiB of a GPU, in float32 and without its libraries (benchmarks/label_memory.py).  A
label's generator has 8.0 million weights, 32 MB: the combined model of a thousand takes 32 GB of memory.  No training
of this size has been done yet, and the budget is a guess.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "imagenet128"
    config.dataset.root = "imagenet"
    config.dataset.resolution = 128
    config.model.width = 64
    config.train.max_seconds = 7200.0
    config.evaluate.num_per_label = 50
    config.evaluate.accuracy = False  # 50 images of a label teach a classifier little, and it takes minutes
    return config
