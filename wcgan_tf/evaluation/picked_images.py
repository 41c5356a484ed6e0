"""Images of many labels that are read from the labels' files when they are used: they need not fit into memory."""

import numpy as np


class PickedImages:
    """Some images of each label, one label after another.

    Args:
        parts: the images of each label, uint8 [n, H, W, C]; may be mapped from files.
        rows: for each label, which of its images, int64 [m].
    """

    def __init__(self, parts: list[np.ndarray], rows: list[np.ndarray]) -> None:
        self._parts = parts
        self._part = np.repeat(np.arange(len(parts)), [len(own) for own in rows])
        self._row = np.concatenate(rows)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        height, width, channels = self._parts[0].shape[1:]
        return height, width, channels

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, chosen: np.ndarray) -> np.ndarray:
        """The chosen images, by their indices int64 [k], as an array of their own."""
        places = zip(self._part[chosen], self._row[chosen], strict=True)
        return np.stack([self._parts[part][row] for part, row in places])
