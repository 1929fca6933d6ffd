"""The groups of a map: which get a colour of their own, and the points of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_GROUPS = 8
"""Groups with a colour of their own; more cannot be told apart by colour."""
OTHER = ""
"""The group of all that have no colour of their own; a class has a name."""


def shown_groups(groups: Sequence[str]) -> list[str]:
    """The names that get a colour, the commonest first, ties by name; then `OTHER`."""
    counts = Counter(groups)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    if len(names) <= MOST_GROUPS:
        return names
    return [*names[: MOST_GROUPS - 1], OTHER]


def members(groups: Sequence[str]) -> list[tuple[str, NDArray[np.intp]]]:
    """Name and rows of each group with a colour, in the order of the legend."""
    names = shown_groups(groups)
    position = {name: at for at, name in enumerate(names)}
    last = len(names) - 1
    codes = np.array([position.get(group, last) for group in groups], np.intp)
    return [(name, np.flatnonzero(codes == at)) for at, name in enumerate(names)]
