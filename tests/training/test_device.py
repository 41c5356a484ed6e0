"""Which device a process takes: the choice, by tables of environments; the placement, on logical CPUs."""

import pytest
import tensorflow as tf
from conftest import run_python

from wcgan_tf.config import Train
from wcgan_tf.core import machine
from wcgan_tf.core.errors import UserError
from wcgan_tf.launching.ranks import LOCAL_RANKS
from wcgan_tf.training import device as device_module
from wcgan_tf.training.device import device_name, jit_compile, own_device


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
    ("setting", "gpus", "environment", "mine"),
    [
        ("auto", 1, {}, 0),
        ("auto", 4, {}, 0),
        ("auto", 4, {"SLURM_LOCALID": ""}, 0),
        ("auto", 4, {"SLURM_LOCALID": "0"}, 0),
        ("auto", 4, {"SLURM_LOCALID": "3"}, 3),
        ("auto", 4, {"SLURM_LOCALID": "4"}, 0),
        ("auto", 4, {"SLURM_LOCALID": "7"}, 3),
        ("auto", 1, {"SLURM_LOCALID": "5"}, 0),  # Slurm shows this task its own GPU only
        ("auto", 4, {"OMPI_COMM_WORLD_LOCAL_RANK": "2"}, 2),
        ("auto", 4, {"OMPI_COMM_WORLD_LOCAL_RANK": "2", "SLURM_LOCALID": "0"}, 2),  # mpirun in a Slurm task
        ("auto", 4, {"OMPI_COMM_WORLD_LOCAL_RANK": "0", "SLURM_LOCALID": "3"}, 0),
        ("gpu", 2, {"SLURM_LOCALID": "1"}, 1),
        ("auto", 0, {"SLURM_LOCALID": "1"}, None),
        ("cpu", 4, {"SLURM_LOCALID": "1"}, None),
    ],
)
def test_each_task_of_a_node_takes_its_own_gpu_and_hides_the_others(monkeypatch, setting, gpus, environment, mine):
    for name in LOCAL_RANKS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = Recorded(gpus).patch(monkeypatch)
    strategy = own_device(setting)
    if mine is None:
        assert strategy == "/CPU:0"
        assert told.visible == {"GPU": []}
    else:
        assert strategy == "/GPU:0"  # the only one that TensorFlow sees from now on
        assert told.visible == {"GPU": [f"GPU {mine}"]}
        assert told.growing == [f"GPU {mine}"]


@pytest.mark.parametrize(
    ("settings", "strategy", "capability", "side", "expected"),
    [
        ({}, "GPU", (9, 0), 8, "mixed_bfloat16"),
        ({}, "GPU", (8, 0), 8, "mixed_bfloat16"),
        ({}, "GPU", (7, 5), 32, "float32"),
        ({}, "GPU", None, 32, "float32"),  # no NVIDIA
        ({"precision": "float32"}, "GPU", (9, 0), 32, "float32"),
        ({}, "CPU", "has it", 32, "mixed_bfloat16"),
        ({}, "CPU", "has it", 8, "float32"),
        ({}, "CPU", None, 32, "float32"),
        ({"jit_compile": "on"}, "CPU", "has it", 32, "float32"),
        ({"precision": "float32"}, "CPU", "has it", 32, "float32"),
        ({"precision": "mixed_bfloat16"}, "CPU", None, 8, "mixed_bfloat16"),
    ],
)
def test_bfloat16_is_the_default_where_it_is_faster(monkeypatch, settings, strategy, capability, side, expected):
    monkeypatch.setattr(device_module, "device_name", lambda _: f"{strategy}:0")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU"])
    details = {"compute_capability": capability} if capability else {}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    monkeypatch.setattr(machine, "computes_in_bfloat16", lambda: capability == "has it")
    assert device_module.precision(Train(**settings), strategy, side) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "{{function_node x}} OOM when allocating tensor"), True),
        (
            tf.errors.ResourceExhaustedError(None, None, "Out of memory while trying to allocate 17179869184 bytes"),
            True,
        ),
        (tf.errors.InternalError(None, None, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), True),
        (tf.errors.ResourceExhaustedError(None, None, "ckpt-3.index; No space left on device"), False),
        (tf.errors.ResourceExhaustedError(None, None, "x.pb; No space left on device\nHint: when OOM happens"), False),
        (tf.errors.ResourceExhaustedError(None, None, "x.pb; Disk quota exceeded\nHint: when OOM happens"), False),
        (tf.errors.InvalidArgumentError(None, None, "Incompatible shapes"), False),
        (tf.errors.NotFoundError(None, None, "/data/room/ckpt-3.index; No such file or directory"), False),
        (MemoryError("out of memory"), False),  # of the host
    ],
)
def test_no_memory_on_the_device_is_told_from_a_full_disk(error, expected):
    assert device_module.is_out_of_memory(error) == expected


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
