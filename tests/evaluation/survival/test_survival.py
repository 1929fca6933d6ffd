"""Cox models and their tests: by hand, against the drawn hazard, at the edges."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from medmodel.core.errors import DataError
from medmodel.evaluation.survival.cohort import Images, build_cohort, score_images
from medmodel.evaluation.survival.cox import fit_cox, group_limits, risk_groups
from medmodel.evaluation.survival.outcomes import Outcome
from medmodel.evaluation.survival.performance import (
    calibration_at,
    concordance,
    kaplan_meier,
    log_rank,
)


def drawn(n: int, slope: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    """One number with hazard 0.1 exp(slope x), censored within 20."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n, 1))
    event_time = rng.exponential(10 / np.exp(slope * numbers[:, 0]))
    censoring = rng.uniform(0, 20, n)
    return numbers, np.minimum(event_time, censoring), event_time <= censoring


def test_concordance_by_hand() -> None:
    # Comparable: (1,2), (1,3), (1,4), (2,3), (2,4); the third was censored.
    time, event = np.array([1.0, 2, 3, 4]), np.array([True, True, False, False])
    found = concordance(np.array([4.0, 1, 3, 1]), time, event)
    # Right: 1>2, 1>3, 1>4; 2<3 is wrong, 2 and 4 tie.
    assert (found.value, found.pairs, found.events) == (3.5 / 5, 5, 2)
    assert found.low < 0.7 < found.high


def test_censored_at_the_same_time_lived_longer() -> None:
    time = np.array([2.0, 2.0])
    found = concordance(np.array([1.0, 0.0]), time, np.array([True, False]))
    assert (found.value, found.pairs) == (1.0, 1) and math.isnan(found.low)
    both = concordance(np.array([1.0, 0.0]), time, np.array([True, True]))
    assert both.pairs == 0 and math.isnan(both.value)


def test_pairs_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, time, event = drawn(60, 1.0)
    whole = concordance(numbers[:, 0], time, event)
    monkeypatch.setattr("medmodel.evaluation.survival.performance._BLOCK", 7 * 60)
    assert concordance(numbers[:, 0], time, event) == whole


def test_kaplan_meier_by_hand() -> None:
    time = np.array([1.0, 2, 2, 3, 4])
    event = np.array([True, True, False, False, True])
    curve = kaplan_meier(time, event)
    assert list(curve.times) == [1, 2, 4]
    assert curve.survival == pytest.approx([4 / 5, 4 / 5 * 3 / 4, 0])
    assert (curve.patients, curve.events, curve.last) == (5, 3, 4)
    assert curve.risk_at(0.5) == (0, 0, 0.6)
    assert curve.risk_at(2)[0] == pytest.approx(0.4)
    assert curve.risk_at(3.9)[0] == pytest.approx(0.4)
    assert all(map(math.isnan, curve.risk_at(4.1)))
    risk, low, high = curve.risk_at(2)
    # Greenwood: S² (1/(5·4) + 1/(4·3)); log-log interval.
    error = math.sqrt(1 / 20 + 1 / 12) / abs(math.log(0.6))
    assert 1 - low == pytest.approx(0.6 ** math.exp(-1.959964 * error), abs=1e-6)
    assert 1 - high == pytest.approx(0.6 ** math.exp(1.959964 * error), abs=1e-6)
    assert low < risk < high


def test_nobody_met_the_event() -> None:
    curve = kaplan_meier(np.array([1.0, 5.0]), np.array([False, False]))
    assert curve.risk_at(3) == (0, 0, 1) and len(curve.times) == 0
    time, event = np.array([1.0, 2]), np.array([False, False])
    assert math.isnan(log_rank(time, event, np.array([0, 1])))
    assert math.isnan(log_rank(time, ~event, np.array([1, 1])))


def test_without_an_event_those_count_who_were_followed_so_long() -> None:
    # A hundred patients, ten of whom were seen after time 5.
    time = np.concatenate([np.full(90, 5.0), np.full(10, 9.0)])
    curve = kaplan_meier(time, np.zeros(100, bool))
    assert curve.risk_at(5) == (0, 0, 0.03)
    assert curve.risk_at(6) == (0, 0, 0.3) == curve.risk_at(9)


def test_the_log_rank_test_is_that_of_statsmodels_where_patients_are_many() -> None:
    from statsmodels.duration.survfunc import survdiff

    drawn_by = np.random.default_rng(0)
    time = drawn_by.exponential(1, 120).round(1) + 0.1
    event, groups = drawn_by.uniform(size=120) < 0.7, drawn_by.integers(0, 3, 120)
    reference = survdiff(time, event.astype(int), groups)[1]
    assert log_rank(time, event, groups) == pytest.approx(reference)


def test_few_patients_are_permuted() -> None:
    time, event = np.arange(1.0, 9), np.ones(8, bool)
    apart = np.repeat([0, 1], 4)
    # Two of the 70 ways to part eight patients into fours part them so; the
    # chi-square distribution says 0.0067.
    assert log_rank(time, event, apart) == pytest.approx(2 / 70, abs=0.015)
    assert log_rank(time, event, np.array([0, 1, 1, 0, 0, 1, 1, 0])) > 0.5


def test_a_group_that_nobody_was_left_of_takes_no_part() -> None:
    time = np.array([1.0, 1.5, 2, 3, 4, 5])
    event = np.array([False, False, True, True, True, True])
    groups = np.array([2, 2, 0, 1, 0, 1])
    assert 0 < log_rank(time, event, groups) <= 1
    # At the only event one group was left.
    alone = np.array([False, False, False, False, False, True])
    assert math.isnan(log_rank(time, alone, groups))


