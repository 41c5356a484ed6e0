"""The page: names are always escaped, and a thousand labels make a page that can be mailed."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from wcgan_tf.reporting import charts, page, tensorboard_overview, verdicts
from wcgan_tf.reporting.gallery import LabelPictures
from wcgan_tf.reporting.run_overview import LabelOverview, Overview
from wcgan_tf.runs.label_status import Cost, LabelStatus

EVIL = '<script>alert("1")</script>'
NAMES = [EVIL, "_names", "$x_2$", "{{ 7*7 }}", 'a" onload="b', "猫"]
COMMANDS = page.Commands("python -m wcgan_tf.pipeline", "python -m wcgan_tf.combine", "python -m wcgan_tf.evaluate")
WARNINGS = [f"{EVIL} is damaged"]
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def label(index: int, name: str, rows: int = 3) -> LabelOverview:
    status = LabelStatus(
        state="done", step=30, seconds=9.0, progress=1.0, images_per_second=100.0 + index, device="CPU:0"
    )
    scores = {
        "kernel_distance": 0.1 * index,
        "frechet_distance": 1.0,
        "coverage": 0.9,
        "variety": 1.0,
        "nearest_train": 2.0,
    }
    curve = [
        {"step": 10.0 * n, "seconds": 3.0 * n, "wasserstein_estimate": 0.1 * n, "kernel_distance": 1.0}
        for n in range(1, rows)
    ]
    return LabelOverview(
        index, name, status, verdicts.verdict(status, scores, scores), curve, scores, scores, {index: 1.0}, True
    )


def events(folder: Path) -> list:
    """All events of TensorBoard's files in a folder."""
    return [
        event for path in sorted(folder.glob("events*")) for event in tf.compat.v1.train.summary_iterator(str(path))
    ]


def run_of(names: list[str], rows: int = 3) -> Overview:
    labels = [label(index, name, rows) for index, name in enumerate(names)]
    return Overview(
        Path("runs/x"), labels, names, {"dataset": {"name": "photos"}}, None, "domain", Cost(1.0), LabelStatus(), []
    )


def rendered(run: Overview, shown: int) -> str:
    exhibits = {own.label: LabelPictures(PIXEL, PIXEL, PIXEL, [10, 20], PIXEL) for own in run.labels[:shown]}
    return page.render(run, exhibits, COMMANDS, WARNINGS, "today")


def test_names_are_escaped_on_the_page():
    text = rendered(run_of(NAMES), len(NAMES))
    assert EVIL not in text
    assert "&lt;script&gt;alert(" in text
    assert "{{ 7*7 }}" in text
    assert 'onload="b' not in text
    assert "猫" in text
    assert len(re.findall("<script>", text)) == 1


def test_a_lone_surrogate_does_not_stop_the_page():
    run = run_of(["cat"])
    run.settings["dataset"]["name"] = "a\ud800b"
    assert "a?b" in rendered(run, 1)


def test_every_picture_has_alt_text_and_is_embedded():
    text = rendered(run_of(NAMES), len(NAMES))
    pictures = re.findall(r"<img [^>]*>", text)
    assert len(pictures) > 4 * len(NAMES)
    for picture in pictures:
        assert re.search(r'alt="[^"]+"', picture)
        assert re.search(r'src="data:image/(png|jpeg);base64,', picture)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)


def test_a_thousand_labels_make_a_page_under_ten_megabytes():
    run = run_of([f"label {index} of many" for index in range(1000)], rows=100)
    text = rendered(run, 24)
    assert text.count("<tr>") > 1000
    assert len(text.encode()) < 10e6 - 24 * 4 * 40e3  # room for pictures of 40 kB
    assert "24 of 1000 labels: " in text


def test_pictures_are_shown_without_scores():
    run = run_of(["cat"])
    run.labels[0] = run.labels[0]._replace(scores={}, real={})
    assert "nearest to them" in rendered(run, 1)


