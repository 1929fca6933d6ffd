"""Risk from a score: the regression, Bayes' rule, the interval, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.risk import RiskModel, fit_risk
from medmodel.evaluation.intervals.minima import LimitingGroup
from medmodel.evaluation.predictions import Predictions


def drawn(
    count: int = 400, seed: int = 0, prevalence: float = 0.3, patients: int = 0
) -> Predictions:
    """Scores that are too sure by half: the truth follows half their log-odds."""
    rng = np.random.default_rng(seed)
    centre = math.log(prevalence / (1 - prevalence))
    risk = centre + 1.5 * rng.normal(size=count)
    truth = (rng.random(count) < 1 / (1 + np.exp(-risk))).astype(np.intp)
    score = 1 / (1 + np.exp(-2 * risk))
    numbers = rng.integers(0, patients, count) if patients else None
    scores = np.stack([1 - score, score], axis=1)
    return Predictions(["healthy", "ill"], truth, scores, numbers)


def test_where_log_odds_are_straight_risks_are_those_of_scikit_learn() -> None:
    data = drawn(4000)
    model = fit_risk(data, 1)
    x = np.log(data.scores[:, 1] / data.scores[:, 0])[:, None]
    other = LogisticRegression(C=np.inf, tol=1e-10).fit(x, data.truth)
    for score in (0.1, 0.5, 0.9):
        (row,) = other.predict_proba([[math.log(score / (1 - score))]])
        assert model.risk(score).value == pytest.approx(row[1], abs=0.02)


@pytest.mark.parametrize("patients", [0, 400])
def test_the_interval_holds_risks_that_are_not_straight_in_log_odds(
    patients: int,
) -> None:
    """The class's scores spread twice as far: risks rise to both sides."""
    held, size = [], 1200
    for seed in range(12):
        rng = np.random.default_rng(seed)
        owner = rng.integers(0, patients, size) if patients else np.arange(size)
        truth = (rng.random(size) < 0.4)[owner].astype(np.intp)
        noise = rng.normal(size=size)
        if patients:
            noise = np.sqrt(0.5) * (noise + rng.normal(size=size)[owner])
        place = np.where(truth, 1 + 2 * noise, noise - 1)
        score = 1 / (1 + np.exp(-place))
        scores = np.stack([1 - score, score], axis=1)
        numbers = owner if patients else None
        model = fit_risk(Predictions(["a", "b"], truth, scores, numbers), 1)
        for at in (-2.5, -1.0, 0.5, 2.0):
            inside = 0.4 / 2 * math.exp(-(((at - 1) / 2) ** 2) / 2)
            outside = 0.6 * math.exp(-((at + 1) ** 2) / 2)
            risk = model.risk(1 / (1 + math.exp(-at)))
            assert risk.high - risk.low < 0.4
            held.append(risk.low <= inside / (inside + outside) <= risk.high)
    assert sum(held) >= 0.9 * len(held)


def test_far_from_the_other_class_the_interval_is_as_long_as_counts_allow() -> None:
    """Of hundreds with such scores none has the class: no 50 in 100."""
    rng = np.random.default_rng(3)
    truth = np.arange(1000) % 2
    place = np.where(truth, 3.0, -3.0) + rng.normal(size=1000)
    place[:40] = rng.normal(size=40)
    score = 1 / (1 + np.exp(-place))
    data = Predictions(["a", "b"], truth, np.stack([1 - score, score], axis=1), None)
    model = fit_risk(data, 1)
    low, high = model.risk(0.02), model.risk(0.98)
    assert low.low < low.value < 0.01 and low.high < 0.06
    assert high.low > 0.94 and high.value > 0.99 and high.high > 0.999


def test_the_other_class_is_the_rest() -> None:
    data = drawn()
    ill, healthy = fit_risk(data, 1).risk(0.8), fit_risk(data, 0).risk(0.2)
    assert ill.value == pytest.approx(1 - healthy.value)
    assert (ill.low, ill.high) == pytest.approx((1 - healthy.high, 1 - healthy.low))
    assert ill.n == 400


