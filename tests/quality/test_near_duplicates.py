from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.quality import near_duplicates


def test_planted_pairs_are_found_among_many() -> None:
    """Pairs that differ in 15 bits agree in one of 16 bands, wherever the bits are."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (20_000, 32), np.uint8)
    planted = []
    for number in range(200):
        bits = rng.choice(256, 15, replace=False)
        changed = np.unpackbits(hashes[number])
        changed[bits] ^= 1
        hashes[10_000 + number] = np.packbits(changed)
        planted.append([number, 10_000 + number])
    found = near_duplicates.near_pairs(hashes)
    assert sorted(found.tolist()) == planted


def test_many_alike_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MOST_PAIRS", 5_000)
    hashes = np.zeros((500, 32), np.uint8)
    hashes[:, -2:] = np.arange(500, dtype=">u2").view(np.uint8).reshape(-1, 2)
    assert len(near_duplicates.near_pairs(hashes)) == near_duplicates.MOST_PAIRS


def test_none_and_one() -> None:
    assert near_duplicates.near_pairs(np.zeros((0, 32), np.uint8)).shape == (0, 2)
    assert near_duplicates.near_pairs(np.zeros((1, 32), np.uint8)).shape == (0, 2)


def test_agreement_ignores_brightness_and_contrast() -> None:
    rng = np.random.default_rng(0)
    one = rng.uniform(50, 200, 1024).astype(np.float32)
    assert near_duplicates.agree(one, one * 0.8 + 20)
    assert not near_duplicates.agree(one, rng.permutation(one))
    assert not near_duplicates.agree(np.zeros(1024, np.float32), one)


@pytest.mark.parametrize(
    ("correlation", "spread", "alike"),
    [
        (0.999, 1, True),
        (0.999, 0.5, False),  # next to nothing is shown
        (0.95, 5, False),
        (0.98, 5, False),
        (0.99, 5, True),
        (0.99, 42, True),  # they differ by 0.141 × 42 = 5.9 grey levels
        (0.99, 43, False),
        (0.99, 70, False),
    ],
)
def test_limits_of_agreement(correlation: float, spread: float, alike: bool) -> None:
    """Two patterns of +1 and -1 that are not correlated, mixed."""
    first, second = np.tile([1.0, -1.0], 512), np.tile([1.0, 1.0, -1.0, -1.0], 256)
    mixed = correlation * first + (1 - correlation**2) ** 0.5 * second
    one, other = (
        (128 + spread * pattern).astype(np.float32) for pattern in (first, mixed)
    )
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(correlation)
    assert near_duplicates.agree(one, other) is alike


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=20))
def test_groups_hold_every_pair(pairs: list[tuple[int, int]]) -> None:
    groups = near_duplicates.grouped(pairs)
    items = [item for group in groups for item in group]
    assert len(items) == len(set(items))
    for a, b in pairs:
        assert any(a in group and b in group for group in groups)
