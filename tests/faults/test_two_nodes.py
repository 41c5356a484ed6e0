"""Two machines that share a folder whose locks do not reach across, as on NFS with local_lock.

Each is a mount namespace of its own, with another boot id and the folder mounted by another `bindfs`.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cases
import pytest
from conftest import ENDLESS, PATIENCE_SECONDS, SMALL, STEPS, run, trained, wait_until

from wcgan_tf.core import errors, owner
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.runs import label_status

MOUNT = f"""
mount --bind "$1/boot" {owner.BOOT} || exit
bindfs -f "$2" "$3" &
while kill -0 $! && ! test -e "$3/there"; do sleep 0.1; done
test -e "$3/there" && echo mounted
wait
"""
ENTER = """
# Enter the namespaces of a process, then a folder; run a module there, or code.
import ctypes, os, runpy, sys
for kind in ("user", "mnt"):
    assert ctypes.CDLL(None).setns(os.open(f"/proc/{sys.argv[1]}/ns/{kind}", os.O_RDONLY), 0) == 0
os.chdir(sys.argv[2])
what, sys.argv = sys.argv[3], sys.argv[3:]
if what.startswith("wcgan_tf."):
    runpy.run_module(what, run_name="__main__", alter_sys=True)
else:
    exec(what)
"""
COUNT = """
import time
from pathlib import Path
from wcgan_tf.core import folder_lock
folder_lock.LOOK_SECONDS = 0.002
counted = Path("count")
for turn in range(int(sys.argv[1])):
    with folder_lock.lock(Path("held"), lambda line: None, "waiting"):
        number = int(counted.read_text())
        time.sleep(0.02)
        counted.write_text(f"{number + 1:05}")
"""


class Node(NamedTuple):
    """A machine: a process in its namespaces, its name, and where it has the folder that all share."""

    pid: int
    name: str
    shared: Path


@contextlib.contextmanager
def mounted(around: Path, name: str, real: Path, shared: Path) -> Iterator[Node]:
    """A machine that has the folder `real` as `shared`; skips the test if that is not possible here."""
    own = around / name
    own.mkdir()
    (own / "boot").write_text(f"{name}-started\n")
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh", str(own), str(real), str(shared)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, text=True, start_new_session=True, **pipes) as holder:
        said = holder.stdout.readline()
        try:
            if said == "mounted\n":
                yield Node(holder.pid, name, shared)
        finally:
            os.killpg(holder.pid, signal.SIGKILL)
    if said != "mounted\n":
        pytest.skip(f"mounting is not allowed here, or bindfs is missing: {said}")


@pytest.fixture
def nodes(tmp_path):
    """Two machines; what they share is in `real` outside of them."""
    real, shared = tmp_path / "real", tmp_path / "shared"
    for folder in (real, shared):
        folder.mkdir()
    (real / "there").touch()
    with mounted(tmp_path, "node1", real, shared) as one, mounted(tmp_path, "node2", real, shared) as two:
        yield [one, two]


@pytest.fixture
def begin_on(begin_python):
    """`begin_on(node, what, *arguments)` starts a module, or code, on a machine, with pipes."""

    def begin_one(node: Node, what: str, *arguments: str) -> subprocess.Popen:
        environment = {**os.environ, "SLURMD_NODENAME": node.name}
        words = ["-c", ENTER, str(node.pid), str(node.shared), what, *arguments]
        return begin_python(*words, folder=node.shared, env=environment, stdout=-1, stderr=-1)

    return begin_one


def ended(processes: list[subprocess.Popen]) -> list[tuple[int, str]]:
    """The exit codes and all that was said."""
    said = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    return [(process.returncode, out + err) for process, (out, err) in zip(processes, said, strict=True)]


def test_every_turn_of_a_lock_counts(nodes, begin_on, tmp_path):
    (tmp_path / "real/count").write_text("00000")
    found = ended([begin_on(node, COUNT, "6") for node in nodes * 3])
    assert [said for code, said in found if code != errors.DONE] == []
    assert int((tmp_path / "real/count").read_text()) == 36


REPLACE = """
import time
from pathlib import Path
from wcgan_tf.core import files, folder_lock
folder_lock.LOOK_SECONDS = 0.002
model = Path("model")
for turn in range(int(sys.argv[1])):
    with folder_lock.lock_beside(model, lambda line: None, "waiting"):
        number = int((model / "count").read_text())
        with files.publish(model) as path:
            path.mkdir()
            (path / "count").write_text(f"{number + 1:05}")
