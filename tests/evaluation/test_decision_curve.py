"""Net benefit by hand."""

from dataclasses import replace

import numpy as np
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.decision_curve import decision_curve
from medmodel.evaluation.predictions import Predictions


def sick(scores: list[float], labels: list[int]) -> Predictions:
    first = np.array(scores)
    both = np.stack([first, 1 - first], axis=1)
    return Predictions(["sick", "well"], 1 - np.array(labels), both, None)


EIGHT = sick([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0, 0, 0, 1, 0, 1, 1, 1])


def test_no_curve_of_one_kind_of_image() -> None:
    with pytest.raises(DataError, match="one kind"):
        decision_curve(sick([0.2, 0.3], [0, 0]), 0)


def test_net_benefit_by_hand() -> None:
    # At 0.5 the odds are 1: (3 - 1) / 8. At 0.2: 7 called, 4 rightly, odds 1/4.
    found = decision_curve(EIGHT, 0, np.array([0.2, 0.5]))
    assert found.model == pytest.approx([(4 - 3 / 4) / 8, 2 / 8])
    assert found.everybody == pytest.approx([0.5 - 0.5 / 4, 0.0])
    assert (found.low < found.model).all() and (found.model < found.high).all()
    with pytest.raises(DataError, match="between 0 and 1"):
        decision_curve(EIGHT, 0, np.array([0.0]))


def test_net_benefit_of_calling_everybody() -> None:
    # Below every score the model acts on everybody.
    found = decision_curve(EIGHT, 0, np.array([0.05]))
    assert found.model == pytest.approx(found.everybody)


def test_the_band_of_one_patient_ends_where_benefit_does() -> None:
    one = replace(EIGHT, patients=np.zeros(8, np.intp))
    found = decision_curve(one, 0, np.array([0.2, 0.5]))
    assert found.low == pytest.approx([-0.25, -1.0])
    assert found.high == pytest.approx([1.0, 1.0])
