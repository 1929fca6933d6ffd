"""Vectors of images that resemble each other."""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.ood.vectors import DEPTHS, WIDTH

FEATURES = sum(DEPTHS)


def drawn(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Numbers that vary in five directions, and a little in all others."""
    mixing = np.random.default_rng(0).normal(size=(5, WIDTH))
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(count, 5)) @ mixing
    return (common + 0.3 * rng.normal(size=common.shape) + shift).astype(np.float32)
