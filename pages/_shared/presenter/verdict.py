"""What a slide says of compared models: one sentence, and a bar for each."""

from __future__ import annotations

from collections.abc import Mapping

from medmodel.audience.slide import Bar
from medmodel.evaluation.comparison.model_comparison import (
    PairedDifference,
    why_not_told,
)
from medmodel.evaluation.comparison.paired_tests import correction
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.language import _
from medmodel.reports import plots


def verdict(pairs: list[PairedDifference]) -> tuple[str, list[str]]:
    """The title, and what more there is to say of several pairs."""
    if len(pairs) == 1:
        return str(pairs[0]), []
    better = [str(pair) for pair in pairs if pair.better]
    if not better:
        reasons = why_not_told(pairs)
        if reasons:
            return _("No pair can be told apart: {reasons}", reasons=reasons), []
        images = pairs[0].estimate.n
        return _("No significant difference (n = {images:,} images)", images=images), []
    return better[0], [
        *filter(None, [correction(pairs)]),
        *better[1:],
    ]


def estimate_bars(estimates: Mapping[str, Estimate]) -> tuple[Bar, ...]:
    """A bar with its interval for each model."""
    colours = plots.class_colours(list(estimates))
    return tuple(
        Bar(
            name,
            estimate.value,
            str(estimate),
            colours[name],
            estimate.low if estimate.has_interval else None,
            estimate.high if estimate.has_interval else None,
        )
        for name, estimate in estimates.items()
    )
