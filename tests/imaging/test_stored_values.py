"""A scanner's values as 16-bit numbers and back."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.imaging.stored_values import PADDING, StoredValues, store_values


def restored(values: StoredValues) -> npt.NDArray[Any]:
    return values.stored * values.slope + values.intercept


def test_whole_numbers_are_exact() -> None:
    values = np.array([[-1024, 0, 3071]], np.float32)
    stored = store_values(values)
    assert stored.stored.tolist() == [[1, 1025, 4096]]
    assert (stored.slope, stored.intercept) == (1, -1025)


def test_padding_is_none_of_the_values() -> None:
    stored = store_values(np.array([[np.nan, 5, np.inf, 6]], np.float32))
    assert stored.stored.tolist() == [[PADDING, 1, PADDING, 2]]
    with pytest.raises(ValueError, match="no finite value"):
        store_values(np.full((1, 2), np.nan, np.float32))


def test_the_widest_range_of_whole_numbers_that_fits() -> None:
    fits = store_values(np.array([[0, 65534]], np.float32))
    assert (fits.slope, fits.stored.tolist()) == (1, [[1, 65535]])
    wider = store_values(np.array([[0, 65535]], np.float32))
    assert wider.slope == 65535 / 65534 and wider.stored.tolist() == [[1, 65535]]


def test_fractions_and_one_value() -> None:
    half = store_values(np.array([[0, 0.5, 1]], np.float32))
    assert half.slope == 1 / 65534 and half.stored.tolist() == [[1, 32768, 65535]]
    one = store_values(np.array([[0.25]], np.float32))
    assert restored(one).tolist() == [[0.25]]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20))
def test_a_value_comes_back_to_half_a_step(numbers: list[float]) -> None:
    values = np.array([numbers], np.float32)
    stored = store_values(values)
    error = np.abs(restored(stored) - values.astype(np.float64)).max()
    assert error <= stored.slope / 2 * (1 + 1e-6) + 1e-9


def test_the_low_byte_comes_first() -> None:
    stored = StoredValues(np.array([[1, 256]], np.uint16), 1, 0)
    assert gzip.decompress(stored.compressed()) == b"\x01\x00\x00\x01"
