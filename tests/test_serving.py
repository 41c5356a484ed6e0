"""docs/serving.md: the model's signatures, called by TensorFlow alone, its command line, REST and gRPC."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import examples
import numpy as np
import pytest
import tensorflow as tf
from conftest import run_python

from wcgan_tf import models
from wcgan_tf.combined.model import ConditionalModel
from wcgan_tf.config import default_config
from wcgan_tf.core.paths import ModelPaths

pytestmark = pytest.mark.xdist_group("serving")  # they share a model

PAGE = (Path(__file__).parent.parent / "docs/serving.md").read_text()
LABELS = list(range(10))


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def line(start: str) -> str:
    return next(line for block in blocks("sh") for line in block.splitlines() if line.startswith(start))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with saved_models/digits, as after the demo."""
    where = tmp_path_factory.mktemp("served")
    settings = default_config().model
    settings.width = 4
    model = ConditionalModel(settings, LABELS, num_labels=10, resolution=8, channels=1)
    for label in LABELS:
        model.set_weights(label, models.generator(settings, 8, 1).get_weights())
    model.save(
        examples.manifest([examples.label_entry(label) for label in LABELS]),
        ModelPaths(where / "saved_models/digits").saved_model,
    )
    return where


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder / "saved_models/digits/1"))


@pytest.fixture(scope="module")
def expected(loaded):
    """The images of the page's request."""
    return loaded.signatures["generate"](labels=tf.constant([3, 3, 8]), seed=tf.constant(0, tf.int64))["images"].numpy()


def call(loaded, signature: str, inputs: dict) -> np.ndarray:
    """Call a signature with exactly these inputs."""
    return loaded.signatures[signature](**inputs)["images"].numpy()


def test_the_signatures_are_those_of_the_page(loaded):
    def specs(signature):
        function = loaded.signatures[signature]
        inputs = {
            name: (spec.dtype, spec.shape.as_list()) for name, spec in function.structured_input_signature[1].items()
        }
        outputs = {name: (spec.dtype, spec.shape.as_list()) for name, spec in function.structured_outputs.items()}
        return inputs, outputs

    images = {"images": (tf.uint8, [None, 8, 8, 1])}
    assert specs("serving_default")[0] == {"labels": (tf.int32, [None]), "latents": (tf.float32, [None, 64])}
    assert specs("generate") == ({"labels": (tf.int32, [None]), "seed": (tf.int64, [])}, images)
    assert specs("serving_default")[1] == images
    assert specs("manifest") == ({}, {"json": (tf.string, [])})


def test_the_pages_program_runs_with_only_tensorflow(folder, expected):
    code = "import sys\nsys.modules['wcgan_tf'] = sys.modules['keras'] = None\n" + blocks("python")[0]
    code += "\nimport numpy as np\nnp.save('images.npy', images)\nassert others.shape == [2, 8, 8, 1]\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(folder / "images.npy"), expected)


def test_saved_model_cli_shows_and_runs_the_model(folder, expected, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")

    def cli(start):
        program = str(Path(sys.executable).parent / "saved_model_cli")
        return run_python(program, *shlex.split(line(start))[1:], folder=folder).stdout

    shown = cli("saved_model_cli show")
    for signature in ("serving_default", "generate", "manifest"):
        assert f"signature_def['{signature}']" in shown
    cli("saved_model_cli run")
    np.testing.assert_array_equal(np.load(folder / "images.npy"), expected)


def test_the_container_is_given_a_folder_of_versions(folder):
    words = shlex.split(line("docker run"))
    source, target = words[words.index("-v") + 1].split(":")
    name = words[words.index("-e") + 1].removeprefix("MODEL_NAME=")
    assert target == f"/models/{name}"
    versions = [path for path in (folder / source.replace("$PWD/", "")).iterdir() if path.name.isdecimal()]
    assert [(path / "saved_model.pb").is_file() for path in versions] == [True]
    assert f"/v1/models/{name}:predict" in line("curl")


def test_the_rest_body_matches_the_signature(loaded, expected):
    words = shlex.split(line("curl"))
    body = json.loads(words[words.index("-d") + 1])
    wanted = loaded.signatures[body["signature_name"]].structured_input_signature[1]
    assert body.keys() == {"signature_name", "inputs"}
    assert body["inputs"].keys() == wanted.keys()
    inputs = {name: tf.constant(value, wanted[name].dtype) for name, value in body["inputs"].items()}
    np.testing.assert_array_equal(call(loaded, body["signature_name"], inputs), expected)


def test_the_grpc_request_matches_the_signature(loaded, expected):
    request = {}
    exec(blocks("python")[1].split("channel =")[0], request)  # up to where it needs a server
    message = request["request"]
    wanted = loaded.signatures[message.model_spec.signature_name].structured_input_signature[1]
    assert message.inputs.keys() == wanted.keys()
    inputs = {name: tf.make_ndarray(tensor) for name, tensor in message.inputs.items()}
    assert {name: array.dtype for name, array in inputs.items()} == {
        name: spec.dtype.as_numpy_dtype for name, spec in wanted.items()
    }
    inputs = {name: tf.constant(array) for name, array in inputs.items()}
    np.testing.assert_array_equal(call(loaded, message.model_spec.signature_name, inputs), expected)


def test_latents_of_another_width_are_an_error(loaded):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"latents have to be 64 wide, not of shape \[1 65\]"):
        loaded.signatures["serving_default"](labels=tf.constant([3]), latents=tf.zeros([1, 65]))


def test_the_demo_forgets_visitors(folder):
    """What gradio keeps of each: a copy of the page with its last images."""
    code = """
import socket, urllib.request
from wcgan_tf import serve_demo
serve_demo._stay_here()
from pathlib import Path
from wcgan_tf.combined import sampler
page = serve_demo._page(sampler.load(Path("saved_models/digits")), "digits")
with socket.socket() as free:
    free.bind((serve_demo.HOST, 0))
    port = free.getsockname()[1]
serve_demo._launch(page, port)
address = f"http://{serve_demo.HOST}:{port}/gradio_api/call/images"
for seed in range(serve_demo.MOST_VISITORS + 3):
    asked = urllib.request.Request(address, b'{"data": [[3], %d, 2, 3]}' % seed, {"Content-Type": "application/json"})
    event = urllib.request.urlopen(asked).read().decode().split('"')[3]
    said = urllib.request.urlopen(f"{address}/{event}").read()
    assert b"event: complete" in said and b"<figure>" in said, said
assert len(page.state_holder.session_data) == serve_demo.MOST_VISITORS
page.close()
"""
    run_python("-c", code, folder=folder, fresh=True)
