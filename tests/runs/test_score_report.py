"""scores.json."""

from examples import label_scores

from wcgan_tf.runs.score_report import worst_first


def test_the_worst_label_is_the_farthest_above_real_images():
    """A label whose real images differ much has a large distance, and need not be a bad one."""
    by_label = {
        0: label_scores(0, {"kernel_distance": 0.3}, {"kernel_distance": 0.5}),
        1: label_scores(1, {"kernel_distance": 0.2}, {"kernel_distance": 0.0}),
        2: label_scores(2, {"kernel_distance": None}, {"kernel_distance": None}),
        3: label_scores(3, {"kernel_distance": 0.2}, {"kernel_distance": 0.0}),
    }
    assert worst_first(by_label) == [1, 3, 2, 0]
