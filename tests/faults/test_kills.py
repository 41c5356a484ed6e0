"""Programs that are killed right after a change of a file; `torture.py` kills them after each."""

import shutil

import cases
import killing
import pytest

POINTS = {  # changes of files after which a program is killed
    "train": [25, 110, 170],
    "train further": [60, 120, 150],
    "prepare": [30, 90, 150],
    "combine": [30, 42],
    "combine --replace": [35, 50],
    "evaluate": [8, 15],
    "report": [40],
}


@pytest.mark.skipif(not killing.is_possible(), reason="needs strace")
@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_after_a_kill_everything_is_whole_and_the_same_command_ends_it(whole_chain, tmp_path, case):
    begin, undisturbed = tmp_path / "begin", tmp_path / "undisturbed"
    begin.mkdir()
    case.begin(whole_chain[0], begin)
    shutil.copytree(begin, undisturbed)
    expected = cases.run_to_the_end(case, undisturbed)
    for number in POINTS[case.name]:
        folder = shutil.copytree(begin, tmp_path / str(number))
        assert killing.kill_after(number, case.words, folder), "it had ended"
        assert cases.not_whole(folder) == []
        assert cases.run_to_the_end(case, folder) == expected
