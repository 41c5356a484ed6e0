"""Settings: what is refused, with which message."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wcgan_tf import models
from wcgan_tf.config import DECLARATIONS, Train, check_name, default_config, halvings, listing, photo_config, validate
from wcgan_tf.core.errors import UserError

CONFIGS = sorted(Path(__file__).parent.parent.glob("configs/*.py"))


def test_the_defaults_are_accepted():
    validate(default_config())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_file_is_accepted_and_documents_its_command(path):
    spec = importlib.util.spec_from_file_location("a_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    validate(module.get_config())
    assert f"--config {path.stem}" in module.__doc__


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("train.batch_size", 0, "train.batch_size is 0; it may be 2 to"),
        ("train.batch_size", -3, "train.batch_size is -3"),
        ("train.critic_steps", 0, "train.critic_steps"),
        ("train.critic_learning_rate", 0.0, "train.critic_learning_rate"),
        ("train.max_seconds", float("nan"), "train.max_seconds is nan"),
        ("train.ema_decay", 1.0, "train.ema_decay"),
        ("train.objective", "hinge", "train.objective is 'hinge'; it may be wasserstein or dcgan"),
        ("train.precision", "float16", "train.precision is float16, whose range is too small"),
        ("train.precision", "mixed_float16", "train.precision is float16, whose range is too small"),
        ("train.precision", "float64", "train.precision is 'float64'; it may be auto or float32 or mixed_bfloat16"),
        ("train.augment", "color,cutuot", "train.augment has 'cutuot'; it may be none, or some of color, translation"),
        ("train.augment", "", "train.augment has ''"),
        ("model.architecture", "dcgam", "model.architecture"),
        ("dataset.resolution", 30, "dataset.resolution is 30"),
        ("dataset.name", "../etc", "dataset.name is '../etc'"),
        ("dataset.data_dir", "", "dataset.data_dir is empty"),
        ("dataset.name", "a//b", "dataset.name is 'a//b'"),
        ("dataset.root", "photos", "dataset.root is set; give its images a name of their own"),
    ],
)
def test_an_impossible_value_is_named(name, value, words):
    config = default_config()
    section, key = name.split(".")
    setattr(getattr(config, section), key, value)
    with pytest.raises(UserError, match="^" + re.escape(words)):
        validate(config)


def test_a_whole_number_is_accepted_for_a_fraction():
    config = default_config()
    config.train.max_seconds = 900
    assert repr(config.train.max_seconds) == "900.0"
    assert repr(Train(gp_weight=10).gp_weight) == "10.0"
    validate(config)


def test_a_training_without_end_is_refused():
    config = default_config()
    config.train.max_seconds = 0.0
    with pytest.raises(UserError, match="has no end"):
        validate(config)


def test_a_misspelt_key_suggests_the_nearest():
    config = default_config()
    with pytest.raises(UserError, match=r"no setting train.batchsize; did you mean train.batch_size"):
        config.train.batchsize = 3


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("data_dir", "dataset.data_dir"),
        ("train.learning_rate", "train.generator_learning_rate"),
        ("model.batch_size", "train.batch_size"),
        ("trane.seed", "train.seed"),
        ("model.widht", "model.width"),
    ],
)
def test_a_misspelt_setting_suggests_the_nearest(name, nearest):
    with pytest.raises(UserError, match=f"no setting {name}; did you mean {nearest}?"):
        check_name(name)


def test_a_wrong_type_is_named():
    config = default_config()
    config.train.seed = "1"
    with pytest.raises(UserError, match=r"train.seed is '1'; it has to be of type int"):
        validate(config)
    with pytest.raises(UserError, match=r"the settings are dict; start the config file from default_config"):
        validate({})


def test_the_type_checker_knows_every_setting(tmp_path):
    (tmp_path / "mine.py").write_text("from wcgan_tf.config import Config\n\nConfig().train.gp_evry\n")
    command = [sys.executable, "-m", "mypy", str(tmp_path / "mine.py")]
    done = subprocess.run(command, cwd=CONFIGS[0].parent.parent, capture_output=True, text=True)
    assert 'has no attribute "gp_evry"; maybe "gp_every"?' in done.stdout


def test_the_choices_of_architectures_equal_their_table():
    assert set(DECLARATIONS["model.architecture"].choices) == models.ARCHITECTURES.keys()


def test_the_page_of_settings_lists_all():
    rows = [f"| `{name}` | `{default!r}` | {meaning} |" for name, default, meaning in listing()]
    page = (Path(__file__).parent.parent / "docs/settings.md").read_text()
    assert "\n".join(rows) in page
    own = photo_config()
    others = [f"| `{name}` | `{own.get(name)!r}` |" for name, default, _ in listing() if own.get(name) != default]
    assert page.endswith("\n".join(["|---|---|", *others, ""]))


@pytest.mark.parametrize(
    ("resolution", "times"), [(8, 1), (10, 1), (14, 1), (16, 2), (28, 2), (32, 3), (48, 3), (256, 6)]
)
def test_a_resolution_has_its_number_of_halvings(resolution, times):
    assert halvings(resolution) == times
    assert 4 <= resolution / 2**times <= 7


@pytest.mark.parametrize("resolution", [4, 7, 9, 18, 30, 100])
def test_a_resolution_that_cannot_be_halved_is_refused(resolution):
    with pytest.raises(UserError, match=f"dataset.resolution is {resolution}"):
        halvings(resolution)
