"""One image in every container, depth and layout comes back with the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.benchmark.odd_files import difference
from medmodel.benchmark.odd_files.drawing import draw
from medmodel.benchmark.odd_files.image_variants import variants
from medmodel.benchmark.odd_files.images import drawn_cases
from medmodel.imaging import images

pytestmark = pytest.mark.usefixtures("in_this_process")
CASES = list(drawn_cases(draw()))
NAMES = [variant.name for variant in variants(draw())]


def test_every_variant_and_every_refusal_is_as_expected() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 700
    assert [text for text in map(difference, CASES) if text] == []


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    height=st.integers(24, 70),
    width=st.integers(8, 70),
    seed=st.integers(0, 1000),
)
def test_the_same_pixels_come_back(
    name: str, height: int, width: int, seed: int
) -> None:
    drawing = draw(height, width, seed)
    variant = next(v for v in variants(drawing) if v.name == name)
    pixels = images.decode(variant.write()).pixels
    assert pixels.shape == variant.expected.shape
    off = np.abs(pixels.astype(int) - variant.expected)
    assert off.max() <= variant.tolerance
