"""ImageNet-1k at 256x256, from a folder of photographs: a thousand labels, for a cluster.

    python -m wcgan_tf.prepare --config imagenet256 --config.dataset.root=/where/imagenet/is
    sbatch --gpus=1 slurm/pretrain.sbatch --config imagenet256      # 12 hours; then, when it is done:
    sbatch --ntasks=1000 --gpus-per-task=1 slurm/train.sbatch --config imagenet256

The folder is that of configs/imagenet64.py, and so are combine and evaluate.  Feature maps have 256 channels at 4x4 and
32 at 128x128.  A step takes 1,482 MiB of a GPU, in float32 and without its libraries (benchmarks/label_memory.py).  A
label's generator has 3.3 million weights, 13 MB: the combined model of a thousand takes 13 GB of memory.  No training
of this size has been done yet, and the budget is a guess.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "imagenet256"
    config.dataset.root = "imagenet"
    config.dataset.resolution = 256
    config.model.width = 32
    config.train.max_seconds = 14400.0
    config.evaluate.num_per_label = 50
    config.evaluate.accuracy = False  # 50 images of a label teach a classifier little, and it takes minutes
    return config
