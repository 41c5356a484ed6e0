"""A verdict on each label: a word, and the rule behind it.  No TensorFlow.

The rules compare the scores of a label alone with those of real images, so that they hold for any data set and
classifier.  To add one: a row in RULES, before the rules over which it takes precedence.
"""

from collections.abc import Callable
from typing import NamedTuple

from wcgan_tf.runs.label_status import LabelStatus

COPIED_SHARE = 0.6  # of the distance from unseen real images to the training images
VARIETY_SHARE = 0.45  # of the distance between real images; collapsed generators had 0.26 to 0.31
COVERAGE_SHARE = 0.5  # of the coverage of real images

Scores = dict[str, float]


class Verdict(NamedTuple):
    """A verdict in a word, and the figures that led to it."""

    word: str
    reason: str


class Rule(NamedTuple):
    """A verdict and its condition."""

    word: str  # the verdict
    meaning: str  # the condition, in words
    # (status, scores, scores of real images) -> the figures behind the verdict; None if the condition is not met
    wrong: Callable[[LabelStatus, Scores, Scores], str | None]


def _not_done(status: LabelStatus, scores: Scores, real: Scores) -> str | None:
    if status.state == "done":
        return None
    error = f": {status.error}" if status.error else ""
    return f"{status.state}, {100 * status.progress:.0f} % of its budget{error}"


def _collapsed(status: LabelStatus, scores: Scores, real: Scores) -> str | None:
    variety = scores.get("variety", 1.0)
    return f"variety {variety:.2f} of real images" if variety < VARIETY_SHARE else None


def _less(name: str, share: float, scores: Scores, real: Scores) -> str | None:
    """The score and that of real images, in words, if it is less than `share` times the latter; else None."""
    if name not in scores or name not in real or scores[name] >= share * real[name]:
        return None
    return f"{name.replace('_', ' ')} {scores[name]:.2f}, real images {real[name]:.2f}"


RULES = (
    Rule(
        "diverged",
        "a loss or a weight was no longer a finite number; the last good checkpoint is kept",
        lambda status, *_: status.error or "a number was no longer finite" if status.state == "diverged" else None,
    ),
    Rule("not begun", "no process has taken it up yet", lambda status, *_: "" if status.state == "pending" else None),
    Rule("unfinished", "its training has not ended, or failed", _not_done),
    Rule(
        "not scored",
        "there are no scores of its present weights; run evaluate",
        lambda _, scores, __: None if scores else "evaluate has not scored these weights",
    ),
    Rule(
        "collapsed",
        f"its images lie less than {VARIETY_SHARE} times as far from each other as real ones: it draws a few images "
        "again and again",
        _collapsed,
    ),
    Rule(
        "memorising",
        f"its images lie less than {COPIED_SHARE} times as far from the training images as unseen real ones: it copies",
        lambda _, *both: _less("nearest_train", COPIED_SHARE, *both),
    ),
    Rule(
        "undertrained",
        f"its coverage is less than {COVERAGE_SHARE} times that of real images: much of what there is it does not draw "
        "yet; give it more time",
        lambda _, *both: _less("coverage", COVERAGE_SHARE, *both),
    ),
)
FINE = "fine"
MEANINGS = {
    **{rule.word: rule.meaning for rule in RULES},
    FINE: "none of the others: nothing is plainly wrong; how good it is, its scores say",
}


def verdict(status: LabelStatus, scores: Scores, real: Scores) -> Verdict:
    """The verdict of the first rule whose condition is met, else "fine".

    Args:
        scores: of the label's generated images alone, from `evaluate`; empty if there are none.
        real: the same for real images.
    """
    for rule in RULES:
        reason = rule.wrong(status, scores, real)
        if reason is not None:
            return Verdict(rule.word, reason)
    return Verdict(FINE, "")
