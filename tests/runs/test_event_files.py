"""TensorBoard's files of a label, also after restarts."""

import contextlib
import json
import urllib.request

import numpy as np
import tensorflow as tf
from conftest import wait_until

from wcgan_tf.runs import event_files


def write(folder, steps) -> None:
    with tf.summary.create_file_writer(str(folder)).as_default():
        for step in steps:
            tf.summary.scalar("loss", 0.1 * step, step)
            tf.summary.image("generated", np.full([1, 2, 2, 1], step, np.uint8), step)


def test_a_repeated_step_replaces_the_earlier_one_and_all_later_ones(tmp_path, tensorboard):
    write(tmp_path / "label", [10, 20, 30, 40])
    write(tmp_path / "label", [30, 50])
    assert [step for step, _ in event_files.read_images(tmp_path / "label", "generated")] == [10, 20, 30, 50]
    address, process = tensorboard(tmp_path)

    def curve() -> list[int]:
        with contextlib.suppress(OSError):  # it does not listen yet, or has not read the run
            asked = f"{address}/data/plugin/scalars/scalars?run=label&tag=loss"
            return [step for _, step, _ in json.load(urllib.request.urlopen(asked))]
        return []

    wait_until(lambda: curve() == [10, 20, 30, 50], "the curve", process)


def test_events_written_after_a_clock_was_ahead_come_last(tmp_path):
    for steps in ([10, 20, 30], [30, 40, 50]):
        write(tmp_path, steps)
        for path in tmp_path.iterdir():
            stamp = path.name.split(".")[3]
            path.rename(tmp_path / path.name.replace(stamp, str(int(stamp) + 3600)))
        event_files.put_before_now(tmp_path)
    write(tmp_path, [50, 60])
    assert [step for step, _ in event_files.read_images(tmp_path, "generated")] == [10, 20, 30, 40, 50, 60]


def test_files_without_a_time_in_their_names_are_left_alone(tmp_path):
    write(tmp_path, [10])
    for name in ("events.out.tfevents.12abc.vm", "events.out.tfevents.99999999999999999999.vm", "events.out.tfevents"):
        (tmp_path / name).touch()
    before = set(tmp_path.iterdir())
    event_files.put_before_now(tmp_path)
    assert len(set(tmp_path.iterdir()) & before) == 3
    event_files.delete(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_event_file_is_read_up_to_the_damage(tmp_path):
    write(tmp_path, [10, 20, 30])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert [step for step, _ in event_files.read_images(tmp_path, "generated")] == [10, 20]


def test_pictures_come_in_the_order_of_their_steps(tmp_path):
    write(tmp_path, [10, 20])
    found = event_files.read_images(tmp_path, "generated")
    assert [step for step, _ in found] == [10, 20]
    assert found[1][1].startswith(b"\x89PNG")
    assert event_files.read_images(tmp_path, "real") == []
