"""Lines instead of a bar, where nobody sits at a terminal."""

from wcgan_tf.core import progress


def test_without_a_terminal_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    with progress.Count("photos [train]", 7) as count:
        count.to(3)
        count.say("skipped a.jpg: [broken]")
    with progress.Count("photos", None) as count:
        count.to(4)
    said = capsys.readouterr()
    assert said.err.splitlines() == ["photos [train]: 3 of 7", "photos [train]: skipped a.jpg: [broken]", "photos: 4"]
    assert said.out == ""


def test_a_short_count_says_nothing(capsys):
    with progress.Count("photos", 7) as count:
        count.to(7)
    assert capsys.readouterr().err == ""
