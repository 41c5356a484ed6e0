"""The pretraining of a run: whether it is done or needed, and its settings.  No TensorFlow.

One GAN is trained on images of all labels, once; each label's training then starts from its weights, which it reads
from a file.  Pretraining for few images: Wang et al. 2018, arXiv 1805.01677.
"""

import copy
from collections.abc import Iterable

from wcgan_tf.config import SHORTEST_SECONDS, Config, Train
from wcgan_tf.core.console import duration
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.data import mixture
from wcgan_tf.runs import label_status, recorded_settings


def own_settings(config: Config) -> Config:
    """The settings of the pretraining: those of a label, with `train.pretraining` times its budget."""
    own, share = copy.deepcopy(config), config.train.pretraining
    own.train.eval_seconds = 0.0
    if config.train.max_steps:
        own.train.max_steps = max(1, round(share * config.train.max_steps))
    if config.train.max_seconds:
        own.train.max_seconds = max(SHORTEST_SECONDS, share * config.train.max_seconds)
    return own


def budget_in_words(train: Train) -> str:
    """The budget of a training: `1000 steps`, `12 min 5 s`, or both."""
    parts = [f"{train.max_steps} steps"] if train.max_steps else []
    return " or ".join(parts + ([duration(train.max_seconds)] if train.max_seconds else []))


def is_done(config: Config, run: RunPaths) -> bool:
    """Whether the run has a pretraining that labels with these settings can start from, with at least its budget spent.

    Raises:
        UserError: if it was trained with other settings, or has diverged.
    """
    paths = run.pretraining
    if label_status.read(paths.status).state == "diverged":
        raise UserError(
            f"the pretraining in {paths.folder} diverged; delete that folder and type smaller learning rates, such as "
            "--config.train.critic_learning_rate=5e-4, or go without it: --config.train.pretraining=0"
        )
    recorded_settings.refuse_different(paths, config.to_dict())
    return recorded_settings.finished(paths, own_settings(config)) and bool(paths.saved_checkpoints())


def is_needed(config: Config, run: RunPaths, labels: Iterable[int], compare_images: bool = False) -> bool:
    """Whether some of the labels have not begun, and are to start from a pretraining that is not done.

    Args:
        compare_images: whether to check that it saw the images that are prepared now, by the records of all labels.

    Raises:
        UserError: as `is_done`, or if it saw other images.
    """
    begins = (label for label in labels if not run.label(label).saved_checkpoints())
    if not config.train.pretraining or next(begins, None) is None:
        return False
    done = is_done(config, run)
    if done and compare_images:
        _refuse_other_images(config, run)
    return not done


def _refuse_other_images(config: Config, run: RunPaths) -> None:
    if recorded_settings.read(run.pretraining).images.digest != mixture.digest(config.dataset):
        raise UserError(
            f"the pretraining in {run.pretraining.folder} saw other images than those that are prepared now; delete "
            "that folder to do it anew for the labels that have not begun, or type another --workdir"
        )
