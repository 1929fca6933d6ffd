"""Cumulative layout shift by hand (web.dev)."""

from __future__ import annotations

import pytest

from medmodel.benchmark.browser.layout_shift import cumulative


@pytest.mark.parametrize(
    ("shifts", "worst"),
    [
        ([], 0.0),
        ([(0, 0.1), (999, 0.2)], 0.3),
        ([(0, 0.1), (1000, 0.2)], 0.2),  # a second apart: two windows
        ([(t * 900, 0.1) for t in range(6)], 0.6),
        ([(t * 900, 0.1) for t in range(7)], 0.6),  # the last is 5.4 s after the first
        ([(0, 0.5), (3000, 0.1)], 0.5),
    ],
)
def test_worst_window(shifts: list[tuple[float, float]], worst: float) -> None:
    assert cumulative(shifts) == pytest.approx(worst)
