"""Every setting: its default (the digits), and what it may be.  No TensorFlow here: a wrong setting is said at once.

The files under `configs/` start from `default_config()` or `photo_config()` and change what differs.
"""

import difflib
import re
from pathlib import Path

import ml_collections

from wcgan_tf.core.errors import UserError

CHOICES = {
    "model.architecture": ("dcgan", "resnet"),
    "train.objective": ("wasserstein", "dcgan"),
    "train.learning_rate_decay": ("none", "linear"),
    "train.jit_compile": ("auto", "on", "off"),
    "train.precision": ("float32", "mixed_bfloat16"),
    "train.device": ("auto", "cpu", "gpu"),
    "evaluate.split": ("test", "train"),
}
SHORTEST_SECONDS = 0.01
AUGMENTS = ("color", "translation", "cutout")
RANGES = {  # setting: (lowest, highest) allowed value
    "dataset.resolution": (8, 1024),
    "model.width": (1, 4096),
    "model.latent_size": (1, 65536),
    "train.batch_size": (2, 65536),
    "train.critic_steps": (1, 1000),
    "train.gp_weight": (0.0, 1e6),
    "train.gp_every": (1, 1000),
    "train.generator_learning_rate": (1e-9, 1.0),
    "train.critic_learning_rate": (1e-9, 1.0),
    "train.ema_decay": (0.0, 0.999999),
    "train.max_steps": (0, 2**53),
    "train.max_seconds": (0.0, 1e9),
    "train.checkpoint_seconds": (1.0, 1e9),
    "train.eval_seconds": (0.0, 1e9),
    "train.steps_per_execution": (1, 10000),
    "train.seed": (0, 2**31 - 1),
    "evaluate.num_per_label": (10, 10**7),
    "evaluate.seed": (0, 2**31 - 1),
}


def default_config() -> ml_collections.ConfigDict:
    """The settings of the built-in digits; every setting that exists is here."""
    return ml_collections.ConfigDict(
        {
            "dataset": {
                "name": "digits",  # "digits", one of TensorFlow Datasets, or your own name for `root`
                "root": "",  # a folder of images, <root>/train/<label>/ and <root>/val/<label>/; "" reads none
                "tfds_dir": "",  # where TensorFlow Datasets keeps its files; "" is its own default
                "data_dir": "data",  # where `prepare` writes
                "resolution": 8,  # side of the square images, in pixels
                "flip": False,  # mirror half of the images left to right
            },
            "model": {
                "architecture": "dcgan",  # or "resnet"
                "width": 128,  # channels of the finest feature map
                "latent_size": 64,
                "batch_deviation": False,  # the critic also sees how much the images of a batch differ
            },
            "train": {
                "objective": "wasserstein",  # or "dcgan", its discriminator's BCE
                "batch_size": 32,  # images per critic step and per generator step
                "critic_steps": 1,  # critic steps per generator step
                "gp_weight": 10.0,  # weight of the gradient penalty
                "gp_every": 1,  # penalise every n-th critic step only, with n times the weight
                "generator_learning_rate": 1e-3,
                "critic_learning_rate": 1e-3,
                "learning_rate_decay": "linear",  # to zero over the second half of the budget, or "none"
                "ema_decay": 0.995,  # of the averaged generator, the one that is kept
                "augment": "none",  # of real and generated images, such as "color,translation,cutout"
                "max_steps": 0,  # generator steps; 0: no limit
                "max_seconds": 12.0,  # of training, over all runs of the label; 0: no limit
                "checkpoint_seconds": 300.0,
                "eval_seconds": 0.0,  # how often the generator is scored, and kept where it is the best; 0 never
                "steps_per_execution": 10,  # steps inside one call of TensorFlow
                "jit_compile": "auto",  # XLA: "auto" is on for a GPU, off for a CPU
                "precision": "float32",  # or "mixed_bfloat16"
                "device": "auto",  # "gpu" (an error without one), "cpu", or "auto": a GPU where there is one
                "seed": 0,
            },
            "evaluate": {
                "classifier": "domain",  # or "inception", or the path of a SavedModel that makes logits and pool_3
                "num_per_label": 25,
                "accuracy": True,  # also the classification accuracy score, for which a classifier is trained
                "split": "test",  # of the real images that the others are held against
                "seed": 0,
            },
        }
    )


def photo_config() -> ml_collections.ConfigDict:
    """Settings that show the label after minutes on one core, on small photographs; where configs/ start from."""
    config = default_config()
    config.dataset.resolution = 32
    config.dataset.flip = True
    config.model.width = 32
    config.model.latent_size = 128
    config.model.batch_deviation = True
    config.train.gp_weight = 2.0
    config.train.gp_every = 4
    config.train.generator_learning_rate = 5e-4
    config.train.max_seconds = 900.0
    config.evaluate.num_per_label = 1000
    return config