def test_a_cox_model_finds_the_drawn_hazard() -> None:
    numbers, time, event = drawn(2000, 0.8)
    model = fit_cox(numbers, time, event)
    slope = model.risk(np.array([[1.0]]))[0] - model.risk(np.array([[0.0]]))[0]
    assert slope == pytest.approx(0.8, abs=0.1)
    # The true risk by time 5 of the mean patient: 1 - exp(-0.1 · 5).
    mean = numbers.mean(axis=0, keepdims=True)
    truth = 1 - math.exp(-0.5 * math.exp(0.8 * mean[0, 0]))
    assert model.probability(mean, 5.0)[0] == pytest.approx(truth, abs=0.03)
    assert model.probability(mean, time[event].min() / 2)[0] == 0
    new_numbers, new_time, new_event = drawn(1000, 0.8, seed=1)
    found = calibration_at(
        model.probability(new_numbers, 5.0), new_time, new_event, 5.0
    )
    low, high = found.ratio[1:]
    assert low < 1 < high and len(found.bins) == 4
    assert [b.patients for b in found.bins] == [250] * 4
    predicted = [b.predicted for b in found.bins]
    assert predicted == sorted(predicted)
    assert all(b.low <= b.predicted <= b.high for b in found.bins)
    strength = concordance(model.risk(new_numbers), new_time, new_event)
    assert strength.low > 0.6


def test_first_components_one_for_ten_events() -> None:
    _numbers, time, event = drawn(80, 0.0)
    rng = np.random.default_rng(3)
    model = fit_cox(rng.normal(size=(80, 200)), time, event)
    assert model.axes.shape == (200, int(event.sum()) // 10)
    assert model.events == event.sum() and model.patients == 80


def test_what_cannot_be_fitted() -> None:
    numbers, time, _event = drawn(40, 0.0)
    with pytest.raises(DataError, match="needs 10 events"):
        fit_cox(numbers, time, np.arange(40) < 9)
    with pytest.raises(DataError, match="same numbers"):
        fit_cox(np.ones((40, 1)), time, np.ones(40, bool))
    parted: np.ndarray = np.arange(40) < 12
    later = np.where(parted, time, 99.0)
    with pytest.raises(DataError, match="without error"):
        fit_cox(parted[:, None].astype(np.float64), later, parted)


def test_groups_are_chosen_by_development_patients() -> None:
    limits = group_limits(np.arange(9.0), 3)
    assert list(risk_groups(np.array([-1.0, 2.6, 2.7, 5.3, 5.4, 99]), limits)) == [
        *(0, 0, 1, 1, 2, 2)
    ]


def test_few_patients_are_not_parted() -> None:
    _n, time, event = drawn(19, 0.0)
    found = calibration_at(np.full(19, 0.3), time, event, 5.0)
    assert found.bins == [] and found.overall.patients == 19
    assert math.isnan(calibration_at(np.zeros(19), time, event, 0.001).ratio[0])


def images(*rows: tuple[str, str, bool, float]) -> Images:
    paths, patients, tested, numbers = zip(*rows, strict=True)
    return Images(
        list(paths),
        list(patients),
        np.array(tested),
        np.array(numbers, float)[:, None],
    )


def test_each_patient_counts_once_and_in_one_part() -> None:
    known = {name: Outcome(1.0, True) for name in ("a", "b", "c")}
    cohort = build_cohort(
        images(
            *(("1", "a", False, 1.0), ("2", "a", False, 3.0), ("3", "b", True, 5.0)),
            *(("4", "a", True, 9.0), ("5", "unknown", True, 1.0)),
        ),
        known,
    )
    assert cohort.development.numbers.tolist() == [[2.0]]
    assert cohort.test.numbers.tolist() == [[5.0]]
    assert (cohort.without_outcome, cohort.in_both) == (1, 1)
    assert (cohort.unknown, cohort.without_image) == (0, 1)
    named = {"1": Outcome(1.0, True), "2": Outcome(2.0, True)}
    files = build_cohort(images(("1", "", False, 0.0), ("2", "", True, 0.0)), named)
    assert (files.unknown, files.without_image) == (2, 0)


def test_where_some_patients_are_known_none_is_in_both_parts() -> None:
    # Named by files: two of them are one patient's.
    named = {name: Outcome(1.0, True) for name in ("1", "2", "3", "4")}
    cohort = build_cohort(
        images(
            *(("1", "a", False, 1.0), ("2", "a", True, 3.0)),
            *(("3", "", True, 5.0), ("4", "", False, 9.0)),
        ),
        named,
    )
    assert cohort.test.numbers.tolist() == [[5.0]]
    assert (cohort.in_both, cohort.unknown) == (1, 2)


def test_cohorts_that_are_none() -> None:
    with pytest.raises(DataError, match="names no patient and no image"):
        build_cohort(images(("1", "x", False, 0.0)), {"a": Outcome(1, True)})
    with pytest.raises(DataError, match="both are needed"):
        build_cohort(images(("1", "a", False, 0.0)), {"a": Outcome(1, True)})
    two = {"1": Outcome(1, True), "2": Outcome(2, True)}
    with pytest.raises(DataError, match="different outcomes"):
        build_cohort(images(("1", "a", False, 0.0), ("2", "a", True, 0.0)), two)


def test_scores_of_validation_are_for_development() -> None:
    table = pd.DataFrame(
        {
            "path": ["v", "t"],
            "patient": ["p", "q"],
            "split": ["val", "test"],
            "label": ["ill", "well"],
            "score_ill": [0.75, 0.5],
            "score_well": [0.25, 0.5],
        }
    )
    scored = score_images(table, 0)
    assert scored.tested.tolist() == [False, True] and scored.patients == ["p", "q"]
    assert scored.numbers[:, 0] == pytest.approx([math.log(3), 0])
