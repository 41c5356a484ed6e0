"""The whole chain as one command, on the real digits."""

import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
from conftest import CHAIN, ENDLESS, PATIENCE_SECONDS, STEPS, run, wait_until
from PIL import Image

from wcgan_tf.core import errors
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.runs import label_status

STAGES = ["prepare", "launch", "combine", "evaluate", "sample", "report"]


def stages_done(said: str) -> dict[str, bool]:
    """The stages in a run's output: whether each had work to do."""
    lines = [line.split("] ", 1)[1] for line in said.splitlines() if line.startswith("[")]
    return {line.split(":")[0]: "done before" not in line for line in lines if ":" in line.split(" took ")[0]}


def test_all_stages_run_and_the_results_are_named(whole_chain):
    folder, said = whole_chain
    assert stages_done(said) == dict.fromkeys(STAGES, True)
    for stage in STAGES:
        assert f"] {stage} took " in said
    assert "launch took 0 s" not in said  # a process traces its step
    last = said.splitlines()[-3:]
    for line, place in zip(
        last, ("runs/digits/report.html", "runs/digits/grid.png", "saved_models/digits"), strict=True
    ):
        assert line.endswith(place)
        assert (folder / place).exists()
    assert (folder / "runs/digits/samples.png").exists()


def test_a_second_run_does_only_what_is_missing(whole):
    assert stages_done(run("pipeline", *CHAIN, folder=whole, fresh=True).stdout) == dict.fromkeys(STAGES, False)
    (whole / "runs/digits/samples.png").unlink()
    again = stages_done(run("pipeline", *CHAIN, folder=whole).stdout)
    assert again == {**dict.fromkeys(STAGES, False), "sample": True}


def test_from_and_skip_choose_the_stages(whole):
    (whole / "runs/digits/scores.json").unlink()
    said = run("pipeline", *CHAIN, "--skip=evaluate", "--from=sample", folder=whole).stdout
    assert stages_done(said) == {"sample": True, "report": True}
    (whole / "runs/digits/report.html").unlink()
    said = run("pipeline", *CHAIN, "--skip=evaluate", "--skip=report", folder=whole).stdout
    assert "[4/6] evaluate: left out" in said
    assert "[6/6] report: left out" in said
    for skipped in ("runs/digits/scores.json", "runs/digits/report.html"):
        assert not (whole / skipped).exists()
        assert skipped not in said


def test_a_stage_with_other_settings_and_the_following_ones_run_again(whole):
    said = run("pipeline", *CHAIN, "--config.evaluate.num_per_label=12", folder=whole).stdout
    assert [stage for stage, done in stages_done(said).items() if done] == ["evaluate", "report"]
    assert json.loads((whole / "runs/digits/scores.json").read_text())["num_per_label"] == 12


