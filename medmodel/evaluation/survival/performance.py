"""How good a survival model is on patients that it was not fitted to.

References: concordance by Harrell et al., JAMA 247 (1982) 2543, its interval by the
variance of a ratio of U-statistics (Pencina and D'Agostino, Stat Med 23 (2004) 2109) on
the log-odds scale; Kaplan and Meier, JASA 53 (1958) 457, with log-log intervals;
log-rank test by Mantel, Cancer Chemother Rep 50 (1966) 163; calibration in the large as
the ratio of observed and expected risk at a time (Crowson et al., Stat Methods Med Res
25 (2016) 1692).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.evaluation.intervals.variance import Z

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
FEWEST_IN_BIN = 10
"""Patients of a group below which its observed risk is not shown."""
MANY_PATIENTS = 100
"""Patients from which on the log-rank test's chi-square distribution holds."""
PERMUTATIONS = 999
_BLOCK = 2_000_000
"""Pairs of patients that are compared at a time."""


@dataclass(frozen=True)
class Concordance:
    """Share of comparable pairs in which the higher risk met the event first.

    Args:
        value: 0.5 is chance, 1 perfect; not-a-number without comparable pairs.
        low: Lower end of the 95 % interval; not-a-number where there is none.
        high: Upper end.
        pairs: Comparable pairs.
        patients: How many there are.
        events: Events among them.
    """

    value: float
    low: float
    high: float
    pairs: int
    patients: int
    events: int


@dataclass(frozen=True)
class SurvivalCurve:
    """Kaplan-Meier estimate of a group, with pointwise 95 % intervals.

    Args:
        times: Event times, ascending, (e,).
        survival: Share without the event from each of them on, (e,).
        low: Lower ends, (e,).
        high: Upper ends, (e,).
        patients: In the group.
        events: Among them.
        followed: Until when each of them was followed, (patients,).
    """

    times: Floats
    survival: Floats
    low: Floats
    high: Floats
    patients: int
    events: int
    followed: Floats

    @property
    def last(self) -> float:
        """The longest time that one of them was followed."""
        return float(self.followed.max())

    def risk_at(self, time: float) -> tuple[float, float, float]:
        """Share with the event by a time, and its interval.

        Not-a-number beyond the last time that somebody was followed; without an event
        before, 0 with the upper end by the rule of three, of those followed so long.
        """
        if time > self.last:
            return math.nan, math.nan, math.nan
        at = int(np.searchsorted(self.times, time, side="right")) - 1
        if at < 0:
            there = int((self.followed >= time).sum())
            return 0.0, 0.0, min(3 / there, 1.0)
        return (
            1 - float(self.survival[at]),
            1 - float(self.high[at]),
            1 - float(self.low[at]),
        )


@dataclass(frozen=True)
class CalibrationBin:
    """Patients of similar predicted risk.

    Args:
        predicted: Their mean predicted risk.
        observed: Their risk by Kaplan-Meier.
        low: Lower end of its 95 % interval.
        high: Upper end.
        patients: How many they are.
    """

    predicted: float
    observed: float
    low: float
    high: float
    patients: int


