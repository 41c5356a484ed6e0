"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import stat
import types

import numpy as np
import pytest

from wcgan_tf.core import files


def test_a_file_appears_only_after_the_block(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    with files.publish(target) as path:
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_what_is_renamed_is_on_the_disk_before_and_its_name_after(tmp_path, disk_calls):
    home = tmp_path / "home"
    with files.publish(home / "model") as path:
        (path / "inner").mkdir(parents=True)
        (path / "inner/two.txt").touch()
    assert disk_calls == ["flush two.txt", "flush inner", "flush model", "rename model", "flush home"]
    disk_calls.clear()
    files.write_array(home / "a.npy", np.zeros(3))
    assert disk_calls == ["flush a.npy", "rename a.npy", "flush home"]
    disk_calls.clear()
    files.write_text(home / "a.json", "1")
    assert disk_calls == ["flush a.json", "rename a.json", "flush home"]


def test_what_need_not_survive_a_power_loss_is_not_flushed(tmp_path, disk_calls):
    files.write_text(tmp_path / "a.json", "1", durable=False)
    with files.publish(tmp_path / "pictures", durable=False) as path:
        path.mkdir()
    assert disk_calls == ["rename a.json", "rename pictures"]


def test_a_file_system_that_cannot_flush_folders_is_left_alone(tmp_path, monkeypatch):
    fsync = os.fsync

    def only_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    files.write_text(tmp_path / "a.json", "1")
    assert (tmp_path / "a.json").read_text() == "1"


def test_a_disk_that_loses_a_file_is_an_error_that_names_it(tmp_path, monkeypatch):
    def lost(_):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "a.json").write_text("old")
    monkeypatch.setattr(os, "fsync", lost)
    with pytest.raises(OSError, match="Input/output") as error:
        files.write_text(tmp_path / "a.json", "new")
    assert error.value.filename == str(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.json"]


def test_an_error_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.publish(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "model"
    for text in ("old", "new"):
        with files.publish(target) as path:
            path.mkdir()
            (path / f"{text}.txt").write_text(text)
    assert [path.name for path in target.iterdir()] == ["new.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "a.png/precious").write_text("")
    with pytest.raises(IsADirectoryError) as error, files.publish(tmp_path / "a.png") as path:
        path.write_text("picture")
    assert error.value.filename == str(tmp_path / "a.png")
    assert [path.name for path in tmp_path.rglob("*")] == ["a.png", "precious"]


def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to("model")
    with files.publish(tmp_path / "link") as path:
        path.mkdir()
        (path / "new.txt").touch()
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new.txt"]


def test_a_text_that_cannot_be_written_leaves_the_old_file(tmp_path):
    target = tmp_path / "status.json"
    files.write_text(target, "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(target, "half a letter: \ud800")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_digest_depends_on_values_shape_and_type():
    array = np.arange(6, dtype=np.uint8)
    others = [array.reshape(2, 3), array.astype(np.int8), array[::-1]]
    assert len({files.digest(other) for other in [array, *others]}) == 4
    assert files.digest(array) == files.digest(array.copy())


def test_only_hidden_files_of_a_kill_are_deleted(tmp_path):
    for name in (".status.json.ab12", "status.json"):
        (tmp_path / name).write_text("half")
    files.clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    ("room", "user", "refused"),
    [
        ({"f_bavail": 2, "f_bfree": 2, "f_blocks": 9}, 1000, False),
        ({"f_bavail": 1, "f_bfree": 2, "f_blocks": 9}, 1000, True),
        ({"f_bavail": 1, "f_bfree": 2, "f_blocks": 9}, 0, False),  # root may use what is reserved
        ({"f_bavail": 0, "f_bfree": 0, "f_blocks": 9}, 0, True),
        ({"f_bavail": 0, "f_bfree": 0, "f_blocks": 0}, 1000, False),  # of a file system that does not say
    ],
)
def test_a_full_disk_is_refused_where_the_file_system_says_so(tmp_path, monkeypatch, room, user, refused):
    monkeypatch.setattr(os, "statvfs", lambda folder: types.SimpleNamespace(f_frsize=4096, **room))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(OSError, match="No space left") if refused else contextlib.nullcontext():
        files.refuse_full_disk(tmp_path, 2 * 4096)


def test_this_disk_is_not_full(tmp_path):
    files.refuse_full_disk(tmp_path, 1)
    with pytest.raises(OSError, match=str(tmp_path)):
        files.refuse_full_disk(tmp_path, 2**60)
