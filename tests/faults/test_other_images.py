"""A data set that is prepared again with one more label, so that all others get other indices."""

import shutil

import cases
import numpy as np
import pytest
from conftest import STEPS, made_once, run
from PIL import Image

from wcgan_tf.core import errors, records
from wcgan_tf.core.paths import RunPaths

PHOTOS = [*cases.PHOTOS, "--config.dataset.data_dir=data"]


def add_a_label(folder) -> None:
    """`ant`, which comes before `kind 0`."""
    for split in ("train", "val"):
        shutil.copytree(folder / f"photos/{split}/kind 0", folder / f"photos/{split}/ant")
        Image.fromarray(np.full([9, 9, 3], 200, np.uint8)).save(folder / f"photos/{split}/ant/0.png")
    shutil.rmtree(folder / "data")
    run("prepare", *PHOTOS, folder=folder)


@pytest.fixture
def grown(tmp_path_factory, tmp_path):
    """A run of three labels and their model, and then a data set of four."""

    def make(folder):
        cases.photographs(folder, folder)
        run("prepare", *PHOTOS, folder=folder)
        for label in range(3):
            run("train", f"--label={label}", *PHOTOS, *STEPS, folder=folder)
        run("combine", *PHOTOS, folder=folder)
        add_a_label(folder)

    return shutil.copytree(made_once(tmp_path_factory, "grown", make), tmp_path / "grown")


def refused(folder, program: str, *arguments: str) -> str:
    done = run(program, *PHOTOS, *arguments, folder=folder, check=False)
    assert done.returncode == errors.WRONG_INPUT
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_generator_of_other_images_is_not_combined_under_their_name(grown):
    before = (grown / "saved_models/photos/manifest.json").read_text()
    run("train", "--label=3", *PHOTOS, *STEPS, folder=grown)
    words = "labels 0-2 cannot be taken; the first: runs/photos/labels/00000 was trained on other images than those of "
    assert f"{words}label 0 (ant) now; type another --workdir, or delete that folder" in refused(
        grown, "combine", "--overwrite"
    )
    assert "photos was trained otherwise than runs/photos: other labels" in refused(grown, "combine", "--replace=3")
    assert (grown / "saved_models/photos/manifest.json").read_text() == before
    said = run("combine", "--partial", "--overwrite", *PHOTOS, folder=grown).stdout
    assert said.count("left out: label ") == 3
    assert "combined 1 of 4 labels" in said


def test_a_pipeline_leaves_them_out(grown):
    done = run("pipeline", "--partial", "--skip=evaluate", *PHOTOS, *STEPS, folder=grown, check=False)
    assert "combined 1 of 4 labels" in done.stdout, done.stderr
    said = (grown / "runs/photos/report.html").read_text()
    assert said.count("was trained on other images than those of label") == 3


def test_a_model_of_other_labels_is_neither_scored_nor_shown(grown):
    for program in ("evaluate", "report"):
        words = "the model has other labels than the data set that is prepared now ('kind 0' there, 'ant' here)"
        assert words in refused(grown, program)


def test_a_report_warns_of_what_does_not_belong_together(whole):
    run_folder = RunPaths(whole / "runs/digits")
    config = run_folder.label(1).config
    settings = records.decode(config.read_bytes(), dict)
    settings["model"]["width"] = 5
    records.write(config, settings)
    with run_folder.label(0).metrics.open("a") as file:
        file.write("{damaged}\n")
    run_folder.scores.write_text("{")
    said = run("report", folder=whole).stdout
    page = run_folder.report.read_text()
    for words in (
        "label 1 was trained otherwise than label 0, whose settings are shown: model.width (4 there, 5 here)",
        "metrics.jsonl has damaged rows (1), which are left out",
        "scores.json is damaged, or of another version; delete it and run: python -m wcgan_tf.evaluate",
    ):
        assert words in said
        assert words in page