def test_a_run_that_has_only_begun_makes_a_page():
    names = ["a", "b"]
    states = [LabelStatus(state="running", progress=0.1), LabelStatus()]
    labels = [
        LabelOverview(index, name, state, verdicts.verdict(state, {}, {}), [], {}, {}, {}, False)
        for index, (name, state) in enumerate(zip(names, states, strict=True))
    ]
    text = rendered(Overview(Path("runs/x"), labels, names, {}, None, "", Cost(), LabelStatus(), []), 0)
    assert "1 unfinished" in text
    assert "1 not begun" in text
    assert "There are no scores" in text
    assert COMMANDS.combine in text


def test_the_spread_of_three_lines_is_their_quantiles():
    lines = [np.array([[0.0, value], [10.0, value]]) for value in (1.0, 2.0, 6.0)]
    across, (low, middle, high) = charts.spread(lines, 5)
    np.testing.assert_allclose(across, [0.0, 2.5, 5.0, 7.5, 10.0])
    np.testing.assert_allclose(middle, 2.0)
    np.testing.assert_allclose(low, 1.2)
    np.testing.assert_allclose(high, 5.2)


def test_the_beginning_of_a_curve_does_not_flatten_the_rest():
    line = np.array([1e6] * 10 + [1.0, 2.0] * 45)
    low, high = charts._limits([line, line])
    assert 0.0 < low < 1.0
    assert 2.0 < high < 3.0


def test_lines_that_never_overlap_have_no_spread():
    lines = [np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[5.0, 1.0], [6.0, 1.0]])]
    across, quantiles = charts.spread(lines, 5)
    assert len(across) == 0
    assert quantiles.shape == (3, 0)


@pytest.mark.parametrize("number", [1, 6, 50])
def test_charts_are_drawn_for_few_and_many_labels(number):
    run = run_of([f"${index}_x$" for index in range(number)])
    for figure in (charts.curves(run.labels, "kernel_distance", "kernel_distance"), charts.speeds(run.labels)):
        figure.savefig("/dev/null", format="png")
    assert (charts.confusion(run.labels, run.names) is None) == (number > charts.MOST_CELLS)
    assert charts.curves(run.labels, "no_such_value", "") is None


def test_tensorboard_gets_one_run_of_all_labels(tmp_path):
    run = run_of(["cat", "dog | *x*\n"])
    for _ in range(2):  # the second replaces the first
        tensorboard_overview.write(run, np.zeros([4, 8, 3], np.uint8), tmp_path / "overview")
    values = [value for event in events(tmp_path / "overview") for value in event.summary.value]
    tags = [value.tag for value in values]
    assert tags.count("labels, the worst first") == 1
    (table,) = [value.tensor.string_val[0].decode() for value in values if value.tag == "labels, the worst first"]
    assert "| cat | fine |" in table
    assert "dog &#124; &#42;x&#42;? |" in table
    assert "generated, a row per label" in tags


def test_the_median_and_spread_of_all_labels_have_the_tags_of_a_label(tmp_path):
    run = run_of(["a", "b", "c"])
    for own, value in zip(run.labels, (1.0, 2.0, 6.0), strict=True):
        own.rows[:] = [{"step": step, "seconds": step, "kernel_distance": value} for step in (0.0, 1000.0)]
    tensorboard_overview.write(run, None, tmp_path)
    for place, wanted in (("", 2.0), ("lower_tenth", 1.2), ("upper_tenth", 5.2)):
        curve = {
            event.step: tf.make_ndarray(value.tensor)
            for event in events(tmp_path / place)
            for value in event.summary.value
            if value.tag == "score/kernel_distance"
        }
        assert len(curve) == tensorboard_overview.POINTS
        assert max(curve) == 1000
        np.testing.assert_allclose(list(curve.values()), wanted, rtol=1e-6)


def test_the_settings_that_differ_are_named():
    run = run_of(["cat"])
    run.settings["model"] = {"width": 7, "latent_size": 64}
    text = rendered(run, 1)
    listed = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text[text.index('id="settings"') :])
    assert listed == [("dataset.name", "photos"), ("model.width", "7")]


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (None, 3, ""),
        (999.4, 3, "999"),
        (999.6, 3, "1,000"),
        (0.12345, 3, "0.123"),
        (-12345.6, 3, "-12,346"),
        (9, 3, "9"),
        (0.001234, 2, "0.0012"),
        (-0.00004, 3, "0"),
    ],
)
def test_digits_have_no_exponents(value, digits, shown):
    assert page._digits(value, digits) == shown
