"""Verdicts by status and scores; the worst one wins."""

import pytest

from wcgan_tf.reporting.verdicts import MEANINGS, verdict
from wcgan_tf.runs.label_status import LabelStatus

DONE = LabelStatus(state="done", progress=1.0)
REAL = {"coverage": 0.96, "nearest_train": 2.0, "variety": 1.0}
GOOD = {"coverage": 0.9, "nearest_train": 1.9, "variety": 0.95}


def test_a_label_like_real_images_is_fine():
    assert verdict(DONE, GOOD, REAL) == ("fine", "")


@pytest.mark.parametrize(
    ("changed", "word", "reason"),
    [
        ({"variety": 0.3}, "collapsed", "variety 0.30 of real images"),
        ({"nearest_train": 1.0}, "memorising", "nearest train 1.00, real images 2.00"),
        ({"coverage": 0.4}, "undertrained", "coverage 0.40, real images 0.96"),
        ({"variety": 0.3, "coverage": 0.1}, "collapsed", "variety 0.30 of real images"),
    ],
)
def test_a_score_far_from_real_images_is_named(changed, word, reason):
    assert verdict(DONE, {**GOOD, **changed}, REAL) == (word, reason)


def test_a_label_that_has_not_ended_is_not_judged_by_its_scores():
    running = LabelStatus(state="running", progress=0.25)
    assert verdict(running, GOOD, REAL) == ("unfinished", "running, 25 % of its budget")
    failed = LabelStatus(state="failed", progress=0.5, error="no space")
    assert verdict(failed, {}, {}) == ("unfinished", "failed, 50 % of its budget: no space")
    assert verdict(LabelStatus(state="diverged"), GOOD, REAL).word == "diverged"
    assert verdict(LabelStatus(), {}, {}) == ("not begun", "")


def test_a_label_without_scores_is_not_called_fine():
    assert verdict(DONE, {}, {}).word == "not scored"


def test_every_verdict_has_its_rule_in_words():
    words = {"diverged", "not begun", "unfinished", "not scored", "collapsed", "memorising", "undertrained", "fine"}
    assert MEANINGS.keys() == words
