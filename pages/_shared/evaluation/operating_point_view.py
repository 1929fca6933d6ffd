"""The operating point: chosen on validation images, frozen, then looked at on test."""

from __future__ import annotations

import math
from datetime import datetime

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.evaluation.decision.frozen_thresholds import (
    freeze_thresholds,
    frozen_thresholds,
    later_choices,
)
from medmodel.evaluation.decision.thresholds import (
    Outcome,
    Rule,
    Rules,
    at_prevalence,
    choose_thresholds,
    outcome,
)
from medmodel.evaluation.intervals.minima import too_few
from medmodel.evaluation.predictions import Predictions
from medmodel.language import N_, _, format_date, ngettext
from medmodel.reports import figures, plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.answer import show_answer
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.curves_view import frozen_threshold, pick_class

_KINDS = {
    "youden": N_("Balanced (Youden)"),
    "sensitivity": N_("Reach a sensitivity"),
    "specificity": N_("Reach a specificity"),
    "cost": N_("By the cost of errors"),
}


def show_operating_point(run: Run) -> None:
    """Choosing and freezing first; test images only afterwards."""
    frozen = frozen_thresholds(run)
    if frozen is None:
        st.markdown(
            _(
                "**Decision threshold**: the score from which on an image is "
                "flagged as a class. Choose the rule now: the thresholds come from "
                "this run's **validation** images alone, and are locked before the "
                "test results are shown."
            ),
            help=meaning("threshold", "operating point"),
        )
        _choose(run, _("Lock threshold and show test results"))
        return
    st.markdown(
        _(
            ":material/lock: **Locked**, chosen on validation images only: {rule}.",
            rule=plain(frozen[0]),
        ),
        help=meaning("operating point", "sensitivity (recall)", "specificity"),
    )
    position = pick_class(run)
    data = run_cache.split(run)
    threshold = frozen_threshold(run, position)
    if threshold is None:
        name = plain(data.classes[position])
        st.info(
            _(
                "{name} has no threshold: no validation image of it, or no other.",
                name=name,
            )
        )
        return
    _show_outcome(outcome(data, position, threshold))
    _show_later(run, data, position)
    positive = data.truth == position
    if positive.any() and not positive.all():
        _explore(run, data, position, threshold)
    else:
        name = plain(data.classes[position])
        st.info(_one_sided(name) if positive.any() else _absent(name))
    with st.expander(_("The locked thresholds of all classes")):
        table = _outcomes(data, frozen[1])
        show_table(table, hide_index=True, height="content")
        csv_button(table, "thresholds", run)
    with st.expander(_("Choose again"), icon=":material/history:"):
        st.markdown(
            _(
                "The thresholds come from validation images again, but you have "
                "seen the test images by now: how well the new ones do there is "
                "**no honest test** any more. What was locked stays; this choice "
                "is kept beside it, with its date, and always said to be later."
            )
        )
        _choose(run, _("Keep it as a later choice"))


def _one_sided(name: str) -> str:
    return _(
        "All test images are of {name}: what the threshold would mean at a clinic "
        "cannot be told.",
        name=name,
    )


def _absent(name: str) -> str:
    return _(
        "No test image is of {name}: what the threshold would mean at a clinic cannot "
        "be told.",
        name=name,
    )


def _show_later(run: Run, data: Predictions, position: int) -> None:
    """What was chosen again, each said to be late."""
    name = data.classes[position]
    rows = []
    for choice in later_choices(run):
        cut = choice.thresholds.get(name, math.nan)
        if math.isnan(cut):
            continue
        metrics = outcome(data, position, cut).metrics
        moment = datetime.fromtimestamp(choice.when)
        day = f"{format_date(moment)}, {moment:%H:%M}"
        rates = [metrics[key].with_n for key in _SHOWN]
        rows.append([day, str(choice.rule), f"{cut:.3f}", *rates])
    if not rows:
        return
    columns = [_("Chosen"), _("Rule"), _("Threshold"), *_shown_titles()]
    table = pd.DataFrame(rows, columns=columns)
    st.markdown(
        _(
            ":material/history: **Chosen again, after the test images had been "
            "seen**: too good to be expected elsewhere."
        )
    )
    show_table(table, hide_index=True, height="content")
    csv_button(table, "later-thresholds", run)


