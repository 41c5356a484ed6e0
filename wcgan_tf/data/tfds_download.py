"""Downloads a data set of TensorFlow Datasets, and says first what would keep it from that."""

from pathlib import Path
from typing import Any

from wcgan_tf.config import Dataset
from wcgan_tf.core import folder_lock, network
from wcgan_tf.core.console import print_now
from wcgan_tf.core.errors import UserError


def download(builder: Any, dataset: Dataset) -> None:
    """Download and prepare the data set, in one process at a time.

    Raises:
        UserError: if it cannot be downloaded, or lies near `dataset.tfds_dir`.
    """
    missing = f"{dataset.name} is not prepared in {builder.data_dir}; type --config.dataset.tfds_dir="
    if elsewhere := _prepared_near(dataset):
        raise UserError(f"{missing}{elsewhere}, which has it")
    missing += "<the folder that has it>"
    if host := network.unreachable(builder.url_infos):
        raise UserError(f"{missing} (it cannot be downloaded: {host} cannot be reached from here)")
    print_now(f"downloading {dataset.name} with TensorFlow Datasets into {builder.data_dir}")
    waiting = f"another process prepares {dataset.name}; waiting for it"
    with folder_lock.lock(Path(builder.data_dir).parent, print_now, waiting):
        try:
            builder.download_and_prepare()  # returns at once if another process has done it
        except Exception as error:  # such as no network, a full disk, a manual download
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            raise UserError(f"{missing} (it could not be downloaded: {reason})") from None


def _prepared_near(dataset: Dataset) -> Path | None:
    """The folder above or in `tfds_dir` that has the data set: one level too deep or too high is easily typed."""
    import tensorflow_datasets as tfds

    given = Path(dataset.tfds_dir).absolute()
    if not dataset.tfds_dir or not given.is_dir():
        return None
    inside = (path for path in given.iterdir() if path.is_dir())
    name = dataset.name.split("/")[0].split(":")[0]
    near = (path for path in (*given.parents[:3], *inside) if (path / name).is_dir())
    return next((path for path in near if tfds.builder(dataset.name, data_dir=str(path)).is_prepared()), None)
