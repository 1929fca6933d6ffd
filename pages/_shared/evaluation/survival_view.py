"""Survival: what a network sees against what happened to patients later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.evaluation.survival.cohort import (
    Cohort,
    Images,
    build_cohort,
    feature_images,
    score_images,
)
from medmodel.evaluation.survival.cox import (
    CoxModel,
    fit_cox,
    group_limits,
    risk_groups,
)
from medmodel.evaluation.survival.outcomes import (
    Outcome,
    OutcomeColumns,
    OutcomeTable,
    guess_columns,
    outcomes_by_unit,
    read_outcomes,
)
from medmodel.evaluation.survival.performance import (
    Concordance,
    SurvivalCalibration,
    SurvivalCurve,
    calibration_at,
    concordance,
    kaplan_meier,
    log_rank,
)
from medmodel.language import N_, _, ngettext
from medmodel.reports.plots import measured_share
from medmodel.reports.survival_figures import (
    kaplan_meier_figure,
    survival_calibration_figure,
)
from medmodel.runs.run import Run
from pages._shared.common import run_cache, widgets
from pages._shared.common.charts import show_figure
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain

_UPLOADER = 104
"""Pixels of the field for a table with its title."""
_GROUPS = (N_("lowest third of risk"), N_("middle third"), N_("highest third"))
_PREDICTORS = {
    "score": N_("Score of a class"),
    "features": N_("First components of the frozen features"),
}


@dataclass(frozen=True)
class SurvivalResult:
    """A fitted model on the test patients.

    Args:
        model: The model.
        cohort: The patients.
        groups: Group of each test patient, from 0, the lowest risk first.
        curves: Of the groups that have a patient.
        titles: What these are called.
        p_value: Of the log-rank test between them; not-a-number for one group.
        strength: Concordance on the test patients.
    """

    model: CoxModel
    cohort: Cohort
    groups: np.ndarray
    curves: list[SurvivalCurve]
    titles: list[str]
    p_value: float
    strength: Concordance


def show_survival(run: Run) -> None:
    """A table of outcomes is chosen; a Cox model is fitted to it and tested."""
    with errors_shown():
        _show(run)


def _show(run: Run) -> None:
    st.markdown(
        _(
            "Does what the network sees tell what happens later? A table with a time "
            "and an event for each patient, and a Cox model of the score or of the "
            "frozen features. The table stays in this session and is written nowhere."
        ),
        help=meaning("Cox model"),
    )
    with widgets.at_least_high(_UPLOADER):
        file = st.file_uploader(
            _("Table of outcomes (CSV)"),
            key=f"outcomes-{run.id}",
            help=_(
                "One line for each patient, or for each file: patient, time from the "
                "image to the event or to the last time without it, and whether the "
                "event happened (1) or not (0)."
            ),
        )
    if file is None:
        return
    table = read_outcomes(file.getvalue(), file.name)
    columns = _ask_columns(run, table)
    if columns is None:
        return
    outcomes, missing = outcomes_by_unit(table, columns)
    images = _ask_predictor(run)
    if images is None:
        return
    _show_result(run, survival_result(images, outcomes), len(missing))


def _ask_columns(run: Run, table: OutcomeTable) -> OutcomeColumns | None:
    guessed = guess_columns(table.header)
    titles = {
        "unit": _("Patient or file"),
        "time": _("Time"),
        "event": _("Event (1 or 0)"),
    }
    chosen = {}
    for place, (name, title) in zip(st.columns(3), titles.items(), strict=True):
        guess = getattr(guessed, name)
        chosen[name] = place.selectbox(
            title,
            table.header,
            index=table.header.index(guess) if guess else None,
            placeholder=_("Choose a column"),
            key=f"outcome-{name}-{run.id}-{hash(tuple(table.header))}",
        )
    if None in chosen.values():
        st.caption(_("Say which column is which."))
        return None
    return OutcomeColumns(**chosen)


def _ask_predictor(run: Run) -> Images | None:
    place, of_class = st.columns([2, 1], vertical_alignment="bottom")
    with place:
        predictor = one_of(
            _("What the model is made of"),
            list(_PREDICTORS),
            format_func=legible(lambda key: _(_PREDICTORS[key])),
            default="score",
            required=True,
            key=f"survival-of-{run.id}",
        )
    if predictor == "score":
        classes = run_cache.split(run).classes
        name = of_class.selectbox(
            _("Class"), classes, index=len(classes) - 1, key=f"survival-class-{run.id}"
        )
        st.caption(
            _(
                "Fitted to patients of the validation images, as the model has learned "
                "the training images by heart; tested on those of the test images."
            )
        )
        return score_images(run_cache.predictions(run), classes.index(name))
    images = feature_images(run)
    if images is None:
        st.info(
            _(
                "The frozen features of these images are not there: they are made when "
                "a model of the recipe Instant is trained on them."
            )
        )
        return None
    st.caption(
        _(
            "Fitted to patients of the training and validation images, one component "
            "for every ten events; tested on those of the test images."
        )
    )
    return images


def survival_result(images: Images, outcomes: Mapping[str, Outcome]) -> SurvivalResult:
    """Fits to the development patients and looks at the test patients.

    Raises:
        DataError: There are too few events or patients.
    """
    cohort = build_cohort(images, outcomes)
    known, tested = cohort.development, cohort.test
    model = fit_cox(known.numbers, known.time, known.event)
    limits = group_limits(model.risk(known.numbers), len(_GROUPS))
    risk = model.risk(tested.numbers)
    groups = risk_groups(risk, limits)
    there = [n for n in range(len(_GROUPS)) if (groups == n).any()]
    return SurvivalResult(
        model=model,
        cohort=cohort,
        groups=groups,
        curves=[
            kaplan_meier(tested.time[groups == n], tested.event[groups == n])
            for n in there
        ],
        titles=[_(_GROUPS[n]) for n in there],
        p_value=log_rank(tested.time, tested.event, groups),
        strength=concordance(risk, tested.time, tested.event),
    )


def _show_result(run: Run, result: SurvivalResult, missing: int) -> None:
    st.markdown(
        f"### {plain(concordance_sentence(result.strength))}",
        help=meaning("concordance (C-index)", "interval"),
    )
    st.caption(" ".join(plain(s) for s in basis_sentences(result, missing)))
    drawing = kaplan_meier_figure(result.curves, result.titles)
    show_figure(drawing, "kaplan-meier", _("Survival of three groups of risk"))
    show_table(group_table(result), hide_index=True, alt=_("Groups of risk"))
    st.caption(
        _(
            "Limits of the groups are thirds of the development patients; the curves "
            "are of the test patients, with pointwise 95 % intervals."
        )
        + " "
        + plain(log_rank_sentence(result.p_value)),
        help=meaning("Kaplan-Meier curve", "log-rank test"),
    )
    _show_calibration(run, result)


def concordance_sentence(strength: Concordance) -> str:
    """Concordance of the test patients in words."""
    if not strength.pairs:
        return _("No two test patients can be compared: too few events.")
    if np.isnan(strength.low):
        return _(
            "Concordance {value:.2f}, too few for an interval", value=strength.value
        )
    values = {"value": strength.value, "low": strength.low, "high": strength.high}
    if strength.low <= 0.5 <= strength.high:
        return _(
            "Concordance {value:.2f} (95 % interval {low:.2f} to {high:.2f}): no "
            "significant difference from chance, which is 0.5",
            **values,
        )
    return _(
        "Concordance {value:.2f} (95 % interval {low:.2f} to {high:.2f}); chance is "
        "0.5, perfect 1",
        **values,
    )


def basis_sentences(result: SurvivalResult, missing: int) -> list[str]:
    """On whom it rests, and who is left out."""
    cohort, model, strength = result.cohort, result.model, result.strength
    sentences = [
        _(
            "Fitted to {patients:,} patients with {events:,} events, components: "
            "{components}; tested on {tested:,} with {tested_events:,}.",
            patients=model.patients,
            events=model.events,
            components=len(model.coefficients),
            tested=strength.patients,
            tested_events=strength.events,
        )
    ]
    if cohort.unknown:
        sentences.append(
            ngettext(
                "Of {count:,} image the patient is not known: it counts as one.",
                "Of {count:,} images the patient is not known: each counts as one.",
                cohort.unknown,
            )
        )
    if cohort.without_image:
        sentences.append(
            ngettext(
                "{count:,} patient or file of the table has no image here.",
                "{count:,} patients or files of the table have no image here.",
                cohort.without_image,
            )
        )
    if cohort.without_outcome:
        sentences.append(
            ngettext(
                "{count:,} image has no outcome and is left out.",
                "{count:,} images have no outcome and are left out.",
                cohort.without_outcome,
            )
        )
    if cohort.in_both:
        sentences.append(
            ngettext(
                "{count:,} patient has images in both parts and is left out of the "
                "test.",
                "{count:,} patients have images in both parts and are left out of the "
                "test.",
                cohort.in_both,
            )
        )
    if missing:
        sentences.append(
            ngettext(
                "{count:,} line lacks patient, time or event.",
                "{count:,} lines lack patient, time or event.",
                missing,
            )
        )
    return sentences


def group_table(result: SurvivalResult) -> pd.DataFrame:
    """Patients and events of each group of the test patients."""
    return pd.DataFrame(
        {
            _("Group"): result.titles,
            _("Patients"): [curve.patients for curve in result.curves],
            _("Events"): [curve.events for curve in result.curves],
        }
    )


def log_rank_sentence(p_value: float) -> str:
    """Whether the groups differ, in words."""
    if np.isnan(p_value):
        return _("There is one group only, or no event: nothing to compare.")
    value = "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"
    if p_value < 0.05:
        return _(
            "The groups differ significantly (log-rank test, p {value}).", value=value
        )
    return _(
        "No significant difference between the groups (log-rank test, p {value}).",
        value=value,
    )


def _show_calibration(run: Run, result: SurvivalResult) -> None:
    known, tested = result.cohort.development, result.cohort.test
    longest = float(min(known.time.max(), tested.time.max()))
    usual = float(np.median(known.time[known.event]))
    at = st.number_input(
        _("Calibration at time"),
        min_value=min(usual, longest) * 1e-3,
        max_value=longest,
        value=min(usual, longest),
        key=f"survival-time-{run.id}",
        help=_("In the unit of the table."),
        width=240,
    )
    predicted = result.model.probability(tested.numbers, at)
    calibration = calibration_at(predicted, tested.time, tested.event, at)
    st.markdown(plain(calibration_sentence(calibration)))
    if not np.isnan(calibration.overall.observed):
        drawing = survival_calibration_figure(calibration)
        show_figure(drawing, "survival-calibration", _("Predicted and observed risk"))
    st.caption(
        _(
            "Observed risks by Kaplan-Meier with 95 % intervals. Fitted to "
            "{patients:,} patients: nothing here tells what will happen to a person.",
            patients=result.model.patients,
        )
    )


def calibration_sentence(calibration: SurvivalCalibration) -> str:
    """Predicted and observed risk of all test patients in words."""
    overall = calibration.overall
    if np.isnan(overall.observed):
        return _("No test patient was followed so long.")
    ratio, low, high = calibration.ratio
    values = {
        "time": calibration.time,
        "predicted": measured_share(overall.predicted),
        "observed": measured_share(overall.observed),
        "low": measured_share(overall.low),
        "high": measured_share(overall.high),
    }
    text = _(
        "By time {time:.4g}, {predicted} of the test patients were predicted to meet "
        "the event, and {observed} did (95 % interval {low} to {high}).",
        **values,
    )
    if np.isnan(ratio) or low <= 1 <= high:
        return text
    verdict = _("More than predicted.") if ratio > 1 else _("Fewer than predicted.")
    return f"{text} {verdict}"
