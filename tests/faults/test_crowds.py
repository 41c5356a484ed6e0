"""Many processes at once: one does the work, no update is lost, and nobody reads half a file."""

import json
import shutil

from conftest import CHAIN, PATIENCE_SECONDS, SMALL, STEPS, run, trained, wait_until

from wcgan_tf.core import errors
from wcgan_tf.core.paths import RunPaths


def ended(processes) -> list[tuple[int, str]]:
    """The exit codes and all that was said, of processes with pipes."""
    said = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    return [(process.returncode, out + err) for process, (out, err) in zip(processes, said, strict=True)]


def test_of_twenty_that_train_a_label_one_does(whole_chain, tmp_path, begin):
    trained(whole_chain[0], tmp_path)
    pipes = {"stdout": -1, "stderr": -1}
    found = ended([begin("train", "--label=3", *STEPS, folder=tmp_path, **pipes) for _ in range(20)])
    for code, said in found:
        assert code == errors.DONE or (code == errors.WRONG_INPUT and "is in use by process" in said), said
    assert sum("done after 20 steps" in said for _, said in found) == 1
    assert RunPaths(tmp_path / "runs/digits").label(3).log.read_text().count("tracing the step") == 1


def test_of_ten_that_prepare_one_does(tmp_path, begin):
    pipes = {"stdout": -1, "stderr": -1}
    found = ended([begin("prepare", "--classifier=domain", folder=tmp_path, **pipes) for _ in range(10)])
    assert [code for code, _ in found] == [errors.DONE] * 10, found
    assert sum("training the domain classifier" in said for _, said in found) == 1
    assert not list(tmp_path.rglob(".unfinished"))


def test_labels_that_are_replaced_at_once_are_all_in_the_model(whole_chain, tmp_path, begin):
    trained(whole_chain[0], tmp_path, 2, 3, 4)
    run("combine", "--partial", folder=tmp_path)
    run("train", "--label=2-4", *SMALL, "--config.train.max_steps=30", folder=tmp_path)
    pipes = {"stdout": -1, "stderr": -1}
    found = ended([begin("combine", f"--replace={label}", folder=tmp_path, **pipes) for label in (2, 3, 4)])
    assert [code for code, _ in found] == [errors.DONE] * 3, found
    manifest = json.loads((tmp_path / "saved_models/digits/manifest.json").read_text())
    assert [(entry["label"], entry["step"]) for entry in manifest["labels"]] == [(2, 30), (3, 30), (4, 30)]
    assert sorted(path.name for path in (tmp_path / "saved_models").iterdir()) == ["digits"]


def test_readers_find_whole_files_while_they_are_replaced(whole, begin):
    """`sample` finds a model, and `report` and `status` whatever there is, while all of it is made anew."""
    shutil.rmtree(whole / "runs/digits/labels/00003")
    writer = begin("pipeline", "--from=launch", *CHAIN, folder=whole, stdout=-1, stderr=-1)
    label = RunPaths(whole / "runs/digits").label(3)
    wait_until(label.status.exists, "the first label", writer)
    times = 0
    while writer.poll() is None or times < 2:
        times += 1
        counts = json.loads(run("status", "--json", folder=whole).stdout)["counts"]
        assert sum(counts.values()) == 10
        run("sample", "--num=1", "--output=now.png", "--overwrite", folder=whole)
        run("report", folder=whole)
    assert ended([writer])[0][0] == errors.DONE
