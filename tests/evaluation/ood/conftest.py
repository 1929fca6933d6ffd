"""A detector that was fitted to drawn vectors."""

from __future__ import annotations

import pytest

from medmodel.evaluation.ood.detector import OodDetector
from medmodel.evaluation.ood.fitting import (
    Origin,
    fit_detector,
)
from tests.evaluation.ood.drawn_vectors import FEATURES, drawn


@pytest.fixture(scope="module")
def reference() -> OodDetector:
    training = drawn(200, 1)
    names = [(f"a/{i} ü.png", "ill" if i % 2 else "well") for i in range(200)]
    origin = Origin(32, own=True, smallest=100, grey=True)
    points = training[:, :FEATURES]
    return fit_detector(training, drawn(100, 2), points, names, origin)
