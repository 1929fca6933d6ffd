"""A table of levels makes the very same image as work on every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.core.errors import ImageError
from medmodel.imaging import lut
from medmodel.imaging.dicom import reading
from medmodel.imaging.windows import percentile_window
from tests.dicom_files import dicom_bytes, dicom_dataset, dicom_file

SETTINGS: list[dict[str, Any]] = [
    {},
    {"ct_as_soft_tissue": True},
    {"window": (40.0, 400.0)},
    {"window": (40.0, 90.0, "SIGMOID")},
]
HEADERS: list[dict[str, Any]] = [
    {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024},
    {"Modality": "MR", "RescaleSlope": -0.7, "RescaleIntercept": 3.3},
    {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": 3},
    {"WindowCenter": 30000, "WindowWidth": 2},
    {"Modality": "CT", "PixelPaddingValue": 0, "PixelPaddingRangeLimit": 90},
    {"WindowCenter": 70, "WindowWidth": 60, "PixelPaddingValue": 77},
]


def answers(file: bytes, **wanted: Any) -> list[Any]:
    """The image as looked up and as computed, or why there is none."""
    found: list[Any] = []
    for values in (False, True):
        try:
            answer = reading.read(file, "x", values=values, **wanted)
        except ImageError as error:
            found.append(str(error))
        else:
            pixels = answer["pixels"]
            found.append((pixels.shape, pixels.tobytes(), answer["window"]))
    return found


@settings(max_examples=40)
@given(
    st.sampled_from(HEADERS),
    st.sampled_from(SETTINGS),
    st.sampled_from(["u1", "<i2", "<u2"]),
    st.integers(1, 1500),
    st.integers(0, 2**32 - 1),
)
def test_looked_up_or_computed_is_the_same(
    header: dict[str, Any], wanted: dict[str, Any], kind: str, span: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    low = -300 if kind == "<i2" else 0
    top = min(span, 255) if kind == "u1" else span
    values = low + rng.integers(0, top + 1, 64 * 72)
    stored = values.astype(kind).reshape(64, 72)
    elements = dict(header)
    if kind == "<i2":
        # The tags of padding take the type of the pixels.
        elements = {k: v for k, v in header.items() if "Padding" not in k}
    one, other = answers(dicom_file(stored, **elements), **wanted)
    assert one == other


def test_signed_padding_beside_and_between_the_values() -> None:
    rng = np.random.default_rng(0)
    stored = rng.integers(-900, 900, (80, 80)).astype("<i2")
    for padding, around in ((-2000, 30), (5, 0), (7, 12)):
        pixels = stored.copy()
        pixels[:around] = padding

        dataset = dicom_dataset(pixels, Modality="CT")
        dataset.add_new(0x00280120, "SS", padding)
        one, other = answers(dicom_bytes(dataset), ct_as_soft_tissue=True)
        assert one == other and not isinstance(one, str)


def test_only_where_it_pays() -> None:
    def none(values: lut.Array) -> None:
        return None

    large = np.arange(4096).reshape(64, 64)
    assert lut.lookup_table(large.astype(np.uint16), none)
    assert lut.lookup_table(large.astype(np.uint16)[:32], none) is None
    assert lut.lookup_table(large, none) is None
    assert lut.lookup_table(large.astype(np.float32), none) is None
    assert lut.lookup_table(large.astype(np.int16), lambda v: v == v) is None


@settings(max_examples=60)
@given(
    st.lists(st.integers(-2000, 2000), min_size=2, max_size=300),
    st.floats(0, 100),
    st.floats(0, 100),
)
def test_percentiles_of_counted_values(
    values: list[int], low: float, high: float
) -> None:
    if len(set(values)) == 1:
        return
    different, counts = np.unique(values, return_counts=True)
    plain = percentile_window(np.array(values, np.float32), low, high)
    shuffled = np.random.default_rng(0).permutation(len(different))
    counted = percentile_window(
        different[shuffled].astype(np.float32), low, high, lambda: counts[shuffled]
    )
    assert counted == plain


@pytest.mark.parametrize("kind", [">i2", "<u2", "i1"])
def test_every_byte_order(kind: str) -> None:
    values = np.arange(4096).reshape(64, 64) % 200 - (100 if "i" in kind else 0)
    stored = values.astype(kind)
    found = lut.lookup_table(stored, lambda v: None)
    assert found
    pixels = (found.values.astype(int) % 256).astype(np.uint8)[..., None]
    assert (found.image(pixels)[..., 0] == (values % 256).astype(np.uint8)).all()
    assert found.counts().sum() == stored.size
