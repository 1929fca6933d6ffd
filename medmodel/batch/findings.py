"""The table of a batch whose model gives several findings: a flag for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.data.multi_label.findings import SEPARATOR, indicators
from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.evaluation.multi_label.finding_sets import by_name
from medmodel.evaluation.multi_label.run_findings import model_decisions, model_sets
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import score_array, scored_classes

if TYPE_CHECKING:
    import pandas as pd

PROBABILITY, FLAGGED, IN_SET = "probability_", "flagged_", "set_"
"""What stands before a finding in the names of columns."""


def described(table: pd.DataFrame, model: Run | None) -> pd.DataFrame:
    """The table with what the model's thresholds and temperatures say of it.

    Args:
        table: As from `table.read`.
        model: The model's run; None where it is gone.

    Returns:
        Further columns: `predicted_findings`, as `effusion|mass`; `margin`, how far the
        nearest probability lies from its threshold; `label_score`, where the findings
        of an image are known, the lowest probability that one of them, or of their
        absences, got; `probability_<finding>` after calibration, `flagged_<finding>`
        (1 or 0) of findings that have a threshold, `set_<finding>`, what cannot be
        ruled out, of those that have validation images enough. Of images that could not
        be read they are empty.

    Raises:
        RunError: The model's findings.csv is damaged.
    """
    import pandas as pd

    findings = scored_classes(table)
    raw = score_array(table, findings)
    answered = (table["problem"] == "").to_numpy() & np.isfinite(raw).all(axis=1)
    decisions = [Decision(name, math.nan, 1.0, 0) for name in findings]
    if model is not None:
        decisions = model_decisions(model, findings)
    shown = np.full(raw.shape, np.nan)
    for at, decision in enumerate(decisions):
        shown[answered, at] = decision.shown(raw[answered, at])
    columns: dict[str, Any] = {}
    names: list[list[str]] = [[] for _row in range(len(table))]
    margin = np.full(len(table), np.nan)
    sets = _sets(raw, answered, findings, model)
    for at, decision in enumerate(decisions):
        columns[f"{PROBABILITY}{decision.name}"] = shown[:, at]
        if not math.isnan(decision.threshold):
            called = shown[:, at] >= decision.threshold
            flags = np.where(answered, called.astype(float), np.nan)
            columns[f"{FLAGGED}{decision.name}"] = flags
            margin = np.fmin(margin, np.abs(shown[:, at] - decision.threshold))
            for row in np.flatnonzero(called):
                names[row].append(decision.name)
        if decision.name in sets:
            columns[f"{IN_SET}{decision.name}"] = sets[decision.name]
    columns = {
        "predicted_findings": [SEPARATOR.join(of_image) for of_image in names],
        "margin": margin,
        "label_score": _label_scores(table, findings, shown),
        **columns,
    }
    return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)


def _sets(
    raw: NDArray[np.float64],
    answered: NDArray[np.bool_],
    findings: Sequence[str],
    model: Run | None,
) -> dict[str, NDArray[Any]]:
    """The sets of each finding that has any, "" of images that were not read."""
    fitted = by_name([], findings) if model is None else model_sets(model, findings)
    known = {}
    for at, sets in enumerate(fitted):
        if sets.enough:
            known[sets.name] = np.full(len(raw), "", object)
            known[sets.name][answered] = sets.answers(raw[answered, at])
    return known


def _label_scores(
    table: pd.DataFrame, findings: Sequence[str], shown: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The lowest probability of what is true of an image; not-a-number if unknown."""
    if not findings:
        return np.full(len(table), np.nan)
    has = indicators(table["label"].tolist(), findings)
    of_truth = np.where(has, shown, 1 - shown).min(axis=1)
    return np.where(table["label"].to_numpy() != "", of_truth, np.nan)