def test_another_prevalence_moves_the_odds_by_bayes() -> None:
    model = fit_risk(drawn(), 1)
    here = model.risk(0.7)
    assert model.risk(0.7, model.prevalence) == here
    elsewhere = model.risk(0.7, 0.02)
    factor = (0.02 / 0.98) / (model.prevalence / (1 - model.prevalence))
    for end in ("value", "low", "high"):
        before, after = getattr(here, end), getattr(elsewhere, end)
        assert after / (1 - after) == pytest.approx(factor * before / (1 - before))
    assert elsewhere.value < here.value / 3
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(DataError, match="between 0 and 1"):
            model.risk(0.7, share)


def test_the_interval_is_as_wide_as_the_bootstrap_says() -> None:
    data = drawn()
    rng = np.random.default_rng(1)
    again = []
    for _ in range(100):
        rows = rng.integers(0, 400, 400)
        sample = Predictions(data.classes, data.truth[rows], data.scores[rows], None)
        again.append(fit_risk(sample, 1).risk(0.8).value)
    low, high = np.quantile(again, [0.025, 0.975])
    risk = fit_risk(data, 1).risk(0.8)
    assert risk.low == pytest.approx(low, abs=0.03)
    assert risk.high == pytest.approx(high, abs=0.03)


def test_images_of_one_patient_tell_less() -> None:
    alone = drawn(120)
    fourfold = Predictions(
        alone.classes,
        np.repeat(alone.truth, 4),
        np.repeat(alone.scores, 4, axis=0),
        np.repeat(np.arange(120), 4),
    )
    one, four = fit_risk(alone, 1).risk(0.6), fit_risk(fourfold, 1).risk(0.6)
    assert four.value == pytest.approx(one.value, abs=0.005)
    assert four.high - four.low == pytest.approx(one.high - one.low, rel=0.02)
    unknown = Predictions(alone.classes, fourfold.truth, fourfold.scores, None)
    narrow = fit_risk(unknown, 1).risk(0.6)
    assert 0.4 < (narrow.high - narrow.low) / (one.high - one.low) < 0.75


@pytest.mark.parametrize("position", [0, 1])
def test_an_interval_from_ten_of_the_smaller_group_on(position: int) -> None:
    for few in (9, 10):
        truth = np.array([1] * few + [0] * 40)
        shuffled = np.random.default_rng(2).permutation(len(truth))
        score = np.linspace(0.2, 0.8, len(truth))[shuffled]
        data = Predictions(
            ["a", "b"], truth, np.stack([1 - score, score], axis=1), None
        )
        risk = fit_risk(data, position).risk(0.5)
        assert risk.has_interval == (few == 10)
        group = LimitingGroup(9, False, "class", "b")
        assert risk.too_few == (None if few == 10 else group)


def of(scores: list[float], truth: list[int]) -> RiskModel:
    positive = np.array(scores)
    both = np.stack([1 - positive, positive], axis=1)
    return fit_risk(Predictions(["a", "b"], np.array(truth), both, None), 1)


def test_what_cannot_be_known_is_refused() -> None:
    for truth in ([0, 0, 0, 0], [1, 1, 1, 1]):
        with pytest.raises(DataError, match="all or none are b"):
            of([0.1, 0.2, 0.8, 0.9], truth)
    with pytest.raises(DataError, match="scores part the validation images"):
        of([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    with pytest.raises(DataError, match="scores part"):
        of([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1])


def test_beyond_the_validation_images_the_nearest_counts() -> None:
    model = of([0.2, 0.4, 0.3, 0.7, 0.6, 0.5], [0, 0, 1, 1, 0, 1])
    assert model.risk(0.999) == model.risk(0.7) and model.is_beyond(0.999)
    assert model.risk(0.0) == model.risk(0.2) and model.is_beyond(0.0)
    assert not model.is_beyond(0.5) and not model.is_beyond(0.7)
    assert model.risk(0.3).value < model.risk(0.6).value


def test_scores_that_say_the_contrary_are_turned() -> None:
    data = drawn()
    turned = Predictions(data.classes, 1 - data.truth, data.scores, None)
    model = fit_risk(turned, 1)
    assert model.risk(0.9).value < model.risk(0.1).value