def _choose(run: Run, label: str) -> None:
    data = run_cache.split(run, "val")
    apart = len(data.classes) > 1 and st.toggle(
        _("A rule for each class"), key="rule-apart", persist_state="session"
    )
    with errors_shown():
        rule: Rule | Rules
        if apart:
            rule = Rules(tuple((name, _ask(name)) for name in data.classes))
        else:
            rule = _ask("")
        thresholds = choose_thresholds(run_cache.predictions(run), rule)
        st.caption(_("What it does to the validation images"))
        table = _outcomes(data, thresholds)
        show_table(table, hide_index=True, height="content")
        if st.button(label, type="primary"):
            freeze_thresholds(run, rule, thresholds)
            kind = rule.kind if isinstance(rule, Rule) else "by class"
            audit.record("freeze_thresholds", run=run.id, rule=kind)
            st.rerun()


def _ask(name: str) -> Rule:
    """The rule for a class, or for all where the name is empty."""
    if name:
        left, right = st.columns(2, vertical_alignment="bottom")
        kind = left.selectbox(
            _("Rule for {name}", name=plain(name)),
            list(_KINDS),
            format_func=lambda key: _(_KINDS[key]),
            key=f"rule-{name}",
        )
    else:
        right = st.container()
        with right:
            kind = one_of(
                _("Rule"),
                list(_KINDS),
                format_func=legible(lambda key: _(_KINDS[key])),
                default="youden",
                required=True,
                key="rule",
            )
    if kind in ("sensitivity", "specificity"):
        share = right.slider(
            _("Sensitivity to reach")
            if kind == "sensitivity"
            else _("Specificity to reach"),
            50,
            100,
            95,
            format="%d %%",
            key=f"rule-share-{name}",
        )
        return Rule(kind, share / 100)
    if kind == "cost":
        value = right.number_input(
            _("One false negative is as bad as this many false positives"),
            0.1,
            1000.0,
            5.0,
            key=f"rule-cost-{name}",
        )
        return Rule(kind, value)
    return Rule()


def _show_outcome(outcome: Outcome) -> None:
    tiles = [
        (_("True positives"), outcome.found, "sensitivity"),
        (_("False negatives"), outcome.missed, "sensitivity"),
        (_("False positives"), outcome.false_alarms, "specificity"),
        (_("True negatives"), outcome.left_alone, "specificity"),
    ]
    rates = {"sensitivity": _("Sensitivity"), "specificity": _("Specificity")}
    for place, (column, tile) in enumerate(zip(st.columns(4), tiles, strict=True)):
        title, count, key = tile
        with column, st.container(border=True, gap="xxsmall"):
            st.markdown(f":gray[{title}]")
            show_answer(f"{count:,}")
            if place in (0, 3):  # what is right
                st.caption(plain(f"{rates[key]} {outcome.metrics[key]}"))
            else:
                images = outcome.metrics[key].n
                of = ngettext("of {count:,} image", "of {count:,} images", images)
                st.caption(plain(of))
    st.caption(
        plain(
            _(
                "{name} is flagged from a score of {threshold:.3f} on. PPV "
                "{ppv}, NPV {npv} at this split's prevalence of "
                "{prevalence:.1f} %.",
                name=outcome.name,
                threshold=outcome.threshold,
                ppv=outcome.metrics["ppv"],
                npv=outcome.metrics["npv"],
                prevalence=100 * outcome.prevalence,
            )
        )
    )


