"""Quarter turns and reflections of images, and of the hashes that find their copies."""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from medmodel.data.image_stats import FREQUENCIES

_DOWN, _ACROSS = FREQUENCIES.T
_PLACES = {tuple(pair): at for at, pair in enumerate(FREQUENCIES.tolist())}
_SWAPPED = np.array([_PLACES.get((v, u), -1) for u, v in FREQUENCIES.tolist()])
"""Where the frequency with down and across exchanged stands; -1 if it is in no hash."""


class Turn(Enum):
    """How the one image becomes the other.

    Each value says whether rows and columns are exchanged first, and whether then the
    rows and the columns are reversed. A quarter turn the other way round is the same
    pair of images in the other order.
    """

    MIRRORED = (False, False, True)
    UPSIDE_DOWN = (False, True, False)
    HALF_TURN = (False, True, True)
    QUARTER_TURN = (True, True, False)
    TRANSPOSED = (True, False, False)
    TRANSVERSED = (True, True, True)

    @property
    def own_inverse(self) -> bool:
        """Whether it also makes the one image of the other."""
        return self is not Turn.QUARTER_TURN


def turned_image(pixels: npt.NDArray[np.uint8], turn: Turn) -> npt.NDArray[np.uint8]:
    """An image, (height, width), turned."""
    exchanged, rows, columns = turn.value
    turned = pixels.T if exchanged else pixels
    return turned[:: -1 if rows else 1, :: -1 if columns else 1]


def comparable_hashes(hashes: npt.NDArray[np.int8], turn: Turn) -> npt.NDArray[np.int8]:
    """Hashes, (n, 32), without what those of turned images cannot have."""
    exchanged, _, _ = turn.value
    return hashes * (_SWAPPED >= 0) if exchanged else hashes


def turned_hashes(hashes: npt.NDArray[np.int8], turn: Turn) -> npt.NDArray[np.int8]:
    """Hashes of turned images, (n, 32), from those of the images.

    A reflected cosine of odd frequency changes its sign. Frequencies whose exchanged
    ones are in no hash are 0, as `comparable_hashes` makes them.
    """
    exchanged, rows, columns = turn.value
    turned = comparable_hashes(hashes[:, _SWAPPED] if exchanged else hashes, turn)
    signs = np.ones(len(_DOWN), np.int8)
    if rows:
        signs = signs * np.where(_DOWN % 2, -1, 1)
    if columns:
        signs = signs * np.where(_ACROSS % 2, -1, 1)
    return (turned * signs).astype(np.int8)
