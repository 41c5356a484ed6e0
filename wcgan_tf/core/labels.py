"""Parsing and formatting of labels: lists such as `0-4,7,cat`, and titles such as `label 3 (cat)`."""

import difflib
import re
from collections.abc import Callable

from wcgan_tf.core.console import print_error
from wcgan_tf.core.errors import UserError

INDEX = r"[0-9]{1,9}"


def parse_labels(text: str, names: list[str], say: Callable[[str], None] = print_error) -> list[int]:
    """The labels of a list such as `0-4,7,cat`, sorted and without duplicates; all labels if it is empty.

    A number is always an index, even if a label has that name; `name:12` is the label called 12.  A name may contain
    commas and hyphens.

    Args:
        text: indices, inclusive ranges of indices, and names, separated by commas.
        names: the names of all labels.
        say: called with a line if labels are called by other numbers than their indices, and there is an index.

    Raises:
        UserError: if a part is no label; the message suggests the closest name.
    """
    if not text.strip():
        return list(range(len(names)))
    chosen: set[int] = set()
    numbers: set[int] = set()  # typed as such
    parts, known = text.split(","), set(names)
    longest = 1 + max(name.count(",") for name in names)  # parts of a name
    while parts:
        most = min(longest, len(parts))
        taken = next((n for n in range(most, 0, -1) if ",".join(parts[:n]).strip() in known), 1)
        part, parts = ",".join(parts[:taken]).strip(), parts[taken:]
        ends = re.fullmatch(f"({INDEX})(?:-({INDEX}))?", part)
        if not ends or (ends[2] and part in names):
            chosen.add(_index(part, names))
        else:
            first, last = int(ends[1]), int(ends[2] or ends[1])
            if first > last:
                raise UserError(f"{part!r} goes backwards; type {last}-{first}")
            if last >= len(names):
                called = f"; the label called {part} is name:{part}" if part in names else ""
                raise UserError(f"there is no label {part!r}; the labels are 0 to {len(names) - 1}{called}")
            numbers |= set(range(first, last + 1))
    if meanings := list(filter(None, (meaning_of_number(label, names[label]) for label in sorted(numbers)))):
        say(meanings[0])
    return sorted(chosen | numbers)


def meaning_of_number(label: int, name: str) -> str:
    """What to know where a label is called by another number than its index; "" elsewhere."""
    if not re.fullmatch(INDEX, name) or int(name) == label:
        return ""
    return f"a number is an index: {label} is the label called {name}; by its name, it is typed name:{name}"


def parse_model_labels(
    text: str, names: list[str], there: list[int], say: Callable[[str], None] = print_error
) -> list[int]:
    """As `parse_labels`, but refuses labels not in `there`, the labels of a model; all of `there` if `text` is empty.

    Raises:
        UserError: if a part is no label, or the model has no generator for it.
    """
    if not text.strip():
        return there
    chosen = parse_labels(text, names, say)
    if absent := [label for label in chosen if label not in there]:
        raise UserError(
            f"the model has no generator of label {absent[0]} ({names[absent[0]]}); it has {format_labels(there)}"
        )
    return chosen


def format_labels(labels: list[int]) -> str:
    """The shortest list that `parse_labels` reads: [0, 1, 2, 5] -> "0-2,5"."""
    ranges: list[list[int]] = []
    for label in sorted(labels):
        if ranges and label == ranges[-1][1] + 1:
            ranges[-1][1] = label
        else:
            ranges.append([label, label])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def label_title(label: int, name: str) -> str:
    """`label 3 (cat)`, or `label 3` if its name equals its index."""
    return f"label {label}" + (f" ({name})" if name != str(label) else "")


def number_of_labels(number: int) -> str:
    """`1 label`, `3 labels`."""
    return f"{number} label" + ("" if number == 1 else "s")


def _index(text: str, names: list[str]) -> int:
    """The index of a label's name; raises a UserError if there is none."""
    for name in (text, text.removeprefix("name:")):
        if name in names:
            return names.index(name)
    near = difflib.get_close_matches(text, names, n=1)
    wanted = (
        f"did you mean {near[0]}?" if near and not text.startswith("-") else f"type 0 to {len(names) - 1}, or a name"
    )
    raise UserError(f"there is no label {text!r}; {wanted}")
