"""Every setting, declared once: default (for the digits), allowed values and meaning.  No TensorFlow.

The files under `configs/` start from `default_config()` or `photo_config()` and change single settings.
"""

import dataclasses
import difflib
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wcgan_tf.core.errors import UserError

SHORTEST_SECONDS = 0.01
AUGMENTS = ("color", "translation", "cutout")


class Declaration(NamedTuple):
    """The meaning of a setting, its allowed strings, and the lower and upper bound of its number."""

    meaning: str
    choices: tuple[str, ...] = ()
    range: tuple[float, float] | None = None

    def allowed(self) -> str:
        """The allowed values in words; empty if every value of the type is allowed."""
        if self.range:
            return " to ".join(f"{end:,.0f}" if end == int(end) else f"{end:g}" for end in self.range)
        return " or ".join(self.choices)


def _setting(default: Any, meaning: str, *allowed: str, low: float | None = None, high: float = 0.0) -> Any:
    """A dataclass field with its `Declaration`; a number is bounded if `low` is given."""
    numbers = None if low is None else (low, high)
    return field(default=default, metadata={"declaration": Declaration(meaning, allowed, numbers)})


class Section:
    """A section of the settings; setting an undeclared name raises a UserError."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        check_name(f"{type(self).__name__.lower()}.{name}")
        fractional = isinstance(self.__dataclass_fields__[name].default, float)  # type: ignore[attr-defined]
        object.__setattr__(self, name, float(value) if fractional and type(value) is int else value)


@dataclass(slots=True)
class Dataset(Section):
    """The source and the size of the images."""

    name: str = _setting("digits", "digits, a data set of TensorFlow Datasets, or your own name for `root`")
    root: str = _setting("", "folder of images, ROOT/train/LABEL/ and ROOT/val/LABEL/; empty: none")
    val_labels: str = _setting("", "file that lists the labels of ROOT/val/*, unsorted images; empty: none")
    tfds_dir: str = _setting("", "folder of TensorFlow Datasets; empty: its own default")
    data_dir: str = _setting("data", "folder that `prepare` writes to")
    resolution: int = _setting(8, "side of the square images, in pixels", low=8, high=1024)
    bit_depth: int = _setting(16, "bits that images with 16 bits use, such as 12 of a camera", low=8, high=16)
    flip: bool = _setting(False, "mirror half of the images left to right")


@dataclass(slots=True)
class Model(Section):
    """The networks."""

    architecture: str = _setting("dcgan", "architecture of generator and critic", "dcgan", "resnet")
    width: int = _setting(128, "channels of the finest feature map", low=1, high=4096)
    critic_width: int = _setting(0, "channels of the critic's finest feature map; 0: model.width", low=0, high=4096)
    latent_size: int = _setting(64, "numbers per latent", low=1, high=65536)
    batch_deviation: bool = _setting(False, "give the critic the standard deviation over its batch")


@dataclass(slots=True)
class Train(Section):
    """The training of a label."""

    objective: str = _setting("wasserstein", "loss: Wasserstein, or DC-GAN's cross-entropy", "wasserstein", "dcgan")
    batch_size: int = _setting(32, "images per critic step and per generator step", low=2, high=65536)
    critic_steps: int = _setting(1, "critic steps per generator step", low=1, high=1000)
    penalty: str = _setting(
        "one_centred",
        "gradient penalty: of slopes other than 1 between real and generated images (WGAN-GP), or of slopes other "
        "than 0 at both (R1 and R2)",
        "one_centred",
        "zero_centred",
    )
    gp_weight: float = _setting(10.0, "weight of the gradient penalty", low=0.0, high=1e6)
    gp_every: int = _setting(1, "apply the penalty every n-th critic step, with n times the weight", low=1, high=1000)
    generator_learning_rate: float = _setting(1e-3, "of the generator's Adam", low=1e-9, high=1.0)
    critic_learning_rate: float = _setting(1e-3, "of the critic's Adam", low=1e-9, high=1.0)
    learning_rate_decay: str = _setting(
        "linear", "linear: to zero over the second half of the budget", "none", "linear"
    )
    ema_decay: float = _setting(0.995, "decay of the averaged generator, which is kept", low=0.0, high=0.999999)
    augment: str = _setting("none", f"augmentation of real and generated images: none, or some of {','.join(AUGMENTS)}")
    pretraining: float = _setting(
        0.0,
        "budget of one training on images of all labels, from which each label starts, as a multiple of a label's; "
        "0: none",
        low=0.0,
        high=1000.0,
    )
    classification_weight: float = _setting(
        0.0,
        "weight of the labels' cross-entropy that the critic also learns, on real images, in the pretraining; 0: none",
        low=0.0,
        high=1000.0,
    )
    max_steps: int = _setting(0, "budget in generator steps; 0: no limit", low=0, high=2**53)
    max_seconds: float = _setting(12.0, "budget in seconds, over all starts of a label; 0: no limit", low=0.0, high=1e9)
    checkpoint_seconds: float = _setting(300.0, "seconds between two checkpoints", low=1.0, high=1e9)
    eval_seconds: float = _setting(
        0.0, "seconds between two scores, of which the best is kept; 0: none", low=0.0, high=1e9
    )
    after_divergence: float = _setting(
        0.0,
        "0: a label with a number that is not finite ends; else it goes back once to its last checkpoint, and on with "
        "this factor for both learning rates",
        low=0.0,
        high=1.0,
    )
    steps_per_execution: int = _setting(
        0, "steps in one call of TensorFlow; 0: as many as take half a second", low=0, high=10000
    )
    jit_compile: str = _setting("auto", "compile the step with XLA; auto: on a GPU only", "auto", "on", "off")
    precision: str = _setting(
        "auto",
        "precision of the networks' layers; auto: mixed_bfloat16 if the GPU or CPU has it and is faster, else float32",
        "auto",
        "float32",
        "mixed_bfloat16",
    )
    device: str = _setting("auto", "auto: a GPU if there is one; gpu: an error without one", "auto", "cpu", "gpu")
    seed: int = _setting(0, "seed of weights, batches and latents", low=0, high=2**31 - 1)


@dataclass(slots=True)
class Evaluate(Section):
    """The scores of a combined model."""

    classifier: str = _setting("domain", "domain, inception, or the path of a SavedModel with logits and pool_3")
    num_per_label: int = _setting(25, "generated images per label", low=10, high=10**7)
    accuracy: bool = _setting(True, "compute the classification accuracy score, which trains a classifier")
    split: str = _setting("test", "split of the real images in the comparison", "test", "train")
    seed: int = _setting(0, "seed of the generated images", low=0, high=2**31 - 1)


@dataclass(slots=True)
class Config:
    """All settings."""

    dataset: Dataset = field(default_factory=Dataset)
    model: Model = field(default_factory=Model)
    train: Train = field(default_factory=Train)
    evaluate: Evaluate = field(default_factory=Evaluate)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The settings by section."""
        return dataclasses.asdict(self)

    def get(self, name: str) -> Any:
        """The value of a dotted name such as `train.seed`."""
        section, key = name.split(".")
        return getattr(getattr(self, section), key)