@dataclass(frozen=True)
class SurvivalCalibration:
    """Predicted against observed risk at one time.

    Args:
        time: The time.
        overall: All patients.
        bins: Groups of them by predicted risk, the lowest first.
    """

    time: float
    overall: CalibrationBin
    bins: list[CalibrationBin]

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Observed ÷ predicted risk of all patients, and its 95 % interval.

        Not-a-number where none was predicted: the time lies before the first event.
        """
        all_patients = self.overall
        if not all_patients.predicted:
            return math.nan, math.nan, math.nan
        return (
            all_patients.observed / all_patients.predicted,
            all_patients.low / all_patients.predicted,
            all_patients.high / all_patients.predicted,
        )


def concordance(risk: Floats, time: Floats, event: Marks) -> Concordance:
    """Harrell's C of patients that are independent of each other.

    Args:
        risk: Higher for those who are expected to meet the event first, (n,).
        time: Above 0, (n,).
        event: Whether it happened then, (n,).
    """
    n = len(risk)
    pairs, agreeing = np.zeros(n), np.zeros(n)
    step = max(1, _BLOCK // max(n, 1))
    for at in range(0, n, step):
        rows = slice(at, at + step)
        # The row's patient had the event, the column's was seen without it later.
        first = event[rows, None] & (
            (time[rows, None] < time) | ((time[rows, None] == time) & ~event)
        )
        right = (risk[rows, None] > risk) + 0.5 * (risk[rows, None] == risk)
        right = first * right
        pairs[rows] += first.sum(axis=1)
        pairs += first.sum(axis=0)
        agreeing[rows] += right.sum(axis=1)
        agreeing += right.sum(axis=0)
    total, events = pairs.sum() / 2, int(event.sum())
    if not total:
        return Concordance(math.nan, math.nan, math.nan, 0, n, events)
    value = float(agreeing.sum() / pairs.sum())
    # Each patient's influence on the ratio of the two sums.
    influence = 2 * (agreeing - value * pairs) / pairs.sum()
    error = math.sqrt(float(influence @ influence) * n / max(n - 1, 1))
    low, high = _on_log_odds(value, error)
    return Concordance(value, low, high, int(total), n, events)


def _on_log_odds(value: float, error: float) -> tuple[float, float]:
    if not 0 < value < 1 or not error:
        return math.nan, math.nan
    centre, half = math.log(value / (1 - value)), Z * error / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-end)) for end in (centre - half, centre + half))
    return low, high


def kaplan_meier(time: Floats, event: Marks) -> SurvivalCurve:
    """The survival curve of a group of one patient or more.

    Args:
        time: Above 0, (n,).
        event: Whether it happened then, (n,).
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    if not event.any():
        none = np.empty(0)
        return SurvivalCurve(none, none, none, none, len(time), 0, time)
    fitted = SurvfuncRight(time, event.astype(int))
    times, survival = np.asarray(fitted.surv_times), np.asarray(fitted.surv_prob)
    happened = np.isin(times, time[event])
    times, survival = times[happened], survival[happened]
    error = np.asarray(fitted.surv_prob_se)[happened]
    low, high = survival.copy(), survival.copy()
    inside = (survival > 0) & (survival < 1)
    logs = np.log(survival[inside])
    half = Z * error[inside] / (survival[inside] * np.abs(logs))
    low[inside] = survival[inside] ** np.exp(half)
    high[inside] = survival[inside] ** np.exp(-half)
    # All have met the event: the curve says 0, and the interval nothing.
    low[survival <= 0], high[survival <= 0] = 0.0, 1.0
    return SurvivalCurve(times, survival, low, high, len(time), int(event.sum()), time)


def log_rank(time: Floats, event: Marks, groups: NDArray[np.intp]) -> float:
    """P value of the hypothesis that all groups have one survival curve.

    Of few patients by permutation, as the chi-square distribution then says "differ" of
    up to 14 in 100 groups that do not. Not-a-number where there are fewer than two
    groups, or no event at which two of them had patients left; a group that nobody of
    was left by then takes no part.
    """
    p_value = _log_rank_by_chi_square(time, event, groups)
    if math.isnan(p_value) or len(time) >= MANY_PATIENTS:
        return p_value
    drawn = np.random.default_rng(0)
    others = [
        _log_rank_by_chi_square(time, event, drawn.permutation(groups))
        for _n in range(PERMUTATIONS)
    ]
    as_small = sum(other <= p_value + 1e-12 for other in others)
    return (1 + as_small) / (1 + PERMUTATIONS)


def _log_rank_by_chi_square(
    time: Floats, event: Marks, groups: NDArray[np.intp]
) -> float:
    from scipy.stats import chi2

    names = np.unique(groups)
    if len(names) < 2 or not event.any():
        return math.nan
    times = np.unique(time[event])
    left, happened = (np.zeros((len(names), len(times))) for _n in range(2))
    for row, name in enumerate(names):
        inside = groups == name
        followed = np.sort(time[inside])
        left[row] = len(followed) - np.searchsorted(followed, times)
        places = np.searchsorted(times, time[inside & event])
        happened[row] = np.bincount(places, minlength=len(times))
    patients, events = left.sum(axis=0), happened.sum(axis=0)
    share = left / patients
    surplus = (happened - events * share).sum(axis=1)
    weighted = share * events * (patients - events) / np.maximum(patients - 1, 1)
    variance = np.diag(weighted.sum(axis=1)) - weighted @ share.T
    freedom = int(np.linalg.matrix_rank(variance, hermitian=True))
    if not freedom:
        return math.nan
    statistic = surplus @ np.linalg.pinv(variance, hermitian=True) @ surplus
    return float(chi2.sf(statistic, freedom))


def calibration_at(
    predicted: Floats, time: Floats, event: Marks, at: float, bins: int = 4
) -> SurvivalCalibration:
    """Predicted against observed risk at a time.

    Args:
        predicted: Probability of the event by then, (n,).
        time: Above 0, (n,).
        event: Whether it happened then, (n,).
        at: The time.
        bins: Groups of equally many patients; those with fewer than `FEWEST_IN_BIN`
            are not made.
    """
    bins = max(1, min(bins, len(predicted) // FEWEST_IN_BIN))
    order = np.argsort(predicted, kind="stable")

    def of(rows: NDArray[np.intp]) -> CalibrationBin:
        observed, low, high = kaplan_meier(time[rows], event[rows]).risk_at(at)
        mean = float(predicted[rows].mean())
        return CalibrationBin(mean, observed, low, high, len(rows))

    parts = np.array_split(order, bins) if bins > 1 else []
    return SurvivalCalibration(at, of(order), [of(part) for part in parts])
