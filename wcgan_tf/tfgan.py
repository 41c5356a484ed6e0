"""TF-GAN's evaluation functions, under TensorFlow releases that TF-GAN 2.1.0 itself does not import with.

`import tensorflow_gan` wants `tf.estimator`, which TensorFlow 2.16 dropped; its evaluation modules do not.  So the two
packages above them are stood in for by empty modules that only know their folders.
"""

import functools
import importlib
import importlib.util
import sys
import types


@functools.cache
def evaluation() -> types.ModuleType:
    """The module `tensorflow_gan.python.eval`.

    Raises:
        ImportError: where TF-GAN is not installed.
    """
    top = importlib.util.find_spec("tensorflow_gan")  # finds, and does not import
    if top is None or not top.submodule_search_locations:
        raise ImportError("TF-GAN is not installed; type: pip install tensorflow-gan")
    folders = list(top.submodule_search_locations)
    for name, paths in (
        ("tensorflow_gan", folders),
        ("tensorflow_gan.python", [f"{folder}/python" for folder in folders]),
    ):
        module = types.ModuleType(name)
        module.__path__ = paths
        sys.modules[name] = module
    return importlib.import_module("tensorflow_gan.python.eval")
