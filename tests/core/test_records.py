"""Records: whole in the file or not at all, and only of their declared types."""

import contextlib
import errno
import json
import math
import os
from pathlib import Path

import msgspec
import pytest

from wcgan_tf.core import records
from wcgan_tf.core.errors import Command, UserError
from wcgan_tf.core.records import Count, Number, Share


class Example(msgspec.Struct):
    name: str
    step: Count = 0
    share: Share = 0.0
    value: Number | None = None
    by_label: dict[int, Count] = {}


def test_a_file_that_cannot_be_read_now_is_not_missing(tmp_path, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output") as error:
        records.read_if_whole(tmp_path / "status.json", dict)
    assert error.value.filename == str(tmp_path / "status.json")


def test_a_record_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "deeper/a.json"
    record = Example("ü", 3, 0.5, -1.5, {7: 2})
    records.write(path, record)
    assert records.read(path, Example, Command("train")) == record
    assert json.loads(path.read_text())["by_label"] == {"7": 2}


def test_no_bit_of_a_record_changes_unnoticed(tmp_path):
    path, record = tmp_path / "a.json", Example("ü", 3, 0.5, -1.5, {7: 2})
    records.write(path, record)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            assert records.read_if_whole(path, Example) in (None, record), path.read_bytes()


def test_no_bit_of_a_line_changes_unnoticed():
    row = {"step": 20, "seconds": 1.5, "critic_loss": None}
    whole = records.line({**row, "critic_loss": math.nan}).encode()
    assert whole.count(b"\n") == 1
    for place in range(len(whole)):
        for bit in range(8):
            changed = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
            with contextlib.suppress(records.DAMAGED):
                assert records.decode(changed, dict[str, float | None]) == row, changed
    assert records.decode(whole, dict[str, float | None]) == row


def test_a_record_without_a_checksum_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"name": "a"}\n')
    assert records.read_if_whole(tmp_path / "a.json", Example) == Example("a")


def test_numbers_that_are_not_finite_become_null(tmp_path):
    records.write(tmp_path / "a.json", Example("a", value=math.nan))
    assert json.loads((tmp_path / "a.json").read_text())["value"] is None


def test_a_missing_or_damaged_record_is_an_error_with_a_command(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(UserError, match=r"there is no .*a\.json; run: python -m wcgan_tf.train --label=3"):
        records.read(path, Example, Command("train", "--label=3"))
    assert records.read_if_whole(path, Example) is None
    damaged = ("", "[]", "null", "{}", '{"name": 3}', '{"name": "a", "step": -1}', '{"name": "a", "step": 1.5}')
    damaged += ('{"name": "a", "share": 1.5}', '{"name": "a", "value": 1e300}', '{"name": "a", "by_label": {"x": 1}}')
    damaged += ('{"name": "a", "value": NaN}', '{"name": "a"', "[" * 100_000)
    for content in damaged:
        path.write_text(content)
        with pytest.raises(UserError, match=r"a\.json is damaged, .*; delete it and run: python -m wcgan_tf.train"):
            records.read(path, Example, Command("train"))
        assert records.read_if_whole(path, Example) is None, content[:100]
