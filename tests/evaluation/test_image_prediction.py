"""One image's probabilities before and after temperature scaling."""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.calibration.temperature_scaling import Temperature
from medmodel.evaluation.image_prediction import Prediction


def test_calibrated_by_hand() -> None:
    raw = np.array([0.1, 0.9], np.float32)
    assert Prediction(["a", "b"], raw).calibrated is raw
    temperature = Temperature(2.0, 1.5, 2.5, 40, False)
    # Odds of 9 to 1 become 3 to 1.
    calibrated = Prediction(["a", "b"], raw, temperature).calibrated
    np.testing.assert_allclose(calibrated, [0.25, 0.75], atol=1e-6)
    assert calibrated.dtype == np.float32
