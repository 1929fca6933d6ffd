"""Windows, against numbers worked out from the formulas of the standard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.core.errors import ImageError
from medmodel.imaging import windows
from medmodel.imaging.windows import (
    WINDOWS,
    Window,
    apply_window,
    default_window,
    percentile_window,
    scale_to_uint8,
    show,
)

NAN = float("nan")


def test_linear_is_off_by_half() -> None:
    # PS3.3 C.11.2.1.2.1, note 4: centre 2048, width 4096 leaves 0 to 4095 as they are.
    window = Window(2048, 4096)
    grey = apply_window(np.array([0, 1, 2047, 2048, 4095]), window)
    expected = [round(v / 4095 * 255) for v in (0, 1, 2047, 2048, 4095)]
    assert grey.tolist() == expected


def test_linear_clips_at_its_ends() -> None:
    # centre 50, width 101: black up to -0.5, white from 99.5
    grey = apply_window(np.array([-1000, -0.5, 49.5, 99.5, 1000]), Window(50, 101))
    assert grey.tolist() == [0, 0, 128, 255, 255]


def test_width_one_is_a_step() -> None:
    # PS3.3 C.11.2.1.2.1, note 3
    assert apply_window(np.array([9.4, 9.6]), Window(10, 1)).tolist() == [0, 255]


def test_linear_exact() -> None:
    grey = apply_window(np.array([0, 25, 50, 75, 100]), Window(50, 100, "LINEAR_EXACT"))
    assert grey.tolist() == [0, 64, 128, 191, 255]


def test_sigmoid() -> None:
    # 255 / (1 + exp(-4 (x - c) / w)); at x = c + w / 4: 255 / (1 + 1 / e) = 186.4
    window = Window(10, 20, "SIGMOID")
    grey = apply_window(np.array([-1e9, 10, 15, 1e9]), window)
    assert grey.tolist() == [0, 128, 186, 255]


def test_named_windows_in_hounsfield_units() -> None:
    assert set(WINDOWS) == {
        "lung",
        "bone",
        "brain",
        "soft tissue",
        "liver",
        "mediastinum",
    }
    air, white_matter, bone = -1000, 30, 1000
    assert apply_window(np.array([air, bone]), WINDOWS["brain"]).tolist() == [0, 255]
    assert 0 < apply_window(np.array([white_matter]), WINDOWS["brain"])[0] < 128
    assert apply_window(np.array([-800]), WINDOWS["lung"])[0] > 0


def test_inversion_follows_the_window_and_padding_stays_black() -> None:
    values = np.array([[0, 25], [100, NAN]], np.float32)
    window = Window(50, 100, "LINEAR_EXACT")
    assert show(values, window, False)[..., 0].tolist() == [[0, 64], [255, 0]]
    assert show(values, window, True)[..., 0].tolist() == [[255, 191], [0, 0]]


def test_percentiles_leave_out_extremes_and_what_is_no_number() -> None:
    values = np.array([*range(1000), NAN, float("inf")])
    window = percentile_window(values)
    assert window.center == pytest.approx(499.5)
    assert window.width == pytest.approx(0.99 * 999)


def test_percentiles_of_nearly_constant_values() -> None:
    values = np.zeros(10_000)
    values[:3] = 8
    assert percentile_window(values) == Window(4, 8, "LINEAR_EXACT")


@pytest.mark.parametrize("values", [np.ones(5), np.array([NAN]), np.array([])])
def test_constant_values_have_no_window(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="constant"):
        percentile_window(values)


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=20),
    st.floats(-1e4, 1e4),
    st.floats(1.0, 1e4),
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_larger_values_are_never_darker(
    values: list[float], center: float, width: float, shape: str
) -> None:
    window = Window(center, width, shape)  # type: ignore[arg-type]
    grey = apply_window(np.sort(np.array(values, np.float32)), window)
    assert (np.diff(grey.astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("lowest", "modality", "intercept", "soft"),
    [
        (-501, "CT", None, True),
        (-500, "CT", None, False),
        (-300, "CT", None, False),
        (0, "CT", -1024, True),
        (-1000, "MR", None, False),
    ],
)
def test_hounsfield_units_reach_down_to_air(
    lowest: float, modality: str, intercept: float | None, soft: bool
) -> None:
    values = np.linspace(lowest, 100, 201, dtype=np.float32)[None]
    window = default_window(values, modality, intercept)
    assert (window == WINDOWS["soft tissue"]) is soft
    if not soft:
        assert window == percentile_window(values)


def test_values_beyond_soft_tissue_are_seen_by_their_own_range() -> None:
    values = np.linspace(-2000, -600, 50, dtype=np.float32)[None]
    assert default_window(values, "CT") == percentile_window(values)


def by_formula(values: np.ndarray) -> np.ndarray:
    """All in one step and in float64."""
    low, high = np.percentile(values.astype(np.float64), [0.5, 99.5])
    if low == high:
        low, high = float(values.min()), float(values.max())
    scaled = (values / 2 - low / 2) / (high / 2 - low / 2) * 255
    return scaled.clip(0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("dtype", ["i1", "u2", "i2", ">u2", "u4", ">i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(9, 11), (420, 330), (300, 160, 3)])
def test_scaled_in_bands_or_by_a_table_is_the_same(
    dtype: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).normal(90, 9, shape).astype(dtype)
    known = by_formula(values)
    assert np.array_equal(scale_to_uint8(values, "a"), known)
    assert np.array_equal(scale_to_uint8(values, "a", inverted=True), 255 - known)
    monkeypatch.setattr(windows, "_BAND", 1000)
    assert np.array_equal(scale_to_uint8(values, "a"), known)


def test_of_very_many_a_sample_of_all_colours_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windows, "SAMPLE", 1000)
    colours = np.zeros((30, 100, 3), np.float32)
    colours[..., 1] = np.linspace(0, 100, 3000).reshape(30, 100)
    shown = scale_to_uint8(colours, "a")
    assert shown[..., 1].max() == 255 and abs(int(shown[15, 0, 1]) - 128) < 6
    one = np.zeros((100, 100), np.float32)
    one[3, 4] = 7  # of which the sample sees nothing
    assert scale_to_uint8(one, "a")[3, 4] == 255


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_one_value_alone_is_black_and_none_is_refused(dtype: type) -> None:
    assert not scale_to_uint8(np.full((400, 400), 7, dtype), "a").any()
    with pytest.raises(ImageError, match="a holds no finite"):
        scale_to_uint8(np.full((3, 3), np.nan), "a")


def test_padding_is_black_whether_inverted_or_not() -> None:
    values = np.linspace(0, 1, 1000, dtype=np.float32)
    values[500] = np.nan
    for inverted in (False, True):
        assert scale_to_uint8(values, "a", inverted)[500] == 0
