"""What a power loss leaves: every file that gets its name by a rename is on the disk before, and its folder after."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import cases
import killing
import pytest

from wcgan_tf.core import unfinished

CALLS = re.compile(r"\b(write|pwrite64|writev|fsync|fdatasync|rename|renameat|renameat2|unlink|unlinkat)\((.*)")
OPEN_FILE = re.compile(r"\d+<([^>]*)>")
NAMES = re.compile(r'(?:AT_FDCWD<[^>]*>, |\d+<([^>]*)>, )?"([^"]*)"')
FLUSHES = {"fsync", "fdatasync"}
WRITERS = ("train", "prepare", "combine --replace", "evaluate")
NOT_FLUSHED = {"status.json", "writable"}  # while a label trains; docs/reliability.md says so


def not_safe(lines: Iterable[str], folder: Path) -> list[str]:
    """What a power loss could take, by the system calls of a program in a folder, in their order."""
    written: set[str] = set()  # files that have changed since they were flushed
    renamed: dict[str, str] = {}  # folder that has to be flushed -> the last name in it
    found = []
    for line in lines:
        call = CALLS.search(line)
        if not call or " = -1 " in line:
            continue
        name, arguments = call.groups()
        if name.startswith("rename"):
            source, target = (str(folder / Path(one or "", other)) for one, other in NAMES.findall(arguments)[:2])
            moved = {path for path in written if (path + "/").startswith(source + "/")}
            written = written - moved | {target + path.removeprefix(source) for path in moved}
            if _has_its_name(target):
                found += sorted(f"{path} before it is {target}" for path in moved)
                renamed[str(Path(target).parent)] = target
        elif name.startswith("unlink"):
            ((one, other),) = NAMES.findall(arguments)
            written.discard(str(folder / Path(one or "", other)))
        elif file := OPEN_FILE.match(arguments):
            if name in FLUSHES:
                written.discard(file[1])
                renamed.pop(file[1], None)
            else:
                written.add(file[1])
    return found + [f"the folder of {target} after its rename" for target in renamed.values()]


def _has_its_name(path: str) -> bool:
    """Whether a path is where a file is looked for, and one that has to outlive a power loss."""
    parts = Path(path).parts
    return not {"unfinished", unfinished.NAME} & set(parts) and parts[-1] not in NOT_FLUSHED


def test_what_is_not_flushed_is_found(tmp_path):
    write, flush = f'write(5<{tmp_path}/a>, ""..., 3) = 3', f"[pid 7] fsync(5<{tmp_path}/a>) = 0"
    rename, last = f'rename("{tmp_path}/a", "b" <unfinished ...>', f"fsync(5<{tmp_path}>) = 0"
    assert not_safe([write, flush, rename, last], tmp_path) == []
    assert not_safe([write, rename, last], tmp_path) == [f"{tmp_path}/a before it is {tmp_path}/b"]
    assert not_safe([flush, write, rename, last], tmp_path) == [f"{tmp_path}/a before it is {tmp_path}/b"]
    aside = f'rename("{tmp_path}/a", "unfinished/a") = 0'
    moved = f'rename("unfinished/a", "{tmp_path}/b") = 0'
    assert not_safe([write, aside, moved, last], tmp_path) == [f"{tmp_path}/unfinished/a before it is {tmp_path}/b"]
    assert not_safe([write, flush, rename], tmp_path) == [f"the folder of {tmp_path}/b after its rename"]


@pytest.mark.skipif(not killing.is_possible(), reason="strace is missing, or may not look at other processes")
@pytest.mark.parametrize("case", [case for case in cases.CASES if case.name in WRITERS], ids=lambda case: case.name)
def test_all_that_is_renamed_is_flushed(whole_chain, tmp_path, case):
    case.begin(whole_chain[0], tmp_path)
    lines = killing.calls(f"{killing.CHANGES},fsync,fdatasync", case.words, tmp_path)
    assert sum("fsync(" in line for line in lines) > 1
    assert not_safe(lines, tmp_path) == []
    shutil.rmtree(tmp_path)