DATASET_NAME = r"[A-Za-z][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*(:[0-9.]+)?"  # its folders have it, too
SECTIONS: dict[str, type[Section]] = {"dataset": Dataset, "model": Model, "train": Train, "evaluate": Evaluate}
DECLARATIONS: dict[str, Declaration] = {
    f"{section}.{own.name}": own.metadata["declaration"]
    for section, kind in SECTIONS.items()
    for own in dataclasses.fields(kind)  # type: ignore[arg-type]
}


def default_config() -> Config:
    """The settings of the built-in digits."""
    return Config()


def photo_config() -> Config:
    """Settings for small photographs, the base of configs/: images show their label after minutes on one core."""
    config = default_config()
    config.dataset.resolution = 32
    config.dataset.flip = True
    config.model.width = 32
    config.model.latent_size = 128
    config.model.batch_deviation = True
    config.train.gp_weight = 2.0
    config.train.gp_every = 4
    config.train.generator_learning_rate = 5e-4
    config.train.pretraining = 3.0
    config.train.classification_weight = 1.0
    config.train.max_seconds = 900.0
    config.evaluate.num_per_label = 1000
    return config


def halvings(resolution: int) -> int:
    """The number of halvings from a side of `resolution` to a side of 4 to 7 pixels: 8 -> 1, 28 -> 2, 32 -> 3.

    Raises:
        UserError: if halving meets an odd side above 7, or `resolution` is below 8.
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


def validate(config: Config) -> None:
    """Check every setting.

    Raises:
        UserError: for the first invalid setting, with its value and the allowed values.
    """
    if not isinstance(config, Config):
        raise UserError(f"the settings are {type(config).__name__}; start the config file from default_config()")
    defaults = default_config()
    for name, declaration in DECLARATIONS.items():
        _check_value(name, config.get(name), defaults.get(name), declaration)
    augment = config.train.augment
    if augment != "none" and (unknown := [kind for kind in augment.split(",") if kind not in AUGMENTS]):
        raise UserError(
            f"train.augment has {unknown[0]!r}; it may be none, or some of {', '.join(AUGMENTS)} "
            f"separated by commas: --config.train.augment={','.join(AUGMENTS)}"
        )
    if not re.fullmatch(DATASET_NAME, config.dataset.name):
        raise UserError(
            f"dataset.name is {config.dataset.name!r}; a name has letters, digits, _ and -, a letter first, such as "
            "digits, cifar10, My-photos or, of TensorFlow Datasets, imagenet_resized/64x64"
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


def _check_value(name: str, value: Any, default: Any, declaration: Declaration) -> None:
    if type(value) is not type(default):
        raise UserError(f"{name} is {value!r}; it has to be of type {type(default).__name__}")
    if name == "train.precision" and value.endswith("float16") and "bfloat16" not in value:
        raise UserError(
            "train.precision is float16, whose range is too small for the squares in the gradient penalty; "
            "type --config.train.precision=mixed_bfloat16"
        )
    if declaration.choices and value not in declaration.choices:
        raise UserError(f"{name} is {value!r}; it may be {declaration.allowed()}: --config.{name}={default}")
    if declaration.range and not declaration.range[0] <= value <= declaration.range[1]:  # also refuses NaN
        raise UserError(f"{name} is {value}; it may be {declaration.allowed()}")


def check_name(name: str) -> None:
    """Check that a dotted name is a setting or a section.

    Raises:
        UserError: if it is neither; the message suggests the closest name.
    """
    names = [*SECTIONS, *DECLARATIONS]
    if name not in names:
        key = name.rpartition(".")[2]
        near = [own for own in names if key and own.endswith(key)] or difflib.get_close_matches(name, names, n=1)
        raise UserError(f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else ""))


def listing() -> list[tuple[str, Any, str]]:
    """(name, default, meaning with the allowed values) of each setting."""
    defaults = default_config()
    return [
        (name, defaults.get(name), own.meaning + (f"; {own.allowed()}" if own.allowed() else ""))
        for name, own in DECLARATIONS.items()
    ]
