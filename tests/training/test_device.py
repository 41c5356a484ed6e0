"""Which device a process takes: the choice, by tables of environments; the placement, on logical CPUs."""

import os

import pytest
import tensorflow as tf
from conftest import run_python

from wcgan_tf.core.errors import UserError
from wcgan_tf.launching import ranks
from wcgan_tf.training.device import device_name, jit_compile, own_device


@pytest.mark.parametrize(
    ("slurm", "pinned", "threads"), [(None, 4, 4), ("2", 4, 2), ("8", 4, 4), ("", 3, 3), ("1", 1, 1)]
)
def test_threads_are_limited_by_slurm_and_pinning(monkeypatch, slurm, pinned, threads):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    if slurm is not None:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", slurm)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(pinned)))
    assert ranks.cpu_threads() == threads


class Recorded:
    """Replaces `tf.config` as on a machine with GPUs, and records the calls."""

    def __init__(self, gpus: int):
        self.gpus = [f"GPU {index}" for index in range(gpus)]
        self.visible: dict[str, list] = {}
        self.growing: list[str] = []

    def patch(self, monkeypatch):
        def set_visible(these, kind):
            self.visible[kind] = these if isinstance(these, list) else [these]

        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: self.gpus if kind == "GPU" else ["CPU"])
        monkeypatch.setattr(tf.config, "set_visible_devices", set_visible)
        monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grows: self.growing.append(gpu))
        monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda _: None)
        monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda _: None)
        monkeypatch.setattr(tf.distribute, "OneDeviceStrategy", lambda name: name)
        return self


@pytest.mark.parametrize(
    ("setting", "gpus", "local_id", "mine"),
    [
        ("auto", 1, None, 0),
        ("auto", 4, None, 0),
        ("auto", 4, "", 0),
        ("auto", 4, "0", 0),
        ("auto", 4, "3", 3),
        ("auto", 4, "4", 0),
        ("auto", 4, "7", 3),
        ("auto", 1, "5", 0),  # Slurm shows this task its own GPU only
        ("gpu", 2, "1", 1),
        ("auto", 0, "1", None),
        ("cpu", 4, "1", None),
    ],
)
def test_each_task_of_a_node_takes_its_own_gpu_and_hides_the_others(monkeypatch, setting, gpus, local_id, mine):
    monkeypatch.delenv("SLURM_LOCALID", raising=False)
    if local_id is not None:
        monkeypatch.setenv("SLURM_LOCALID", local_id)
    told = Recorded(gpus).patch(monkeypatch)
    strategy = own_device(setting)
    if mine is None:
        assert strategy == "/CPU:0"
        assert told.visible == {"GPU": []}
    else:
        assert strategy == "/GPU:0"  # the only one that TensorFlow sees from now on
        assert told.visible == {"GPU": [f"GPU {mine}"]}
        assert told.growing == [f"GPU {mine}"]


def test_a_variable_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "abc")
    with pytest.raises(UserError, match="SLURM_CPUS_PER_TASK is 'abc', which is no number"):
        ranks.cpu_threads()


def test_a_requested_gpu_that_is_missing_is_an_error(monkeypatch):
    Recorded(0).patch(monkeypatch)
    with pytest.raises(UserError, match=r"train.device is gpu, but TensorFlow sees none; type --config.train.device"):
        own_device("gpu")


def test_the_strategy_owns_one_device(device):
    assert device.num_replicas_in_sync == 1
    assert device_name(device) == "CPU:0"


PINNED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
from wcgan_tf.config import default_config
from wcgan_tf.data import prepared
from wcgan_tf.training.trainer import build
config = default_config()
config.model.width = 4
data = prepared.label_images(config.dataset, "train", 3)
gan = build(config, data, tf.distribute.OneDeviceStrategy("/CPU:2"))
gan.fit(tf.data.Dataset.range(2), verbose=0, shuffle=False)
networks = [*gan.generator.variables, *gan.critic.variables, *gan.average.variables]
optimizers = [*gan.generator_optimizer.variables, *gan.critic_optimizer.variables]
print({variable.value.device[-5:] for variable in networks + optimizers}, gan.step.device[-5:], int(gan.step))
"""


def test_all_variables_of_a_label_are_on_its_device(tmp_path):
    assert run_python("-c", PINNED, folder=tmp_path).stdout == "{'CPU:2'} CPU:2 2\n"


@pytest.mark.parametrize(("setting", "compiled"), [("auto", False), ("on", True), ("off", False)])
def test_xla_is_on_for_gpus_by_default(device, setting, compiled):
    assert jit_compile(setting, device) is compiled