@pytest.mark.parametrize(
    ("argument", "what"),
    [
        ("--config.evaluate.split=train", "was trained on the split"),
        (
            "--config.evaluate.classifier=inception",
            "prepare --config.evaluate.classifier=inception --classifier=inception",
        ),
        ("--config.evaluate.classifier=nowhere", "there is no SavedModel in nowhere"),
    ],
)
def test_a_missing_classifier_is_an_error_before_the_training(tmp_path, argument, what):
    done = run("pipeline", argument, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    (line,) = done.stderr.splitlines()
    assert what in line
    assert not list(tmp_path.iterdir())


def test_other_settings_of_the_training_are_refused(whole):
    done = run("pipeline", *CHAIN, "--config.train.seed=1", folder=whole, check=False)
    assert done.returncode != errors.DONE
    assert "holds a training with other settings: train.seed (0 there, 1 here)" in done.stdout + done.stderr
    assert "launch failed (see above)" in done.stderr.splitlines()[-1]


def test_a_stage_that_is_killed_has_failed(tmp_path, begin):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = begin("pipeline", "--from=launch", *CHAIN, folder=tmp_path, **pipes)
    stage = []
    wait_until(lambda: stage.extend(children(process.pid)) or stage, "a stage", process)
    os.kill(stage[0], signal.SIGKILL)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == errors.FAILED
    assert said.splitlines()[-1] == (
        "error: launch was killed by signal 9 (Killed): if nobody sent it, memory ran out; to resume, run: "
        "python -m wcgan_tf.pipeline --config.model.width=4 --config.train.max_seconds=0.0 --config.train.max_steps=20 "
        "--config.evaluate.accuracy=False --from=launch"
    )


def children(process: int) -> list[int]:
    tasks = pathlib.Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_a_failed_stage_ends_the_pipeline_with_a_command(whole):
    (whole / "runs/digits").rename(whole / "w")
    shutil.rmtree(whole / "saved_models")
    (whole / "saved_models").write_text("a file where a folder should be")
    done = run("pipeline", *CHAIN, "--workdir=w", folder=whole, check=False)
    assert done.returncode == errors.WRONG_INPUT
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: combine failed (see above); mend that and run: python -m wcgan_tf.pipeline")
    assert "--workdir=w" in last
    assert "[4/6]" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_makes_the_running_stage_save_and_stop(tmp_path, number, begin, one_core):
    process = begin("pipeline", *ENDLESS, folder=tmp_path, stdout=subprocess.PIPE)
    wait_until(lambda: first_label(tmp_path).step > 0, "a step", process)
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == errors.STOPPED
    assert "stopped in launch; to resume, run: python -m wcgan_tf.pipeline --config.model.width=4 --config" in said
    assert first_label(tmp_path).state == "stopped"


def first_label(folder) -> label_status.LabelStatus:
    return label_status.read(RunPaths(folder / "runs/digits").label(0).status)


def test_killing_the_pipeline_stops_its_stage(tmp_path, begin, one_core):
    process = begin("pipeline", *ENDLESS, folder=tmp_path, stdout=subprocess.DEVNULL)
    wait_until(lambda: first_label(tmp_path).step > 0, "a step", process)
    process.kill()
    process.wait(PATIENCE_SECONDS)
    wait_until(lambda: first_label(tmp_path).state == "stopped", "the end of its stage")


def test_labels_that_fail_can_be_left_out(whole):
    run("prepare", folder=whole)
    label = whole / "runs/digits/labels/00004"
    shutil.rmtree(label)
    shutil.rmtree(whole / "saved_models")
    (whole / "data/digits-8/train/00004.npy").write_bytes(b"damaged")
    failed = run("pipeline", *CHAIN, folder=whole, check=False)
    assert failed.returncode == errors.FAILED
    assert "or leave out the labels that did not finish" in failed.stderr.splitlines()[-1]
    short = ["--skip=evaluate", "--skip=report"]
    said = run("pipeline", "--partial", "--from=launch", *short, *CHAIN, folder=whole).stdout
    assert "continuing with the labels that are trained" in said
    assert "combined 9 of 10 labels" in said


def test_a_model_without_its_run_is_scored(whole):
    """Labels are too small by their images, not because they are not here."""
    shutil.rmtree(whole / "runs/digits/labels")
    (whole / "runs/digits/scores.json").unlink()
    said = run("pipeline", *CHAIN, "--from=evaluate", "--skip=sample", "--skip=report", folder=whole).stdout
    assert "[4/6] evaluate took" in said
    assert (whole / "runs/digits/scores.json").exists()


def test_labels_with_few_images_end_with_samples_and_a_page(tmp_path):
    """A label with 49 training images has 9 for the floor of its scores."""
    for split, number in (("train", 49), ("val", 10)):
        for index in range(number):
            path = tmp_path / f"photos/{split}/rare/{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (index, 0, 0)).save(path)
    photos = ["--config.dataset.name=photos", "--config.dataset.root=photos", *STEPS]
    said = run("pipeline", *photos, folder=tmp_path).stdout
    words = "too few images for scores, which want 50 training and 10 test images: label 0 (rare)\n"
    assert said.index(words) < said.index("[2/6] launch")
    assert f"[4/6] evaluate: left out; {words}" in said
    for name in ("samples.png", "report.html", "grid.png"):
        assert (tmp_path / "runs/photos" / name).exists()
    assert (tmp_path / "saved_models/photos/manifest.json").exists()
    said = run("pipeline", *photos, folder=tmp_path).stdout
    assert said.index("data/photos-8 is prepared already") < said.index(words) < said.index("[2/6] launch")
    (tmp_path / "photos/train/rare/0.png").unlink()
    said = run("pipeline", *photos, folder=tmp_path).stdout
    assert "but the files of label 0 in photos have changed since: delete it and run this again" in said
    done = run("evaluate", *photos, folder=tmp_path, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr == f"error: {words.strip()}; add some\n"
