"""The table of a batch whose model gives several findings: a flag for each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from medmodel.data.multi_label.findings import SEPARATOR
from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.evaluation.multi_label.run_findings import model_decisions
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import score_array, scored_classes

if TYPE_CHECKING:
    import pandas as pd

PROBABILITY, FLAGGED = "probability_", "flagged_"
"""What stands before a finding in the names of columns."""


def described(table: pd.DataFrame, model: Run | None) -> pd.DataFrame:
    """The table with what the model's thresholds and temperatures say of it.

    Args:
        table: As from `table.read`.
        model: The model's run; None where it is gone.

    Returns:
        Further columns: `predicted_findings`, as `effusion|mass`; `margin`, how far the
        nearest probability lies from its threshold; `probability_<finding>` after
        calibration, `flagged_<finding>` (1 or 0) of findings that have a threshold. Of
        images that could not be read they are empty.

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
    columns: dict[str, Any] = {}
    names: list[list[str]] = [[] for _row in range(len(table))]
    margin = np.full(len(table), np.nan)
    for at, decision in enumerate(decisions):
        shown = np.full(len(table), np.nan)
        shown[answered] = decision.shown(raw[answered, at])
        columns[f"{PROBABILITY}{decision.name}"] = shown
        if math.isnan(decision.threshold):
            continue
        called = shown >= decision.threshold
        flags = np.where(answered, called.astype(float), np.nan)
        columns[f"{FLAGGED}{decision.name}"] = flags
        margin = np.fmin(margin, np.abs(shown - decision.threshold))
        for row in np.flatnonzero(called):
            names[row].append(decision.name)
    columns = {
        "predicted_findings": [SEPARATOR.join(of_image) for of_image in names],
        "margin": margin,
        **columns,
    }
    return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)
