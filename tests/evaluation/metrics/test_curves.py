"""Curves agree with scikit-learn, stay small and have honest bands."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.core.errors import DataError
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.metrics.curves import (
    POINTS,
    decision_curve,
    precision_recall_curve,
    roc_curve,
    score_histogram,
)
from medmodel.evaluation.predictions import Predictions

pytestmark = pytest.mark.usefixtures("every_interval")


def drawn(
    seed: int, n: int, separation: float = 1.5, share: float = 0.4
) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[0, 1], (rng.random(n) < share).astype(int)])
    logit = rng.normal(size=len(truth)) + separation * truth
    score = 1 / (1 + np.exp(-logit))
    return Predictions(["a", "b"], truth, np.stack([1 - score, score], axis=1), None)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_agreement_with_scikit_learn(seed: int) -> None:
    from sklearn import metrics as sk

    data = drawn(seed, 60)
    rounded = Predictions(data.classes, data.truth, np.round(data.scores, 1), None)
    found = roc_curve(rounded, 1)
    x, y, _ = sk.roc_curve(
        rounded.truth == 1, rounded.scores[:, 1], drop_intermediate=False
    )
    assert found.x == pytest.approx(x) and found.y == pytest.approx(y)
    found = precision_recall_curve(rounded, 1)
    y, x, _ = sk.precision_recall_curve(rounded.truth == 1, rounded.scores[:, 1])
    assert found.x == pytest.approx(x[:-1][::-1])
    assert found.y == pytest.approx(y[:-1][::-1])


def test_many_images_few_points() -> None:
    data = drawn(1, 20_000)
    for found in (roc_curve(data, 1), precision_recall_curve(data, 1)):
        assert len(found.x) <= POINTS + 2
        assert len(found.x) == len(found.y) == len(found.thresholds)
        assert (found.low <= found.high).all()
        assert (found.low >= 0).all() and (found.high <= 1).all()
    found = roc_curve(data, 1)
    assert (found.x[0], found.y[0], found.x[-1], found.y[-1]) == (0, 0, 1, 1)
    steps = np.diff(found.x) + np.diff(found.y)
    assert steps.max() < 0.03


def test_band_holds_the_curve_and_narrows() -> None:
    few, many = roc_curve(drawn(2, 80), 1), roc_curve(drawn(2, 8000), 1)
    assert np.mean(many.high - many.low) < np.mean(few.high - few.low) / 5
    here = np.interp(many.band_x, many.x, many.y)
    assert (many.low - 0.01 <= here).all() and (here <= many.high + 0.01).all()


def test_patients_widen_the_band() -> None:
    data = drawn(3, 198)
    copies = np.repeat(np.arange(200), 3)
    tripled = Predictions(data.classes, data.truth[copies], data.scores[copies], copies)
    naive = Predictions(data.classes, data.truth[copies], data.scores[copies], None)
    widths = [
        np.mean(c.high - c.low) for c in (roc_curve(tripled, 1), roc_curve(naive, 1))
    ]
    assert widths[0] > 1.4 * widths[1]


def test_perfect_model_has_a_band() -> None:
    truth = np.array([0, 1] * 15)
    data = Predictions(["a", "b"], truth, np.eye(2)[truth], None)
    found = roc_curve(data, 1)
    assert found.low[0] < 0.95 and found.high[0] == 1
    assert precision_recall_curve(data, 1).low[-1] < 0.95


def test_constant_scores() -> None:
    data = Predictions(["a", "b"], np.array([0, 1] * 10), np.full((20, 2), 0.5), None)
    found = roc_curve(data, 1)
    assert found.x.tolist() == [0, 1] and found.y.tolist() == [0, 1]
    assert precision_recall_curve(data, 1).y.tolist() == [0.5]


def test_histogram_counts_every_image() -> None:
    data = drawn(4, 300)
    found = score_histogram(data, 1, 20)
    assert found.inside.sum() == np.sum(data.truth == 1)
    assert found.inside.sum() + found.outside.sum() == len(data.truth)
    assert len(found.edges) == 21
    with pytest.raises(DataError, match="1 to 200 bins"):
        score_histogram(data, 1, 0)


def test_absent_class() -> None:
    data = Predictions(["a", "b"], np.zeros(3, np.intp), np.full((3, 2), 0.5), None)
    for curve in (roc_curve, precision_recall_curve):
        with pytest.raises(DataError, match="No curve of b"):
            curve(data, 1)


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
    assert found.treat_all == pytest.approx([0.5 - 0.5 / 4, 0.0])
    assert (found.low < found.model).all() and (found.model < found.high).all()
    with pytest.raises(DataError, match="between 0 and 1"):
        decision_curve(EIGHT, 0, np.array([0.0]))


def test_net_benefit_of_calling_everybody() -> None:
    # Below every score the model acts on everybody.
    found = decision_curve(EIGHT, 0, np.array([0.05]))
    assert found.model == pytest.approx(found.treat_all)


def test_the_band_of_one_patient_ends_where_benefit_does() -> None:
    one = replace(EIGHT, patients=np.zeros(8, np.intp))
    found = decision_curve(one, 0, np.array([0.2, 0.5]))
    assert found.low == pytest.approx([-0.25, -1.0])
    assert found.high == pytest.approx([1.0, 1.0])


def test_a_perfect_model_is_known_as_well_as_there_are_patients() -> None:
    truth = np.array([0, 1] * 12)
    single = Predictions(["a", "b"], truth, np.eye(2)[truth], np.arange(24))
    ten = np.repeat(np.arange(24), 10)
    copied = Predictions(["a", "b"], truth[ten], np.eye(2)[truth[ten]], ten)
    one, other = roc_curve(single, 1), roc_curve(copied, 1)
    for at in (0, -1):
        assert other.low[at] == pytest.approx(one.low[at])
    assert one.low[0] == pytest.approx(wilson(12, 12).low)


def test_images_that_balance_each_other_narrow_no_band() -> None:
    """Of each patient with the class one image is called and one is not."""
    truth = np.repeat([1, 0], 40)
    score = np.concatenate([np.tile([0.8, 0.2], 20), np.full(40, 0.5)])
    patients = np.concatenate([np.repeat(np.arange(20), 2), np.arange(20, 60)])
    scores = np.stack([1 - score, score], axis=1)
    found = roc_curve(Predictions(["a", "b"], truth, scores, patients), 1)
    independent = wilson(20, 40)
    width = found.high[0] - found.low[0]
    assert width >= independent.high - independent.low