get_config = default_config  # so that this file itself is the config file that `--config` defaults to


def halvings(resolution: int) -> int:
    """How often `resolution` can be halved until its side is 4 to 7 pixels: 8 -> 1, 28 -> 2, 32 -> 3.

    Raises:
        UserError: where halving meets an odd side first.
    """
    side, count = resolution, 0
    while side > 7 and side % 2 == 0:
        side, count = side // 2, count + 1
    if not 4 <= side <= 7 or count == 0:
        raise UserError(
            f"dataset.resolution is {resolution}, which halving does not bring to 4 to 7 pixels; "
            "type one that it does, such as --config.dataset.resolution=32 (or 8, 28, 48, 64, 128, 256)"
        )
    return count


def validate(config: ml_collections.ConfigDict) -> None:
    """Accept the settings, or say in one line which is wrong.

    Raises:
        UserError: naming the setting, its value and what it may be.
    """
    _same_keys(config, default_config())
    _validate_augment(config.train.augment)
    if config.train.precision.endswith("float16") and "bfloat16" not in config.train.precision:
        raise UserError(
            "train.precision is float16, whose range is too small for the squares in the gradient penalty; "
            "type --config.train.precision=mixed_bfloat16"
        )
    for name, allowed in CHOICES.items():
        if (value := get(config, name)) not in allowed:
            raise UserError(f"{name} is {value!r}; it may be {' or '.join(allowed)}: --config.{name}={allowed[0]}")
    for name, (low, high) in RANGES.items():
        if not low <= (value := get(config, name)) <= high:  # also refuses nan
            raise UserError(f"{name} is {value}; it may be {low:g} to {high:g}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*(/[a-z0-9_]+)*(:[0-9.]+)?", config.dataset.name):
        raise UserError(
            f"dataset.name is {config.dataset.name!r}; type a name such as digits, cifar10 or imagenet_resized/64x64"
        )
    if config.dataset.root and config.dataset.name == "digits":
        raise UserError("dataset.root is set; give its images a name of their own: --config.dataset.name=my_photos")
    if not config.dataset.data_dir:
        raise UserError("dataset.data_dir is empty; type --config.dataset.data_dir=data")
    if 0.0 < config.train.max_seconds < SHORTEST_SECONDS:
        raise UserError(
            f"train.max_seconds is {config.train.max_seconds:g}; it may be 0, or {SHORTEST_SECONDS} and more"
        )
    if not config.train.max_steps and not config.train.max_seconds:
        raise UserError("the training has no end: set --config.train.max_steps or --config.train.max_seconds")
    halvings(config.dataset.resolution)


def _validate_augment(augment: str) -> None:
    kinds = augment.split(",")
    if augment != "none" and (unknown := [kind for kind in kinds if kind not in AUGMENTS]):
        raise UserError(
            f"train.augment has {unknown[0]!r}; it may be none, or some of {', '.join(AUGMENTS)} "
            f"separated by commas: --config.train.augment={','.join(AUGMENTS)}"
        )


def get(config: ml_collections.ConfigDict, name: str):
    """The value of a dotted name such as `train.seed`."""
    section, key = name.split(".")
    return config[section][key]


def run_name(config_file: str | Path) -> str:
    """What a run of this config file is called: the file's name, or `digits` for the defaults in this module."""
    path = Path(config_file)
    return "digits" if path.resolve() == Path(__file__).resolve() else path.stem


def check_name(name: str) -> None:
    """Refuse the dotted name of a setting, or of a section of them, that does not exist.

    Raises:
        UserError: with the nearest name that does.
    """
    defaults = default_config()
    names = [*defaults, *(f"{section}.{key}" for section in defaults for key in defaults[section])]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise UserError(f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else ""))


def _same_keys(given, wanted, prefix: str = "") -> None:
    """Refuse keys that are missing, unknown or of another type, in a config file as on the command line."""
    for key in given:
        check_name(prefix + key)
    for key, default in wanted.items():
        if key not in given:
            raise UserError(f"the setting {prefix}{key} is missing; start the config file from default_config()")
        if type(given[key]) is not type(default):
            raise UserError(f"{prefix}{key} is {given[key]!r}; it has to be of type {type(default).__name__}")
        if isinstance(default, ml_collections.ConfigDict):
            _same_keys(given[key], default, f"{prefix}{key}.")
