"""Labels as users type them."""

import pytest

from wcgan_tf.core.errors import UserError
from wcgan_tf.core.labels import label_title, number_of_labels, parse_labels, parse_model_labels

NAMES = ["3", "tench, Tinca tinca", "cat", "ant", "t-shirt", "9-12"]  # the label named 3 is label 0


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("1-3", [1, 2, 3]),
        ("5,0,0", [0, 5]),
        ("tench, Tinca tinca", [1]),
        ("cat,tench, Tinca tinca,0-1", [0, 1, 2]),
        ("t-shirt", [4]),
        ("9-12", [5]),
        ("3", [3]),
        ("2-3", [2, 3]),
        (" ant , 2", [2, 3]),
    ],
)
def test_a_list_of_labels_is_parsed(text, labels):
    assert parse_labels(text, NAMES) == labels


MONTHS = sorted(str(month) for month in range(1, 13))  # 1, 10, 11, 12, 2, ...


@pytest.mark.parametrize(
    ("text", "labels", "said"),
    [
        ("11", [11], ["a number is an index: 11 is the label called 9; by its name, it is typed name:9"]),
        ("name:11", [2], []),
        ("name:12,0-1", [0, 1, 3], ["a number is an index: 0 is the label called 1; by its name, it is typed name:1"]),
        ("", list(range(12)), []),
    ],
)
def test_names_that_are_numbers_can_be_typed_and_are_told_from_indices(text, labels, said):
    told = []
    assert parse_labels(text, MONTHS, told.append) == labels
    assert told == said
    with pytest.raises(UserError, match="no label '12'; the labels are 0 to 11; the label called 12 is name:12"):
        parse_labels("12", MONTHS)


def test_a_name_that_is_its_own_index_needs_no_word():
    assert parse_labels("3,name:4", [str(digit) for digit in range(10)], pytest.fail) == [3, 4]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("6", "no label '6'; the labels are 0 to 5"),
        ("3-6", "no label '3-6'"),
        ("2-1", "'2-1' goes backwards; type 1-2"),
        ("cat,dgo", "no label 'dgo'; type 0 to 5, or a name"),
        ("cat,,ant", "no label ''"),
        ("t-shrt", "did you mean t-shirt"),
        ("-1", "no label '-1'; type 0 to 5"),
        ("9" * 5000, "no label '9999"),
    ],
)
def test_a_wrong_label_in_a_list_is_named(text, words):
    with pytest.raises(UserError, match=words):
        parse_labels(text, NAMES)


def test_labels_missing_from_a_model_are_named():
    assert parse_model_labels("", NAMES, [1, 2]) == [1, 2]
    assert parse_model_labels("cat", NAMES, [1, 2]) == [2]
    with pytest.raises(UserError, match=r"no generator of label 3 \(ant\); it has 1-2"):
        parse_model_labels("cat,ant", NAMES, [1, 2])


def test_labels_and_counts_have_titles():
    assert label_title(3, "3") == "label 3"
    assert label_title(2, "cat") == "label 2 (cat)"
    assert (number_of_labels(1), number_of_labels(3)) == ("1 label", "3 labels")
