"""Diagnose with a model of several findings: bars, thresholds, a map for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from medmodel.core.errors import MedModelError, PredictionError, value_or_problem
from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.language import _, join_sentences, translate
from medmodel.reports import plots
from medmodel.reports.multi_label.facts import mean_sentence
from medmodel.reports.multi_label.finding_bars import finding_bars
from medmodel.reports.multi_label.finding_sentences import predicted_sentence
from medmodel.runs.run import Run
from pages._shared.common.answer import show_answer
from pages._shared.common.charts import show_figure
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.multi_label.evaluation_cache import (
    decisions_of_run,
    findings_of,
)
from pages._shared.multi_label.sets_view import show_finding_sets_of
from pages._shared.prediction.cases import Case
from pages._shared.prediction.ood_view import (
    familiarity_below,
    may_show_answer,
    show_neighbours,
)
from pages._shared.prediction.prediction_cache import Answer, ask_findings, asking
from pages._shared.prediction.prediction_view import (
    show_original,
    show_saliency,
    show_unanswered,
)
from pages._shared.prediction.scan_view import choose_frame

_AT_MOST = 14
"""Findings with a bar of their own at once; the others below."""


def worth_sentence(run: Run) -> str:
    """What the model is worth: its mean AUC on test images, with interval."""
    try:
        evaluation = findings_of(run).evaluation
    except MedModelError as error:
        return _(
            "How well this model does on test images is not known. {reason}",
            reason=translate(str(error)),
        )
    return mean_sentence(evaluation)


def pick_case(cases: Sequence[Case], note: str) -> Case:
    """The image to look at, of those that were given.

    Args:
        cases: The images.
        note: Where they come from; "" for nothing to say.
    """
    if len(cases) == 1:
        return cases[0]
    by_key = {case.key: case for case in cases}
    # Keys, not cases: of these Streamlit would compare the pixels.
    key = st.selectbox(
        _("Image"),
        list(by_key),
        format_func=lambda key: by_key[key].name,
        key="findings-case",
        help=note or None,
    )
    return by_key[key]


def show_findings_of(run: Run, case: Case) -> None:
    """One image: which findings it has, each one's probability and map."""
    case = choose_frame(case)
    try:
        with st.spinner(asking()):
            answer = ask_findings(run, [case])[0]
    except PredictionError as error:
        show_unanswered(case, str(error))
        return
    decisions = decisions_of(run, answer.classes)
    _show_alone(as_shown(answer, decisions), decisions)


def decisions_of(run: Run, findings: Sequence[str]) -> list[Decision]:
    """Threshold and temperature of each finding; none where they are not known."""
    known = value_or_problem(decisions_of_run, run)[0] or []
    by_name = {decision.name: decision for decision in known}
    unknown = Decision("", math.nan, 1.0, 0)
    return [by_name.get(name, replace(unknown, name=name)) for name in findings]


def as_shown(answer: Answer, decisions: Sequence[Decision]) -> Answer:
    """The answer with each finding's probability as shown, after its calibration."""
    raw = answer.prediction.raw
    shown = [
        float(decision.shown(raw[at : at + 1])[0])
        for at, decision in enumerate(decisions)
    ]
    return replace(answer, probabilities=np.array(shown, np.float32))


def _show_alone(answer: Answer, decisions: Sequence[Decision]) -> None:
    """One sentence, then image, map and bars side by side."""
    sentence = st.container(gap="xsmall")
    left, right = st.columns([2, 1.4], gap="medium")
    with sentence:
        shown = may_show_answer(answer)
        if shown:
            show_answer(predicted_sentence(answer.probabilities, decisions))
        # In two lines: below them the image stands on a projector's first screen.
        if resembles := familiarity_below(answer):
            st.markdown(plain(resembles))
    with left, errors_shown():
        if shown:
            show_saliency(answer)
        else:
            show_original(answer.case)
    with right:
        if answer.case.label:
            known = _("Findings in the data set: {label}.", label=answer.case.label)
            st.markdown(plain(known))
        if shown:
            _show_bars(answer, decisions)
            show_finding_sets_of(answer)
        st.caption(plain(worth_sentence(answer.run)))
    show_neighbours(answer)


def _show_bars(answer: Answer, decisions: Sequence[Decision]) -> None:
    order = np.argsort(-answer.probabilities, kind="stable")
    colours = plots.class_colours(answer.classes)
    for start in range(0, len(order), _AT_MOST):
        part = [int(i) for i in order[start : start + _AT_MOST]]
        names = [answer.classes[i] for i in part]
        values = [float(answer.probabilities[i]) for i in part]
        drawing = finding_bars(
            names, values, [decisions[i].threshold for i in part], colours
        )
        texts = [
            f"{n}: {plots.per_cent(v)}" for n, v in zip(names, values, strict=True)
        ]
        place = st.container() if not start else st.expander(_("More findings"))
        with place:
            show_figure(
                drawing,
                key=f"findings-{answer.run.id}-{answer.case.key}-{start}",
                alt="; ".join(texts),
                download=False,
            )
    st.caption(plain(_meaning(decisions)))


def _meaning(decisions: Sequence[Decision]) -> str:
    """What bars and marks mean, and which findings have no mark or are uncalibrated."""
    sentences = [
        _(
            "Each finding has a probability of its own: together they do not sum to "
            "100 %. The line is its threshold, chosen on validation images."
        )
    ]
    unmarked = [d.name for d in decisions if math.isnan(d.threshold)]
    if unmarked:
        sentences.append(
            _(
                "Without a threshold, and therefore never predicted: {findings}.",
                findings=_(", ").join(unmarked),
            )
        )
    return join_sentences([*sentences, *not_calibrated(decisions)])


def not_calibrated(decisions: Sequence[Decision]) -> list[str]:
    """A sentence on findings whose probabilities are not calibrated, if any are not."""
    raw = [each.name for each in decisions if not each.calibrated]
    if not raw:
        return []
    return [
        _(
            "Not calibrated, 80 % does not mean present in 80 of 100 such images: "
            "{findings}.",
            findings=_(", ").join(raw),
        )
    ]
