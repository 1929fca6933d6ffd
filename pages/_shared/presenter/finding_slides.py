"""Slides of models of several findings: bars of an image, the verdict on models."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from medmodel.audience.slide import Bar, Slide
from medmodel.evaluation.cross_validation import Models
from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.language import _, ngettext
from medmodel.reports import plots
from pages._shared.multi_label.comparison_view import (
    Pairs,
    areas_of,
    chosen,
    common_of,
    tested,
)
from pages._shared.multi_label.diagnosis_view import not_calibrated
from pages._shared.prediction.prediction_cache import Answer
from pages._shared.presenter.scene import Scene, turned
from pages._shared.presenter.verdict import estimate_bars, verdict

_FINDING = "presented-finding"


def finding_bars(
    answer: Answer, decisions: Sequence[Decision], most: int
) -> tuple[Bar, ...]:
    """The most probable findings, each with its threshold.

    Args:
        answer: With probabilities as they are shown.
        decisions: Of each finding.
        most: How many bars at most; the others are not summed, which would say nothing.
    """
    colours = plots.class_colours(answer.classes)
    order = np.argsort(-answer.probabilities, kind="stable")[:most]
    bars = []
    for at in order:
        share, name = float(answer.probabilities[at]), answer.classes[at]
        text, threshold = plots.per_cent(share), decisions[at].threshold
        if not math.isnan(threshold):
            cut = plots.per_cent(threshold)
            text = _("{share} (threshold {threshold})", share=text, threshold=cut)
        bars.append(Bar(name, share, text, colours[name]))
    return tuple(bars)


def finding_notes(decisions: Sequence[Decision], most: int) -> list[str]:
    """What must be known beside the bars, a sentence each."""
    notes = [
        _(
            "Each finding has a probability of its own: together they do not sum to "
            "100 %."
        )
    ]
    if len(decisions) > most:
        notes.append(
            ngettext(
                "{count} less probable finding is not shown.",
                "{count} less probable findings are not shown.",
                len(decisions) - most,
            )
        )
    return [*notes, *not_calibrated(decisions)]


def compare_findings_scene(models: Models, copies: Sequence[str]) -> Scene:
    """The verdict on the mean AUC; the arrow keys turn to single findings.

    Args:
        models: All of which give several findings.
        copies: What is known of copies among their test images, in sentences.

    Raises:
        MedModelError: They cannot be compared.
    """
    compared = chosen(models)
    common = common_of(compared)
    means, of_findings = tested(compared)
    areas, mean_areas = areas_of(compared)
    at = min(st.session_state.get(_FINDING, 0), len(common.findings))
    if at:
        name = common.findings[at - 1]
        pairs, estimates = list(of_findings[name]), areas[name]
        metric = _("AUC of {finding}", finding=name)
    else:
        pairs, estimates = means, mean_areas
        metric = _("Mean AUC of the findings")
    title, sentences = verdict(pairs)
    if at:
        sentences = [*_corrected(of_findings), *sentences[1:]]
    slide = Slide(
        _("Compare"),
        title,
        _("{metric} with its 95 % interval. {common}", metric=metric, common=common),
        bars=estimate_bars(estimates),
        notes=(*sentences, *copies),
    )
    return Scene(slide, turn=lambda by: _turn(len(common.findings) + 1, at, by))


def _corrected(pairs: Pairs) -> list[str]:
    """That what a single finding says is one of many tests, where it is."""
    tests = sum(e.estimate.has_interval for of in pairs.values() for e in of)
    if tests < 2:
        return []
    return [
        _(
            "p values of the findings are corrected for all {count} tests (Holm).",
            count=tests,
        )
    ]


def _turn(count: int, at: int, by: int) -> None:
    st.session_state[_FINDING] = turned(count, at, by)
