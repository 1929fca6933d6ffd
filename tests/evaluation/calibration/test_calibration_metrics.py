"""Reliability, calibration error and temperature by hand and against known truth."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmodel.core.errors import DataError
from medmodel.evaluation.calibration import calibration_metrics
from medmodel.evaluation.calibration.calibration_metrics import (
    brier,
    calibration_error,
    log_loss,
    mean_loss,
    reliability_diagram,
)
from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    apply_temperature,
    calibrate,
    fit_temperature,
    store_temperature,
    stored_temperature,
)
from medmodel.evaluation.intervals.proportions import wilson
from medmodel.evaluation.predictions import Predictions
from medmodel.runs.run import Run

pytestmark = pytest.mark.usefixtures("every_interval")


def two_classes(score: list[float], right: list[int]) -> Predictions:
    """The first class's scores; 1 where the image is of it."""
    first = np.array(score)
    truth = 1 - np.array(right)
    return Predictions(["a", "b"], truth, np.stack([first, 1 - first], axis=1), None)


def honest(n: int, seed: int, sharpness: float = 1.0) -> Predictions:
    """Labels drawn with the chances that the scores say, then made too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (rng.random((n, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return Predictions(
        ["a", "b", "c"], truth, apply_temperature(chances, 1 / sharpness), None
    )


def test_bins_by_hand() -> None:
    data = two_classes([0.05, 0.1, 0.15, 0.9, 1.0, 0.95], [0, 1, 0, 1, 1, 0])
    bins = reliability_diagram(data, 0)
    assert [b.count for b in bins] == [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]
    assert bins[0].mean_score == pytest.approx(0.075)
    assert (bins[0].share.value, bins[0].share.n) == (0.5, 2)
    assert math.isnan(bins[3].mean_score) and not bins[3].share.measurable


def test_calibration_error_by_hand() -> None:
    # Bins (0.6, 0.7]: mean 0.65, 1 of 2 right; (0.9, 1]: mean 0.95, 2 of 2 right.
    data = two_classes([0.62, 0.68, 0.92, 0.98], [1, 0, 1, 1])
    found = calibration_error(data)
    assert found.value == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)
    assert found.low <= found.value <= found.high


def test_a_calibrated_model_may_be_perfect() -> None:
    inside = sum(calibration_error(honest(300, seed)).low == 0.0 for seed in range(60))
    assert inside >= 54
    sure = calibration_error(honest(2000, 0, sharpness=2.5))
    assert sure.low > 0.05


def test_losses_by_hand() -> None:
    data = two_classes([0.8, 0.4], [1, 0])
    assert brier(data).value == pytest.approx((0.04 + 0.16) / 2)
    assert log_loss(data).value == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert brier(data, 1).value == pytest.approx(brier(data, 0).value)
    assert mean_loss(np.zeros(20), None, 1.0).high > 0.1


def test_losses_of_one_image_or_patient_stay_within_what_a_loss_can_be() -> None:
    for losses, patients in [([0.3], None), ([0.3, 0.4], np.zeros(2, np.intp))]:
        found = mean_loss(np.array(losses), patients, 1.0)
        assert found.low < 1e-6 and found.high == 1.0
    # On the logarithmic scale alone it would have reached 1,472.
    assert mean_loss(np.array([0.05, 0.9]), None, 1.0).high == 1.0
    wrong = Predictions(["a", "b", "c"], np.zeros(3, int), np.eye(3)[[1, 1, 2]], None)
    assert (brier(wrong).value, brier(wrong).high) == (2.0, 2.0)
    assert "inf" not in str(log_loss(replace(wrong, patients=np.zeros(3, np.intp))))


def test_temperature_finds_what_was_done() -> None:
    data = honest(4000, 1, sharpness=2.0)
    found = fit_temperature(data)
    assert found.low < 2.0 < found.high
    assert found.value == pytest.approx(2.0, abs=0.15)
    before, after = (
        calibration_error(data),
        calibration_error(calibrate(data, found.value)),
    )
    assert after.value < before.value / 3
    # No other temperature does better.
    best = log_loss(calibrate(data, found.value)).value
    for other in (0.98 * found.value, 1.02 * found.value):
        assert log_loss(calibrate(data, other)).value > best


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_temperature_keeps_the_order(seed: int, temperature: float) -> None:
    data = honest(50, seed)
    changed = calibrate(data, temperature)
    assert (changed.predicted == data.predicted).all()
    assert changed.scores.sum(axis=1) == pytest.approx(1)
    back = apply_temperature(changed.scores, 1 / temperature)
    if temperature > 0.5:  # what is rounded to 0 does not come back
        assert back == pytest.approx(data.scores, abs=1e-3)


def test_temperature_at_its_limit_says_so() -> None:
    right = fit_temperature(two_classes([0.9, 0.8, 0.1], [1, 1, 0]))
    assert right.bounded and right.value < 1
    level = fit_temperature(two_classes([0.9, 0.9, 0.1], [0, 0, 1]))
    assert level.bounded and level.value > 1
    # A model that is wrong about every validation image was said to be always right.
    assert "wrong, if any" in right.why_unknown
    assert "less than guessing" in level.why_unknown
    same = fit_temperature(two_classes([0.5] * 4, [1, 0, 1, 0]))
    assert same.bounded and same.value == 1 and "is the same" in same.why_unknown
    assert Temperature(1.5, 1.2, 1.9, 300, False).why_unknown == ""


def test_temperature_of_one_patient_stays_within_what_is_allowed() -> None:
    data = replace(honest(40, 3), patients=np.zeros(40, np.intp))
    found = fit_temperature(data)
    assert (found.low, found.high) == (0.05, 20.0)


def test_scores_that_are_no_probabilities() -> None:
    data = Predictions(["a", "b"], np.array([0]), np.array([[3.0, -1.0]]), None)
    with pytest.raises(DataError, match="do not sum to 1"):
        fit_temperature(data)


def test_temperature_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert stored_temperature(run) is None
    found = Temperature(1.5, 1.2, 1.9, 300, False)
    store_temperature(run, found)
    assert stored_temperature(run) == found


def test_calibration_error_of_a_fixed_split() -> None:
    found = calibration_error(honest(300, 7, sharpness=1.8))
    assert found.value == pytest.approx(0.126773, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.069483, 0.174296), abs=1e-6)


def test_perfect_and_sure_may_still_be_too_sure() -> None:
    """Eighty of 80 right at a score of 1: 76 of 80 would not be surprising."""
    truth = np.arange(80) % 2
    found = calibration_error(Predictions(["a", "b"], truth, np.eye(2)[truth], None))
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - wilson(80, 80).low)


def test_images_that_balance_each_other_make_nothing_surer() -> None:
    """Of two images of a patient one is right and one wrong, with few exceptions."""
    right = [1, 0] * 40 + [1, 1] * 5 + [0, 0] * 5
    data = two_classes([0.65] * 100, right)
    paired = replace(data, patients=np.repeat(np.arange(50), 2))
    one, other = calibration_error(data, 0), calibration_error(paired, 0)
    assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.1)


def test_log_loss_of_scores_that_do_not_sum_to_one() -> None:
    data = honest(20, 0)
    halved = replace(data, scores=data.scores / 2)
    assert log_loss(halved).value == pytest.approx(log_loss(data).value)


def test_a_bin_with_one_image_varies_though_patients_are_known() -> None:
    """It used to have no chance deviation at all, which made intervals too narrow."""
    scores = np.array([0.55, *np.linspace(0.61, 0.69, 30)])
    both = np.stack([1 - scores, scores], axis=1)
    truth = np.array([1, *([0, 1, 1] * 10)])
    single = Predictions(["a", "b"], truth, both, None)
    people = replace(single, patients=np.arange(31))
    right = single.predicted == single.truth
    bins = calibration_metrics.bin_numbers(scores)
    noise = [
        calibration_metrics._chance_draws(scores, right, bins, each.patients, 10)
        for each in (single, people)
    ]
    for at in (5, 6):
        assert noise[1][:, at].std() == pytest.approx(noise[0][:, at].std(), rel=0.15)


@pytest.mark.parametrize("images", [1, 4])
def test_images_of_a_patient_that_miss_alike_count_as_one(images: int) -> None:
    """The variance of a bin grows by the images of each patient: a deviation by √4."""
    scores = np.full(200, 0.75)
    right = np.repeat(np.arange(200 // images) % 2 == 0, images)
    bins = calibration_metrics.bin_numbers(scores)
    patients = np.repeat(np.arange(200 // images), images)
    alone = calibration_metrics._chance_draws(scores, right, bins, None, 10)[:, 7].std()
    together = calibration_metrics._chance_draws(scores, right, bins, patients, 10)[
        :, 7
    ].std()
    assert together / alone == pytest.approx(np.sqrt(images), rel=0.05)
    assert alone == pytest.approx(1, rel=0.05)


def test_deviation_of_a_gap_by_hand() -> None:
    """Half of the images of one bin of four: its share 0.9 - 0.2, all others' 0.6."""
    count, claimed = np.array([2, 0, 2]), np.array([0.9, 0.0, 0.6])
    off = np.array([-0.2, 0.0, 0.0])
    found = calibration_metrics._deviation(count, claimed, off)
    one = math.sqrt(2 * (0.7 * 0.3 + 0.2**2 * 0.5)) / 4
    assert found == pytest.approx([one, 0, math.sqrt(2 * 0.6 * 0.4) / 4])


def test_the_error_of_an_overconfident_model_is_covered() -> None:
    """Bins that claim 0.95 and hold 0.8 vary as 0.8 does, not as what lies between."""
    truth = calibration_error(honest(100_000, 0, sharpness=2.5)).value
    held = 0
    for seed in range(60):
        found = calibration_error(honest(1000, seed + 1, sharpness=2.5))
        held += found.low <= truth <= found.high
    assert held >= 55