@st.fragment
def _explore(run: Run, data: Predictions, position: int, frozen: float) -> None:
    """What another threshold and a clinic's prevalence would mean."""
    name = plain(data.classes[position])
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.markdown(
            _("**At your clinic**"),
            help=meaning(
                "prevalence",
                "positive predictive value (PPV, precision)",
                "negative predictive value (NPV)",
            ),
        )
        share = st.number_input(
            _("Of 100 patients like yours, how many have {name}?", name=name),
            0.1,
            99.9,
            None,
            step=1.0,
            format="%.1f",
            placeholder=_("Prevalence in %"),
            key=f"prevalence-{run.id}-{position}",
        )
        if share is None:
            st.caption(_("Enter the prevalence: predictive values depend on it."))
        frozen_place = st.empty()
    with right, st.container(border=True):
        st.markdown(_("**Explore another threshold**"))
        st.caption(
            _(
                ":material/science: **Exploratory**: a threshold chosen while looking "
                "at test images proves nothing. The locked one stays."
            )
        )
        threshold = st.slider(
            _("Threshold for {name}", name=name),
            0.0,
            1.0,
            min(max(round(frozen, 3), 0.0), 1.0),
            0.005,
            format="%.3f",
            key=f"explored-{run.id}-{position}",
        )
        explored_place = st.empty()
    for place, cut in ((frozen_place, frozen), (explored_place, threshold)):
        with place.container():
            _rates(outcome(data, position, cut), share)
    _benefit(run, data, position, threshold)


def _rates(outcome: Outcome, share: float | None) -> None:
    """The rates of a threshold; what they mean once the prevalence is known."""
    if share is not None:
        _forecast(outcome, share / 100)
        return
    sensitivity = outcome.metrics["sensitivity"]
    specificity = outcome.metrics["specificity"]
    st.caption(
        plain(
            _(
                "At a score from {threshold:.3f} on: sensitivity {sensitivity}, "
                "specificity {specificity}.",
                threshold=outcome.threshold,
                sensitivity=sensitivity,
                specificity=specificity,
            )
        )
    )


def _forecast(outcome: Outcome, prevalence: float) -> None:
    with errors_shown():
        sensitivity = outcome.metrics["sensitivity"]
        specificity = outcome.metrics["specificity"]
        forecast = at_prevalence(sensitivity, specificity, prevalence)
        st.markdown(f"**{plain(forecast)}**")
        st.caption(
            plain(
                _(
                    "At a score from {threshold:.3f} on: sensitivity {sensitivity}, "
                    "specificity {specificity}; at a prevalence of {prevalence:.1f} % "
                    "PPV {ppv}, NPV {npv}.",
                    threshold=outcome.threshold,
                    sensitivity=sensitivity,
                    specificity=specificity,
                    prevalence=100 * prevalence,
                    ppv=forecast.ppv,
                    npv=forecast.npv,
                )
            )
        )


def _benefit(run: Run, data: Predictions, position: int, threshold: float) -> None:
    name = data.classes[position]
    colour = plots.class_colours(data.classes)[name]
    st.markdown(
        _("**Is acting on it worth it?** (decision curve)"),
        help=meaning("decision curve"),
    )
    with errors_shown():
        curve = run_cache.benefit(run, position)
        figure = figures.benefit_figure(curve, colour, threshold)
        show_figure(
            figure,
            "benefit",
            _("Net benefit of acting on the score for {name}", name=name),
        )
        st.caption(
            _(
                "True positives per patient, minus false ones weighed by how much "
                "a false positive costs. Worth something where the line lies above "
                "both others, and only if scores are calibrated."
            )
        )
        few = None if curve.too_few is None else too_few(curve.too_few)
        if few:
            st.caption(plain(_("No intervals: {few}.", few=few)))
        table = {
            _("threshold"): curve.thresholds,
            _("model"): curve.model,
            _("low"): curve.low if few is None else few,
            _("high"): curve.high if few is None else few,
            _("treat_all"): curve.treat_all,
        }
        csv_button(pd.DataFrame(table), "decision-curve", run)


def _outcomes(data: Predictions, thresholds: dict[str, float]) -> pd.DataFrame:
    rows = []
    for position, name in enumerate(data.classes):
        cut = thresholds.get(name, math.nan)
        if math.isnan(cut):
            rows.append([name, _("none"), _("not measurable"), _("not measurable")])
            continue
        metrics = outcome(data, position, cut).metrics
        rates = [metrics[key].with_n for key in _SHOWN]
        rows.append([name, f"{cut:.3f}", *rates])
    columns = [_("Class"), _("Threshold"), *_shown_titles()]
    return pd.DataFrame(rows, columns=columns)


def _shown_titles() -> list[str]:
    return [_("Sensitivity"), _("Specificity")]


_SHOWN = ("sensitivity", "specificity")
