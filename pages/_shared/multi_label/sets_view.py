"""Conformal sets of findings: what cannot be ruled out, and how often that held."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medmodel.core.errors import value_or_problem
from medmodel.evaluation.decision import conformal
from medmodel.evaluation.multi_label.finding_sets import COVERAGE, by_name
from medmodel.language import _, join_sentences, translate
from medmodel.reports import plots
from medmodel.reports.multi_label.finding_sentences import (
    sets_sentence,
)
from medmodel.reports.multi_label.metric_rows import rate_text
from medmodel.runs.run import Run
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.multi_label.evaluation_cache import measured_sets_of, sets_of_run
from pages._shared.prediction.conformal_view import warn_of_undercoverage
from pages._shared.prediction.prediction_cache import Answer


@st.fragment
def show_finding_sets_of(answer: Answer) -> None:
    """Which of present and absent cannot be ruled out, of each finding of one image.

    Made of the scores as the model gives them, as those of the validation images are.
    """
    with errors_shown():
        run, classes = answer.run, answer.classes
        coverage = st.session_state.get(f"coverage-{run.id}") or COVERAGE
        known, reason = value_or_problem(sets_of_run, run, coverage)
        if known is None:
            st.caption(plain(translate(reason)))
            return
        sets = by_name(known, classes, coverage)
        sentence = sets_sentence(answer.prediction.raw, sets, coverage)
        st.markdown(plain(sentence), help=meaning("conformal set", "coverage"))
        measured, _reason = value_or_problem(measured_sets_of, run, coverage)
        below = [r.sets.name for r in measured or [] if r is not None and r.undercovers]
        if below:
            st.caption(plain(_broken(below)))
        one_of(
            _("Coverage"),
            conformal.COVERAGES,
            default=COVERAGE,
            format_func=legible(_promised),
            key=f"coverage-{run.id}",
            help=_(
                "Of images like the validation images, prediction sets hold what is "
                "true of a finding for so large a proportion, of those with it and of "
                "those without; not of images of another kind."
            ),
        )


def show_finding_sets(run: Run, name: str) -> None:
    """Promise and truth of one finding's sets at every coverage."""
    st.markdown(
        _("#### Prediction sets (conformal)"), help=meaning("conformal set", "coverage")
    )
    st.markdown(
        _(
            "Diagnose says of each finding whether present, absent or neither can be "
            "ruled out. The sets come from validation images with it and without it; "
            "how often they hold the truth is measured here on the test images. The "
            "target coverage holds only for images that come from where the validation "
            "images came from."
        )
    )
    rows, few, short = [], [], []
    for coverage in conformal.COVERAGES:
        measured = filter(None, measured_sets_of(run, coverage))
        result = next((each for each in measured if each.sets.name == name), None)
        if result is None:
            few.append(_promised(coverage))
            continue
        if result.undercovers:
            short.append(_promised(coverage))
        rows.append(
            {
                _("Target coverage"): _promised(coverage),
                _("Observed, images with it"): rate_text(result.present),
                _("Observed, images without it"): rate_text(result.absent),
                _("Present or absent"): plots.measured_share(result.either),
            }
        )
    if rows:
        show_table(pd.DataFrame(rows), hide_index=True, width="content")
    warn_of_undercoverage(short)
    sets = next(s for s in sets_of_run(run, COVERAGE) if s.name == name)
    st.caption(plain(join_sentences(_counted(sets.positives, sets.negatives, few))))


def _counted(positives: int, negatives: int, few: list[str]) -> list[str]:
    """How many validation images there are, and what they are too few for."""
    said = [
        _(
            "Validation images with it: {positives:,}, without it: {negatives:,}.",
            positives=positives,
            negatives=negatives,
        )
    ]
    if few:
        said.append(
            _(
                "Too few for a target coverage of {coverages}.",
                coverages=_(", ").join(few),
            )
        )
    return said


def _broken(findings: list[str]) -> str:
    return _(
        "Below the target coverage on test images, which differ from the validation "
        "images: {findings}.",
        findings=_(", ").join(findings),
    )


def _promised(coverage: float) -> str:
    return f"{coverage:.0%}".replace("%", " %")
