"""A scanner's values as 16-bit numbers, for a viewer that windows them itself.

As in a DICOM file, a value is `slope * stored + intercept`.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medmodel.imaging.windows import Values

PADDING = 0
"""The stored number where there is no value."""
_MOST = 2**16 - 1


@dataclass(frozen=True)
class StoredValues:
    """Values of one frame as 16-bit numbers.

    Args:
        stored: uint16 (height, width); 0 where there is no value, see `PADDING`.
        slope: Unit of the values for one step; 1 for whole numbers that fit.
        intercept: The value that a stored 0 would have.
    """

    stored: npt.NDArray[np.uint16]
    slope: float
    intercept: float

    def compressed(self) -> bytes:
        """Row by row, low byte first, as gzip."""
        return gzip.compress(self.stored.astype("<u2").tobytes(), 1, mtime=0)


def store_values(values: Values) -> StoredValues:
    """Whole numbers exactly where their range has room, else to half a step.

    Args:
        values: float32 (height, width); not-a-number and infinity become padding.

    Raises:
        ValueError: There is no finite value.
    """
    is_finite = np.isfinite(values)
    finite = values[is_finite].astype(np.float64)
    if not finite.size:
        raise ValueError("no finite value")
    low, high = float(finite.min()), float(finite.max())
    is_whole = high - low < _MOST and bool((finite == np.rint(finite)).all())
    slope = 1.0 if is_whole or high == low else (high - low) / (_MOST - 1)
    stored = np.full(values.shape, PADDING, np.uint16)
    stored[is_finite] = np.rint((finite - low) / slope).astype(np.uint16) + 1
    return StoredValues(stored, slope, low - slope)
