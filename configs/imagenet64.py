"""ImageNet-1k at 64x64, from a folder of photographs: a thousand labels, for a cluster.

    python -m wcgan_tf.prepare --config imagenet64 --config.dataset.root=/where/imagenet/is
    sbatch --gpus=1 slurm/pretrain.sbatch --config imagenet64       # 3 hours; then, when it is done:
    sbatch --ntasks=1000 --gpus-per-task=1 slurm/train.sbatch --config imagenet64
    python -m wcgan_tf.combine --config imagenet64
    python -m wcgan_tf.evaluate --config imagenet64

The folder has the usual layout: <root>/train/n01440764/*.JPEG and <root>/val/n01440764/*.JPEG.  If val is as its
archive unpacks, type also --config.dataset.val_labels=<ILSVRC2012_validation_ground_truth.txt of the development kit>.
If there is a synset_words.txt or LOC_synset_mapping.txt, the words become the label names.  If TensorFlow Datasets has
prepared ImageNet, type instead --config.dataset.name=imagenet2012 --config.dataset.root= --config.dataset.tfds_dir=<its
folder>.
"""

from wcgan_tf.config import Config, photo_config


def get_config() -> Config:
    config = photo_config()
    config.dataset.name = "imagenet64"
    config.dataset.root = "imagenet"
    config.dataset.resolution = 64
    config.model.width = 64
    config.train.max_seconds = 3600.0
    config.evaluate.num_per_label = 50
    config.evaluate.accuracy = False  # 50 images of a label teach a classifier little, and it takes minutes
    return config
