"""TensorBoard's files of a label: read, and cut where a training goes on from an earlier step."""

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from wcgan_tf.core.images import tile
from wcgan_tf.reporting import gallery
from wcgan_tf.runs import event_files as events


def write(folder, steps) -> None:
    with tf.summary.create_file_writer(str(folder)).as_default():
        for step in steps:
            tf.summary.scalar("loss", 0.1 * step, step)
            tf.summary.image("generated", np.full([1, 2, 2, 1], step, np.uint8), step)


@pytest.fixture
def aside(tmp_path_factory):
    return tmp_path_factory.mktemp("aside")


def steps_of(folder) -> list[int]:
    return [event.step for event in events.read(folder) for value in event.summary.value if value.tag == "loss"]


def test_what_comes_after_the_step_is_dropped_and_the_rest_kept_once(tmp_path, aside):
    write(tmp_path, [10, 20, 30])
    events.keep_until(tmp_path, 20, aside)
    assert steps_of(tmp_path) == [10, 20]
    write(tmp_path, [30, 40])
    events.keep_until(tmp_path, 30, aside)
    assert steps_of(tmp_path) == [10, 20, 30]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_kill_between_two_files_shows_nothing_twice(tmp_path, aside):
    write(tmp_path, [10, 20])
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    events.keep_until(tmp_path, 20, aside)
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)  # as if it had not been deleted yet
    assert steps_of(tmp_path) == [10, 20]
    write(tmp_path, [30])
    events.keep_until(tmp_path, 30, aside)
    assert steps_of(tmp_path) == [10, 20, 30]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_is_read_as_far_as_it_is_whole(tmp_path, aside):
    write(tmp_path, [10, 20, 30])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert steps_of(tmp_path)[0] == 10
    events.keep_until(tmp_path, 15, aside)
    assert steps_of(tmp_path) == [10]


def test_what_is_written_after_a_clock_was_ahead_comes_after_what_was_before(tmp_path, aside):
    write(tmp_path, [10, 20])
    (file,) = tmp_path.iterdir()
    stamp = file.name.split(".")[3]
    file.rename(tmp_path / file.name.replace(stamp, str(int(stamp) + 3600)))
    for before in (20, 40, 60):
        events.keep_until(tmp_path, before, aside)
        write(tmp_path, [before + 10, before + 20])
        steps = steps_of(tmp_path)
        assert steps == list(range(10, before + 21, 10))
        assert min(path.name for path in tmp_path.iterdir()).endswith(f".until-{before}")


def test_nothing_is_made_where_there_is_nothing(tmp_path, aside):
    events.keep_until(tmp_path, 5, aside)
    assert not list(tmp_path.iterdir())


def test_pictures_come_in_the_order_of_their_steps(tmp_path):
    write(tmp_path, [10, 20])
    found = events.pictures(tmp_path, "generated")
    assert [step for step, _ in found] == [10, 20]
    assert found[1][1].startswith(b"\x89PNG")
    assert events.pictures(tmp_path, "real") == []


@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_row_of_a_grid_is_cut_out_of_it(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, [6, 8, 8, channels], np.uint8)
    path = tmp_path / "grid.png"
    PIL.Image.fromarray(tile(images, 3).squeeze()).save(path)
    np.testing.assert_array_equal(gallery._cells(path.read_bytes(), 8), images[:3])
