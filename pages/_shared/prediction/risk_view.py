"""Risk in words and dots: of 100 such images, how many have the class."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel.core.errors import MedModelError
from medmodel.evaluation.clinical.risk import RiskModel, fit_risk
from medmodel.evaluation.decision.positive_class import positive_class
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.language import _, join_sentences, translate
from medmodel.reports import plots
from medmodel.reports.risk_figures import icon_array, icon_counts, prevalence_figure
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.charts import show_figure
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain
from pages._shared.prediction.prediction_cache import Answer


def show_risk(answer: Answer) -> None:
    """The risk of one class at the validation images' prevalence and the clinic's."""
    if not run_cache.version(answer.run):
        return
    with st.expander(_("Risk at your clinic"), icon=":material/groups:"):
        st.fragment(_show)(answer)


def _show(answer: Answer) -> None:
    try:
        _show_class(answer)
    except MedModelError as error:
        # The page's answer stands: this part alone has nothing to say.
        st.caption(plain(translate(str(error))))


def _show_class(answer: Answer) -> None:
    """The risk of the chosen class."""
    run, classes = answer.run, answer.classes
    name = st.selectbox(
        _("Class"),
        classes,
        index=_first_class(answer),
        key=f"risk-class-{run.id}",
    )
    position = classes.index(name)
    score = float(answer.prediction.raw[position])
    model = _risk_model(str(run.folder), run_cache.version(run), position)
    colour = plots.class_colours(classes)[name]
    known, clinic = st.columns(2, gap="large")
    with known:
        st.markdown(_("**As among the validation images**"))
        st.caption(
            _(
                "{share:.1f} of 100 are {name}.",
                share=100 * model.prevalence,
                name=plain(name),
            )
        )
        _show_dots(model.risk(score), name, colour)
    with clinic:
        st.markdown(_("**At your clinic**"))
        share = st.number_input(
            _(
                "Of 100 patients like yours, how many have {name}?",
                name=plain(name),
            ),
            0.0,
            100.0,
            None,
            step=1.0,
            format="%g",
            placeholder=_("Prevalence in %"),
            key=f"risk-prevalence-{run.id}-{position}",
        )
        prevalence = share / 100 if share and share < 100 else None
        if prevalence is not None:
            _show_dots(model.risk(score, prevalence), name, colour)
        elif share is not None:
            st.caption(
                _(
                    "Where none or all have {name}, no image tells more: give a number "
                    "between 0 and 100.",
                    name=plain(name),
                )
            )
    drawing = prevalence_figure(model, score, colour, prevalence)
    alt = _("Risk of {name} over the prevalence", name=name)
    show_figure(drawing, f"risk-{answer.case.key}-{position}", alt)
    st.caption(plain(_basis(model, score)), help=meaning("risk", "prevalence"))


def _first_class(answer: Answer) -> int:
    """The positive class of two; of more, or where none was chosen, the predicted."""
    positive = positive_class(answer.run, answer.classes)
    return answer.first_choice if positive is None else positive.position


@st.cache_resource(max_entries=100, show_spinner=False)
def _risk_model(folder: str, version: int, position: int) -> RiskModel:
    return fit_risk(run_cache.split(Run(Path(folder)), "val"), position)


def _show_dots(risk: Estimate, name: str, colour: str) -> None:
    sentence = risk_sentence(risk, name)
    st.image(icon_array(risk, colour), width=200, alt=sentence)
    st.markdown(f"**{plain(sentence)}**")


def risk_sentence(risk: Estimate, name: str) -> str:
    """What the dots say: `Of 100 such images, 7 would be pneumonia (5 to 10).`."""
    value, low, high = (_of_hundred(count) for count in icon_counts(risk))
    if not risk.has_interval:
        return _(
            "Of 100 such images, {count} would be {name}; too few validation images "
            "for an interval.",
            count=value,
            name=name,
        )
    return _(
        "Of 100 such images, {count} would be {name} ({low} to {high}).",
        count=value,
        name=name,
        low=low,
        high=high,
    )


def _of_hundred(count: int) -> str:
    """None and all are said of no risk: it is never quite 0 or 1."""
    if count == 0:
        return _("fewer than 1")
    if count == 100:
        return _("more than 99")
    return str(count)


def _basis(model: RiskModel, score: float) -> str:
    sentences = [
        _(
            "Dots: full up to the lower end of the interval, pale up to the number, "
            "rings up to the upper end."
        ),
        _(
            "Such images: those with the same score. Estimated from {n:,} validation "
            "images by logistic recalibration of this class's score along a smooth "
            "curve, moved to another prevalence by Bayes' rule. In brackets the "
            "95 % interval of what these images can tell; that your images are like "
            "them is taken for granted. A probability is no diagnosis.",
            n=model.images,
        ),
    ]
    if model.is_beyond(score):
        sentences.append(
            _(
                "No validation image has so extreme a score: this one counts as the "
                "most extreme of them."
            )
        )
    return join_sentences(sentences)