"""


def test_every_update_of_a_folder_that_is_replaced_counts(nodes, begin_on, tmp_path):
    (tmp_path / "real/model").mkdir()
    (tmp_path / "real/model/count").write_text("00000")
    found = ended([begin_on(node, REPLACE, "6") for node in nodes * 3])
    assert [said for code, said in found if code != errors.DONE] == []
    assert int((tmp_path / "real/model/count").read_text()) == 36
    assert {path.name for path in (tmp_path / "real").iterdir()} == {"there", "model"}


HELD = """
import threading
from pathlib import Path
from wcgan_tf.core import files
model = Path("model")
held = (model / "count").open()
if sys.argv[1:]:
    threading.Timer(float(sys.argv[1]), held.close).start()
with files.publish(model) as path:
    path.mkdir()
    (path / "count").touch()
"""


def test_what_a_reader_has_open_while_it_is_replaced_is_deleted_when_it_is_closed(nodes, begin_on, tmp_path):
    """FUSE and NFS keep it until then."""
    (tmp_path / "real/model").mkdir()
    (tmp_path / "real/model/count").touch()
    assert ended([begin_on(nodes[0], HELD, "0.5")]) == [(errors.DONE, "")]
    assert {path.name for path in (tmp_path / "real").iterdir()} == {"there", "model"}
    assert ended([begin_on(nodes[0], HELD)]) == [(errors.DONE, "")]  # until the process ends
    assert cases.leftovers(tmp_path / "real") != []
    assert ended([begin_on(nodes[0], HELD, "0.0")]) == [(errors.DONE, "")]  # the next writer
    assert {path.name for path in (tmp_path / "real").iterdir()} == {"there", "model"}


def test_of_processes_on_both_that_train_a_label_one_does(whole_chain, nodes, begin_on, tmp_path):
    trained(whole_chain[0], tmp_path / "real")
    found = ended([begin_on(node, "wcgan_tf.train", "--label=3", *STEPS) for node in nodes * 3])
    for code, said in found:
        assert code == errors.DONE or (code == errors.WRONG_INPUT and "is in use by" in said), said
    assert sum("done after 20 steps" in said for _, said in found) == 1, found
    label = RunPaths(tmp_path / "real/runs/digits").label(3)
    assert label.log.read_text().count("tracing the step") == 1
    assert cases.weights(label.generator) == cases.weights(RunPaths(whole_chain[0] / "runs/digits").label(3).generator)
    assert cases.leftovers(label.folder) == []


def test_a_label_that_the_other_trains_is_refused(whole_chain, nodes, begin_on, tmp_path):
    trained(whole_chain[0], tmp_path / "real")
    label = RunPaths(tmp_path / "real/runs/digits").label(3)
    first = begin_on(nodes[0], "wcgan_tf.train", "--label=3", *ENDLESS)
    wait_until(lambda: label_status.read(label.status).step > 0, "a step", first)
    ((code, said),) = ended([begin_on(nodes[1], "wcgan_tf.train", "--label=3", *ENDLESS)])
    assert code == errors.WRONG_INPUT
    assert f"is in use by process {first.pid} on node1; wait for it" in said
    first.terminate()
    assert ended([first])[0][0] == errors.STOPPED


def test_of_processes_on_both_that_prepare_one_does(digits, nodes, begin_on, tmp_path):
    found = ended([begin_on(node, "wcgan_tf.prepare", "--classifier=domain") for node in nodes * 2])
    assert [said for code, said in found if code != errors.DONE] == []
    assert sum("training the domain classifier" in said for _, said in found) == 1, found
    assert cases.result_of_prepare(tmp_path / "real") == cases.result_of_prepare(digits)
    assert cases.leftovers(tmp_path / "real") == []


CLEAR = """
from pathlib import Path
from wcgan_tf.core import unfinished
unfinished.clear(Path("saved_models"))
"""


def test_labels_that_both_replace_at_once_are_all_in_the_model(whole_chain, nodes, begin_on, tmp_path):
    """And who reads finds a whole model all the while."""
    real = trained(whole_chain[0], tmp_path / "real", 2, 3, 4)
    run("combine", "--partial", folder=real)
    run("train", "--label=2-4", *SMALL, "--config.train.max_steps=30", folder=real)
    replace = [begin_on(nodes[label % 2], "wcgan_tf.combine", f"--replace={label}") for label in (2, 3, 4)]
    while any(process.poll() is None for process in replace):
        ((code, said),) = ended([begin_on(nodes[0], "wcgan_tf.sample", "--num=1", "--output=x.npz", "--overwrite")])
        assert code == errors.DONE, said
    found = ended(replace)
    assert [said for code, said in found if code != errors.DONE] == []
    cleared = ended([begin_on(node, CLEAR) for node in nodes])  # what a reader had open for more than a second
    assert cleared == 2 * [(errors.DONE, "")]
    manifest = json.loads((real / "saved_models/digits/manifest.json").read_text())
    assert [(entry["label"], entry["step"]) for entry in manifest["labels"]] == [(2, 30), (3, 30), (4, 30)]
    assert cases.leftovers(real / "saved_models") == []
