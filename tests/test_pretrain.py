"""The pretraining as a program, and what `train`, `launch`, `status`, `combine` and `evaluate` make of it."""

import json
import os
import re
import shutil
import signal
import subprocess

import numpy as np
import pytest
from conftest import SMALL, run, wait_until

from wcgan_tf.core import errors, folder_lock, records
from wcgan_tf.core.errors import Command
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.models.generator_export import read_weights
from wcgan_tf.runs import label_status

WEIGHT = "--config.train.classification_weight=1"
SHORT = [*SMALL, WEIGHT, "--config.train.max_steps=6", "--config.train.pretraining=2"]
LONG = ["--config.model.width=4", WEIGHT, "--config.train.max_seconds=600", "--config.train.pretraining=2"]


def weights(folder, label: int) -> list[np.ndarray]:
    return read_weights(RunPaths(folder / "runs/digits").label(label).generator, Command("train"))


def same(some: list, others: list) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A folder where `launch` has pretrained, and then trained the labels 3 and 4; and what it printed."""
    folder = tmp_path_factory.mktemp("pretrained")
    return folder, run("launch", *SHORT, "--labels=3,4", folder=folder).stdout


def test_launch_pretrains_once_and_every_label_starts_from_it(pretrained):
    folder, said = pretrained
    assert said.index("pretraining: done after 12 steps") < said.index("training 2 labels")
    for label in (3, 4):
        log = RunPaths(folder / "runs/digits").label(label).log.read_text()
        assert f"label {label}: starts from the weights in runs/digits/pretraining\n" in log
    again = run("launch", *SHORT, "--labels=3-5", folder=folder).stdout
    assert "pretraining" not in again
    assert "nothing to pretrain" in run("pretrain", *SHORT, folder=folder).stdout


def test_a_label_has_the_same_weights_however_the_pretraining_came_about(pretrained, tmp_path):
    """Done by `train` itself, beside others or alone; and it matters."""
    folder, _ = pretrained
    said = run("train", *SHORT, "--label=4", folder=tmp_path).stdout
    assert re.search("pretraining: done after 12 steps.*label 4: starts from .*label 4: done", said, re.DOTALL)
    assert same(weights(folder, 4), weights(tmp_path, 4))
    run("train", *SHORT[:-1], "--label=4", "--workdir=anew", folder=tmp_path)
    anew = read_weights(RunPaths(tmp_path / "anew").label(4).generator, Command("train"))
    assert not same(anew, weights(tmp_path, 4))


def test_of_two_processes_one_pretrains_and_the_other_waits(begin, tmp_path):
    labels = [begin("train", *SHORT, f"--label={label}", folder=tmp_path) for label in (3, 4)]
    assert [process.wait() for process in labels] == [errors.DONE, errors.DONE]
    log = RunPaths(tmp_path / "runs/digits").pretraining.log.read_text()
    assert log.count("tracing the step") == 1
    for label in (3, 4):
        assert "starts from" in RunPaths(tmp_path / "runs/digits").label(label).log.read_text()


@pytest.mark.parametrize("program", ["pretrain", "launch", "train"])
def test_a_signal_in_the_pretraining_saves_it_and_the_same_command_resumes(begin, tmp_path, program):
    own = ["--label=3"] if program == "train" else ["--labels=3"] if program == "launch" else []
    paths = RunPaths(tmp_path / "runs/digits").pretraining
    process = begin(program, *LONG, *own, folder=tmp_path, stdout=subprocess.PIPE)
    wait_until(lambda: label_status.read(paths.status).step > 1, process=process)
    assert re.search(
        r"the pretraining: running, [01] %, \d+ steps and \d+ s; see", run("status", *LONG, folder=tmp_path).stdout
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait() == errors.STOPPED
    (saved,) = paths.saved_checkpoints()
    step = int(saved.name.removeprefix("ckpt-"))
    assert not list(tmp_path.glob("runs/digits/labels/*/checkpoints/*"))
    enough = [f"--config.train.max_steps={step}", *LONG, *own]  # the pretraining goes on for as many more
    said = run(program, *enough, folder=tmp_path).stdout
    assert f"resumes from step {step}" in said
    assert f"pretraining: done after {2 * step} steps" in said


def test_a_pretraining_that_is_killed_is_one_line_and_the_same_command_resumes(begin, tmp_path):
    status = RunPaths(tmp_path / "runs/digits").pretraining.status
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = begin("launch", *LONG, "--labels=3", folder=tmp_path, **pipes)
    wait_until(lambda: label_status.read(status).step > 1, process=process)
    os.kill(label_status.read(status).pid, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == errors.FAILED
    assert said == (
        "error: the pretraining was killed by signal 9; the same command resumes it from its last checkpoint\n"
    )
    assert "training 1 label" in run("launch", *SHORT, "--labels=3", folder=tmp_path).stdout


def test_one_without_its_checkpoints_is_done_anew(pretrained, tmp_path):
    shutil.copytree(pretrained[0] / "runs", tmp_path / "runs")
    shutil.rmtree(RunPaths(tmp_path / "runs/digits").pretraining.checkpoints)
    shutil.rmtree(tmp_path / "runs/digits/labels")
    assert run("pretrain", *SHORT, "--needed", folder=tmp_path).stdout == "yes\n"
    said = run("train", *SHORT, "--label=4", folder=tmp_path).stdout
    assert re.search("pretraining: done after 12 steps.*label 4: starts from .*label 4: done", said, re.DOTALL)
    assert same(weights(pretrained[0], 4), weights(tmp_path, 4))


def test_its_cost_counts(pretrained):
    folder, _ = pretrained
    run("combine", *SHORT, "--labels=3,4", "--overwrite", folder=folder)
    manifest = json.loads((folder / "saved_models/digits/manifest.json").read_text())
    status = json.loads(RunPaths(folder / "runs/digits").pretraining.status.read_text())
    assert manifest["pretraining"] == {name: status[name] for name in ("step", "seconds", "device", "threads")}
    run("prepare", "--classifier=domain", folder=folder)
    run("evaluate", *SHORT, "--num_per_label=10", "--noaccuracy", folder=folder)
    cost = json.loads((folder / "runs/digits/scores.json").read_text())["cost"]
    seconds = sum(own["seconds"] * own["threads"] for own in [manifest["pretraining"], *manifest["labels"]])
    assert cost["core_hours"] == pytest.approx(seconds / 3600)


def test_whether_it_is_needed_is_known_before_the_data_set_is_prepared(tmp_path):
    for config, answer in (("cifar10", "yes\n"), ("cifar10_dcgan", "no\n")):
        assert run("pretrain", f"--config={config}", "--needed", folder=tmp_path).stdout == answer
    assert not list(tmp_path.iterdir())


def test_a_label_that_there_is_not_costs_no_pretraining(tmp_path):
    done = run("train", *SHORT, "--label=99", folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert "pretraining" not in done.stdout + done.stderr


def test_who_waited_for_a_pretraining_that_diverged_does_not_begin_it_anew(begin, tmp_path):
    paths = RunPaths(tmp_path / "runs/digits").pretraining
    with folder_lock.lock(paths.folder, lambda text: None):
        process = begin("pretrain", *SHORT, folder=tmp_path, stderr=subprocess.PIPE)
        wait_until(lambda: paths.log.exists() and "waiting for its end" in paths.log.read_text(), process=process)
        records.write(paths.status, label_status.LabelStatus(state="diverged"))
    _, said = process.communicate()
    assert process.returncode == errors.WRONG_INPUT
    assert "error: the pretraining in runs/digits/pretraining diverged; delete that folder" in said


def test_labels_start_from_no_pretraining_of_other_images(tmp_path):
    for labels in ("3,4", "5"):
        run("prepare", f"--labels={labels}", folder=tmp_path)
        done = run("launch", *SHORT, f"--labels={labels}", folder=tmp_path, check=labels == "3,4")
    assert done.returncode == errors.WRONG_INPUT
    assert "error: the pretraining in runs/digits/pretraining saw other images than those" in done.stderr
