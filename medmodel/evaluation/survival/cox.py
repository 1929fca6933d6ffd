"""Cox proportional hazards model of scores, or of the first components of features.

Everything is estimated on development patients alone: centre and axes of the
components, coefficients, baseline hazard, limits of the risk groups.

References: Cox, JRSS B 34 (1972) 187; ties by Efron, JASA 72 (1977) 557; baseline by
Breslow, JRSS B 34 (1972) 216. One component for every ten events: Peduzzi et al., J
Clin Epidemiol 48 (1995) 1503.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.language import _

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

FEWEST_EVENTS = 10
EVENTS_PER_COMPONENT = 10
MOST_COMPONENTS = 10
_STEEPEST = 20.0
"""Largest hazard, as its logarithm, that a coefficient may give a standard deviation:
beyond lies an event that the predictor separates without error."""


@dataclass(frozen=True)
class CoxModel:
    """A fitted model.

    Args:
        centre: Mean of each number among the development patients, (d,).
        axes: From centred numbers to standardised components, (d, k).
        coefficients: Of the components, (k,).
        errors: Their standard errors, (k,).
        event_times: Times of events among the development patients, ascending, (e,).
        cumulative_hazard: Baseline, at and after each of them, (e,).
        events: Events among the development patients.
        patients: How many they are.
    """

    centre: Floats
    axes: Floats
    coefficients: Floats
    errors: Floats
    event_times: Floats
    cumulative_hazard: Floats
    events: int
    patients: int

    def risk(self, numbers: Floats) -> Floats:
        """Logarithm of each patient's hazard ratio to the mean one, (n,).

        Args:
            numbers: Shape `(n, d)`.
        """
        components = (np.asarray(numbers, float) - self.centre) @ self.axes
        return np.asarray(components @ self.coefficients, float)

    def probability(self, numbers: Floats, time: float) -> Floats:
        """Probability of the event by a time, (n,).

        Args:
            numbers: Shape `(n, d)`.
            time: Within the time that development patients were followed.
        """
        at = int(np.searchsorted(self.event_times, time, side="right"))
        baseline = self.cumulative_hazard[at - 1] if at else 0.0
        return np.asarray(-np.expm1(-baseline * np.exp(self.risk(numbers))), float)


def fit_cox(numbers: Floats, time: Floats, event: Marks) -> CoxModel:
    """Fits the model to development patients.

    Args:
        numbers: Shape `(n, d)`: one score, or features, of which the first components
            are taken, one for every ten events and ten at most.
        time: Above 0, (n,).
        event: Whether it happened then, (n,).

    Raises:
        DataError: There are fewer than `FEWEST_EVENTS` events, or the numbers do not
            vary, or they part those with the event from the others without error.
    """
    events = int(event.sum())
    if events < FEWEST_EVENTS:
        raise DataError(
            _(
                "The event happened to {events} of {patients} development patients: "
                "a Cox model needs {fewest} events at least.",
                events=events,
                patients=len(event),
                fewest=FEWEST_EVENTS,
            )
        )
    centre, axes = _components(np.asarray(numbers, float), events)
    components = (numbers - centre) @ axes
    coefficients, errors = _maximum(components, time, event)
    times, hazard = _breslow(np.exp(components @ coefficients), time, event)
    return CoxModel(
        *(centre, axes, coefficients, errors, times, hazard, events, len(time))
    )


def _components(numbers: Floats, events: int) -> tuple[Floats, Floats]:
    """Centre, and axes of the first principal components with variance 1."""
    centre = numbers.mean(axis=0)
    centred = numbers - centre
    _left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    spreads = sizes / np.sqrt(max(len(numbers) - 1, 1))
    wanted = min(MOST_COMPONENTS, max(events // EVENTS_PER_COMPONENT, 1))
    varying = int((spreads > 1e-9 * max(float(np.abs(centre).max()), 1.0)).sum())
    count = min(wanted, varying)
    if not count:
        raise DataError(
            _("All development patients have the same numbers: nothing can be fitted.")
        )
    return centre, (right[:count] / spreads[:count, None]).T


def _maximum(components: Floats, time: Floats, event: Marks) -> tuple[Floats, Floats]:
    """Coefficients of the largest partial likelihood, and their standard errors."""
    from statsmodels.duration.hazard_regression import PHReg
    from statsmodels.tools.sm_exceptions import ModelWarning

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", ModelWarning)
        try:
            model = PHReg(time, components, status=event.astype(int), ties="efron")
            result = model.fit(disp=0, maxiter=100)
        except (ModelWarning, np.linalg.LinAlgError) as error:
            raise _without_error() from error
    coefficients, errors = np.asarray(result.params), np.asarray(result.bse)
    finite = np.isfinite([coefficients, errors]).all()
    if not finite or np.abs(coefficients).max() > _STEEPEST:
        raise _without_error()
    return coefficients, errors


def _without_error() -> DataError:
    return DataError(
        _(
            "The numbers part the development patients with the event from the "
            "others without error: a Cox model cannot be fitted to them."
        )
    )


def _breslow(ratios: Floats, time: Floats, event: Marks) -> tuple[Floats, Floats]:
    """Event times, ascending, and the baseline's cumulative hazard at each."""
    times, counts = np.unique(time[event], return_counts=True)
    order = np.argsort(time)
    later = np.cumsum(ratios[order][::-1])[::-1]
    first = np.searchsorted(time[order], times, side="left")
    return times, np.cumsum(counts / later[first])


def group_limits(risk: Floats, groups: int) -> Floats:
    """Risks that part the development patients into equal groups, (groups - 1,)."""
    return np.quantile(risk, np.arange(1, groups) / groups)


def risk_groups(risk: Floats, limits: Floats) -> NDArray[np.intp]:
    """Group of each patient, from 0, the lowest risk first, (n,)."""
    return np.searchsorted(limits, risk, side="left")
