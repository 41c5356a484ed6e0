"""Damaged files: every program says so, or is not misled; `torture.py` damages more of them."""

import shutil

import cases
import damage
import pytest
from conftest import made_once, run

SHORT = [  # what other tests do not have
    (damage.flipped, f"{damage.DATA}/classifiers/domain-*.weights.h5"),
    (damage.flipped, f"{damage.LABEL}/checkpoints/ckpt-20.data-00000-of-00001"),
    (damage.of_label_2, f"{damage.DATA}/train/00003.npy"),
    (damage.of_label_2, f"{damage.LABEL}/generator/{damage.WEIGHTS}"),
    (damage.flipped, f"{damage.MODEL}/1/{damage.GRAPH}"),
    (damage.flipped, f"{damage.MODEL}/1/{damage.WEIGHTS}"),
    (damage.truncated, f"{damage.LABEL}/3/events.*"),
    (damage.truncated, f"{damage.LABEL}/metrics.jsonl"),
]


@pytest.fixture(scope="module")
def scored(whole_chain, tmp_path_factory):
    """A folder with two labels, their model, its scores and its report."""
    return made_once(tmp_path_factory, "scored-2-3", lambda folder: cases.scored(whole_chain[0], folder))


@pytest.fixture(scope="module")
def expected(scored, tmp_path_factory):
    """A function: a program -> its result with whole files."""
    known: dict[str, dict[str, str]] = {}

    def after(program: list[str]) -> dict[str, str]:
        if program[0] not in known:
            folder = shutil.copytree(scored, tmp_path_factory.mktemp("expected") / "whole")
            run(*program, folder=folder)
            known[program[0]] = damage.result(program, folder)
        return known[program[0]]

    return after


@pytest.mark.parametrize(("how", "file"), SHORT, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_damaged_file_is_told_or_made_anew(scored, expected, tmp_path, how, file):
    folder = shutil.copytree(scored, tmp_path / "hurt")
    assert damage.try_with(how, file, folder, expected(damage.PROGRAMS[file])) == ""


def test_a_generator_of_another_label_is_not_combined(scored, tmp_path):
    folder = shutil.copytree(scored, tmp_path / "hurt")
    shutil.rmtree(folder / damage.LABEL / "generator")
    shutil.copytree(folder / "runs/digits/labels/00002/generator", folder / damage.LABEL / "generator")
    done = run(*damage.COMBINE, folder=folder, check=False)
    assert done.stderr.startswith(
        "error: runs/digits/labels/00003/generator has weights of another training; delete it"
    )
