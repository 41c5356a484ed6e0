"""Whatever is typed or lies in a file: it is read, or refused by one line, and nothing else happens."""

import contextlib
import json
import struct
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from wcgan_tf.combined.manifest import Manifest
from wcgan_tf.config import DECLARATIONS, default_config, validate
from wcgan_tf.core import records
from wcgan_tf.core.console import printable
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.labels import format_labels, parse_labels
from wcgan_tf.core.owner import Owner
from wcgan_tf.core.paths import LabelPaths
from wcgan_tf.data.prepared import CurrentDomain, DatasetInfo, ImageRecord
from wcgan_tf.reporting.run_overview import read_rows
from wcgan_tf.runs import event_files, label_status
from wcgan_tf.runs.label_status import LabelStatus, Trained
from wcgan_tf.runs.recorded_settings import RecordedSettings
from wcgan_tf.runs.score_report import ScoreReport
from wcgan_tf.training.callbacks import _keep_rows_until

settings.register_profile("suite", deadline=None, derandomize=True, database=None)  # the same inputs at every run
settings.load_profile("suite")
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=20),
    lambda inside: some.lists(inside, max_size=4) | some.dictionaries(some.text(max_size=8), inside, max_size=4),
    max_leaves=10,
)
FILE = some.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode())
DEEP = b"[" * 100_000


@contextlib.contextmanager
def file_with(content: bytes, name: str = "file"):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def like_a_record(kind: type) -> some.SearchStrategy[bytes]:
    """JSON objects with the record's names, and values of any kind."""
    names = dict.fromkeys(kind.__struct_fields__, JSON)
    return some.fixed_dictionaries({}, optional=names).map(lambda value: json.dumps(value).encode())


@given(some.text(max_size=40), some.lists(some.text(max_size=12), min_size=1, max_size=12, unique=True))
def test_a_list_of_labels_names_labels_or_is_refused(text, names):
    try:
        chosen = parse_labels(text, names, lambda _: None)
    except UserError as error:
        assert str(error).isprintable()
    else:
        assert chosen == sorted(set(chosen))
        assert set(chosen) <= set(range(len(names)))


@given(some.sets(some.integers(0, 200), min_size=1))
def test_a_list_of_labels_is_read_as_it_was_written(labels):
    names = [f"kind {label}" for label in range(201)]
    assert parse_labels(format_labels(list(labels)), names) == sorted(labels)


@given(FILE | like_a_record(LabelStatus))
@example(DEEP)
def test_any_status_file_is_a_status(content):
    with file_with(content) as path:
        status = label_status.read(path)
    assert status.state in label_status.STATES or status.state == "starting"
    assert status.error.isprintable()
    assert status.seconds_left() is None or status.seconds_left() >= 0


KINDS = [ScoreReport, Manifest, RecordedSettings, ImageRecord, DatasetInfo, CurrentDomain, Owner, Trained]


@pytest.mark.parametrize("kind", KINDS)
@given(data=some.data())
def test_any_file_is_a_record_or_is_damaged(kind, data):
    content = data.draw(FILE | like_a_record(kind))
    with contextlib.suppress(*records.DAMAGED):
        record = records.decode(content, kind)
        assert records.decode(records.encode(record).encode(), kind) == record or "nan" in repr(record)


@given(some.lists(FILE, max_size=5).map(b"\n".join))
@example(DEEP)
@example(b'{"step": 1e400}\n{"step": 1' + b"0" * 400 + b"}")
def test_any_curves_have_rows_or_none(content):
    with file_with(content, "metrics.jsonl") as path:
        for row in read_rows(path)[0]:
            assert row["step"] >= 0
            assert row["seconds"] >= 0
        _keep_rows_until(path, 100)
        assert all(row["step"] <= 100 for row in read_rows(path)[0])


@given(some.binary(max_size=200), some.integers(0, 2**64 - 1))
def test_any_event_file_has_images_or_none(content, length):
    for start in (b"", struct.pack("<Q", length)):  # of a record, before its checksum
        with file_with(start + content, f"{event_files.PREFIX}1") as path:
            assert event_files.read_images(path.parent, "generated") == []


@given(some.sampled_from(sorted(DECLARATIONS)), JSON)
def test_any_setting_is_valid_or_is_refused_by_one_line(name, value):
    config = default_config()
    section, key = name.split(".")
    try:
        setattr(getattr(config, section), key, value)
        validate(config)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert msgspec.json.decode(msgspec.json.encode(config.to_dict()))[section][key] == config.get(name)


@given(some.text())
def test_any_name_is_printed_on_one_line_and_stays_in_its_folder(name):
    assert printable(name).isprintable()
    folder = LabelPaths(Path("runs/a/labels/00003"))
    board = folder.tensorboard(name)
    assert board.parent == folder.folder
    assert board.name not in (".", "..")
    assert len(board.name.encode()) < 255
