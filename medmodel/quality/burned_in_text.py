"""Letters in images: lines of text, and single markers such as an R on plain ground.

Bones, vessels and folds are narrow and bright as well. What they hardly do is to stand
in a row, equally high and equally grey, or alone on plain ground.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]

FEWEST_PIXELS = 100
"""Letters in smaller images cannot be told from what is shown."""
_STROKE = 9
"""A stroke of a letter is narrower than so many pixels."""
_STEP, _LONE_STEP = 60, 100
"""Grey levels by which strokes differ from what is around them: of letters in a row,
and of one alone at its strongest."""
_ABOVE_NOISE = 2.6
"""Strokes differ by so many times what the median place near the edges does."""
_BAND = 0.22
"""Letters stand so near to an edge, as a part of the side."""
_LOW, _LONE_LOW, _HIGH = 5, 7, 0.12
"""Height of a letter: pixels at least, and largest part of the longer side."""
_ROW = 3
"""Letters of a line of text at least."""
_PLAIN = 14.0
"""Standard deviation of the ground around a letter that stands alone, at most."""
_MOST = 1000
"""More narrow marks than these are a texture."""


class _Mark(NamedTuple):
    """A narrow mark as large as a letter: where it is, and the grey of its strokes."""

    number: int
    top: int
    left: int
    high: int
    wide: int
    grey: float
    step: float

    def follows(self, other: _Mark) -> bool:
        """Whether both may be letters of a line, `other` to the left."""
        low, high = sorted((self.high, other.high))
        shift = abs(2 * self.top + self.high - 2 * other.top - other.high)
        apart = self.left - other.left - other.wide
        return (
            apart >= -0.3 * other.wide
            and high <= 1.45 * low
            and shift <= max(1, 0.15 * high)
            and abs(self.grey - other.grey) <= 40
        )


def letters(grey: Grey) -> int:
    """How many marks that look like letters stand near the edges, bright or dark.

    What is narrow and bright remains when an image is taken away from its opening,
    and what is narrow and dark when its closing is (top-hats: Serra, Image Analysis
    and Mathematical Morphology, 1982).

    Args:
        grey: uint8 (height, width).
    """
    from scipy.ndimage import grey_closing, grey_opening

    if min(grey.shape) < FEWEST_PIXELS:
        return 0
    values = grey.astype(np.int16)
    size = (_STROKE, _STROKE)
    bright = values - grey_opening(grey, size)
    dark = grey_closing(grey, size).astype(np.int16) - values
    # Holes of bright letters are dark marks, which would count them twice. Markers of
    # lead are bright: a single dark mark is dust or a cell.
    return max(_letters(values, bright, lone=True), _letters(values, dark, lone=False))


def _letters(
    values: npt.NDArray[np.int16], narrow: npt.NDArray[np.int16], lone: bool
) -> int:
    """Letters among what is narrow, both (height, width); those alone if wished."""
    from scipy.ndimage import label

    height, width = values.shape
    top, left = round(_BAND * height), round(_BAND * width)
    edge = np.ones(values.shape, bool)
    edge[top : height - top, left : width - left] = False
    step = max(_STEP, _ABOVE_NOISE * float(np.median(narrow[edge])))
    parts, count = label((narrow >= step) & edge, np.ones((3, 3)))
    if not 0 < count <= _MOST:
        return 0
    marks = sorted(_marks(values, narrow, parts), key=lambda mark: mark.left)
    rows = _rows(marks)
    in_rows = {mark.number for row in rows for mark in row}
    if not lone:
        return len(in_rows)
    strong = max(_LONE_STEP, 1.5 * step)
    return len(in_rows) + sum(
        mark.step >= strong and _alone(mark, values, parts)
        for mark in marks
        if mark.number not in in_rows
    )


def _marks(
    values: npt.NDArray[np.int16],
    narrow: npt.NDArray[np.int16],
    parts: npt.NDArray[np.int32],
) -> list[_Mark]:
    """The parts that have the size of letters."""
    from scipy.ndimage import find_objects

    largest = _HIGH * max(values.shape)
    marks = []
    for number, place in enumerate(find_objects(parts), 1):
        high, wide = (part.stop - part.start for part in place)
        if not (_LOW <= high <= largest and wide <= 2 * high and high <= 8 * wide):
            continue
        inside = parts[place] == number
        grey = float(np.median(values[place][inside]))
        step = float(narrow[place][inside].max())
        top, left = (part.start for part in place)
        marks.append(_Mark(number, top, left, high, wide, grey, step))
    return marks


def _rows(marks: list[_Mark]) -> list[list[_Mark]]:
    """Marks that stand side by side like the letters of a line; sorted by `left`."""
    rows: list[list[_Mark]] = []
    taken: set[int] = set()
    for first, start in enumerate(marks):
        if start.number in taken:
            continue
        row = [start]
        for mark in marks[first + 1 :]:
            last = row[-1]
            if mark.left - last.left - last.wide > 0.9 * max(last.high, mark.high):
                break
            if mark.follows(last):
                row.append(mark)
        if len(row) >= _ROW:
            rows.append(row)
            taken |= {mark.number for mark in row}
    return rows


def _alone(
    mark: _Mark, values: npt.NDArray[np.int16], parts: npt.NDArray[np.int32]
) -> bool:
    """Whether a mark is shaped like a letter and stands on plain ground."""
    from scipy.ndimage import binary_dilation

    if mark.high < _LONE_LOW or not 0.3 * mark.high <= mark.wide <= 1.6 * mark.high:
        return False
    around = 5
    place = (
        slice(max(0, mark.top - around), mark.top + mark.high + around),
        slice(max(0, mark.left - around), mark.left + mark.wide + around),
    )
    near = binary_dilation(parts[place] == mark.number, np.ones((3, 3)), iterations=2)
    ground = values[place][~near]
    return bool(len(ground)) and float(ground.std()) <= _PLAIN
