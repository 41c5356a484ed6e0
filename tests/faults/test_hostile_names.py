"""Labels with hostile names, from their folders and from a table of words, through the whole chain."""

import re
import unicodedata

import numpy as np
import pytest
from conftest import STEPS, made_once, run
from PIL import Image

WORDS = {  # a folder -> its name in synset_words.txt
    "n00": "../../x",
    "n01": "a/b",
    "n02": "a,b",
    "n03": "<script>alert(1)</script>",
    "n04": "con",
    "n05": "x" * 300,
    "n06": "\u202egnp.exe",  # turns what follows it around on a terminal
    "n07": "\x1b[2Jcleared",  # an escape sequence
    "n08": "{{ 7 * 7 }}",
}
FOLDERS = ["x..", "A", "a", "--help", "$(touch pwned)", "`touch pwned`", "two\nlines", "\N{PILE OF POO}", "7", "é"]
PHOTOS = ["--config.dataset.name=photos", "--config.dataset.root=photos", "--config.dataset.resolution=8", *STEPS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder, inside of another one, where the pipeline has run on these labels; what it printed is in said.txt."""

    def make(around):
        inside = around / "deep/inside"
        random = np.random.default_rng(0)
        for label in [*WORDS, *FOLDERS]:
            for split in ("train", "val"):
                place = inside / "photos" / split / label
                place.mkdir(parents=True)
                Image.fromarray(random.integers(0, 255, [8, 8, 3], np.uint8)).save(place / "one.png")
        table = "".join(f"{label} {words}\n" for label, words in WORDS.items())
        (inside / "photos/synset_words.txt").write_text(table)
        (inside / "said.txt").write_text(run("pipeline", *PHOTOS, folder=inside).stdout)
        sample = ["--num=1", "--format=folder", "--output=samples"]
        for program, *more in (["status"], ["sample", *sample], ["report"], ["combine", "--overwrite"]):
            done = run(program, *PHOTOS, *more, folder=inside)
            with (inside / "said.txt").open("a") as file:
                file.write(done.stdout)

    return made_once(tmp_path_factory, "hostile", make) / "deep/inside"


def test_no_file_leaves_its_folder_and_nothing_is_run(folder):
    assert [path.name for path in folder.parent.parent.iterdir()] == ["deep"]
    assert [path.name for path in folder.parent.iterdir()] == ["inside"]
    own = {"photos", "data", "runs", "saved_models", "samples", "said.txt"}
    assert {path.name for path in folder.iterdir()} == own
    assert not list(folder.rglob("pwned"))
    number = len(WORDS) + len(FOLDERS)
    assert len(list((folder / "runs/photos/labels").iterdir())) == number
    assert len(list((folder / "samples").glob("*/*.png"))) == number
    for place in (folder / "runs", folder / "samples", folder / "data"):
        for path in place.rglob("*"):
            assert re.fullmatch(r"[\w.-]+", path.name), path


def test_no_markup_reaches_the_page(folder):
    page = (folder / "runs/photos/report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "{{ 7 * 7 }}" in page


def test_no_control_character_reaches_the_terminal_or_the_page(folder):
    page = (folder / "runs/photos/report.html").read_text()
    logs = [path.read_text() for path in folder.glob("runs/photos/labels/*/log.txt")]
    assert len(logs) == len(WORDS) + len(FOLDERS)
    for text in [(folder / "said.txt").read_text(), page, *logs]:
        strange = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf")}
        assert strange <= {"\n", "\t"}
