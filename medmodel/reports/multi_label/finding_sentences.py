"""What a model of several findings predicts of an image, as a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.language import _
from medmodel.language.right_to_left import isolated
from medmodel.reports import plots


def predicted_sentence(
    probabilities: Iterable[float], decisions: Sequence[Decision]
) -> str:
    """The findings above their thresholds, with their probabilities; or that none is.

    Args:
        probabilities: As they are shown.
        decisions: Of each finding, in the same order.
    """
    pairs = sorted(
        (-float(p), d.name, float(p))
        for p, d in zip(probabilities, decisions, strict=True)
        if p >= d.threshold
    )
    if pairs:
        named = [f"{isolated(name)} ({plots.per_cent(p)})" for _order, name, p in pairs]
        return _("Predicted findings: {findings}", findings=_(", ").join(named))
    if all(math.isnan(decision.threshold) for decision in decisions):
        return _("No finding has a threshold")
    return _("No finding above its threshold")
