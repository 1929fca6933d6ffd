"""Conformal sets: the classes that cannot be ruled out, and how often that held."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from medmodel.core.errors import MedModelError, RunError
from medmodel.core.settings.augmentation import MEDICAL_AUGMENTATION
from medmodel.core.storage import damaged
from medmodel.evaluation.decision import conformal
from medmodel.evaluation.decision.conformal import ConformalPredictor, MeasuredSets
from medmodel.evaluation.decision.predicted_class import predicted_positions
from medmodel.evaluation.intervals.estimate import Estimate
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _, join_sentences
from medmodel.predictor import shared
from medmodel.reports import plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.glossary import meaning
from pages._shared.common.legible import legible, one_of
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.prediction_cache import Answer

_CHANGES = 16
"""Augmented copies that show whether the predicted class holds."""


@st.fragment
def show_set(answer: Answer) -> None:
    """The classes that cannot be ruled out at the chosen coverage.

    Made of the scores as the model gives them, as those of the validation images are.
    """
    with errors_shown():
        run = answer.run
        if not run_cache.version(run):
            return
        validation = run_cache.split(run, "val")
        if validation.classes != answer.classes:
            raise RunError(
                str(damaged(run.predictions_path, _("it is another model's")))
            )
        coverage = st.session_state.get(f"coverage-{run.id}") or 0.95
        fitted = conformal.fit(validation.scores, validation.truth, coverage)
        st.markdown(
            set_sentence(answer.classes, fitted, answer.prediction.raw),
            help=meaning("conformal set", "coverage"),
        )
        measured = _measured_on_test(run, coverage)
        if measured is not None:
            st.caption(coverage_sentence(measured))
        one_of(
            _("Coverage"),
            conformal.COVERAGES,
            default=0.95,
            format_func=legible(lambda value: f"{value:.0%}".replace("%", " %")),
            key=f"coverage-{run.id}",
            help=_(
                "Prediction sets hold the true class for so large a proportion of "
                "images like the validation images; not of images of another kind."
            ),
        )
        _show_stability(answer)


def set_sentence(
    classes: list[str], fitted: ConformalPredictor, scores: NDArray[np.float32]
) -> str:
    """The set in words, as Markdown."""
    inside = fitted.sets(scores[None])[0]
    order = np.argsort(-scores, kind="stable")
    names = [f"**{plain(classes[i])}**" for i in order if inside[i]]
    coverage = 100 * fitted.coverage
    if not names:
        return _(
            "With {coverage:.0f} % coverage: **none of the classes**. The model is "
            "less sure of each of them than it was of the right one in nearly all "
            "validation images.",
            coverage=coverage,
        )
    text = names[0]
    if len(names) > 1:
        text = _("{classes} or {last}", classes=", ".join(names[:-1]), last=names[-1])
    return _(
        "With {coverage:.0f} % coverage: {classes}{basis}",
        coverage=coverage,
        classes=text,
        basis=_basis(fitted),
    )


def _basis(fitted: ConformalPredictor) -> str:
    """What the set's thresholds come from, in brackets."""
    images = fitted.images
    if fitted.per_class.all():
        return _(
            ":gray[ (from {images:,} validation images, class by class)]", images=images
        )
    if not fitted.per_class.any() and not fitted.thresholds.any():
        return _(
            ":gray[ (from {images:,} validation images: too few to rule anything out)]",
            images=images,
        )
    return _(":gray[ (from {images:,} validation images)]", images=images)


def _show_stability(answer: Answer) -> None:
    """Whether small changes of the image change the predicted class; on request."""
    run, case = answer.run, answer.case
    key = f"agreement-{run.id}-{case.digest}"
    if key not in st.session_state:
        if not st.button(
            _("Stability test"),
            key=f"ask-{key}",
            help=_(
                "Asks the model about {changes} slightly turned, shifted, larger, "
                "smaller, brighter and darker copies.",
                changes=_CHANGES,
            ),
        ):
            return
        copies = np.stack([answer.pixels] * _CHANGES)
        changed = shared().augment(copies, MEDICAL_AUGMENTATION)
        predictions = shared().ask(run.id, changed)
        st.session_state[key] = np.stack([p.raw for p in predictions])
    scores: NDArray[np.float32] = st.session_state[key]
    first = answer.prediction.predicted
    threshold = answer.prediction.threshold
    predicted = predicted_positions(scores, answer.classes, threshold)
    same = int((predicted == first).sum())
    low = plots.per_cent(float(scores[:, first].min()))
    high = plots.per_cent(float(scores[:, first].max()))
    st.markdown(
        _(
            "Under {changes} small changes {same} of {changes} times the same "
            "predicted class; {name} between {low} and {high} (not "
            "calibrated).",
            changes=_CHANGES,
            same=same,
            name=plain(answer.classes[first]),
            low=plain(low),
            high=plain(high),
        )
    )


def _measured_on_test(run: Run, coverage: float) -> MeasuredSets | None:
    """How often such sets held the right class of test images; None without any."""
    try:
        measured = conformal.measure(run_cache.split(run, "val"), run_cache.split(run))
    except MedModelError:
        return None
    return measured[conformal.COVERAGES.index(coverage)]


def coverage_sentence(measured: MeasuredSets) -> str:
    """What the test images say of the promise, as Markdown."""
    observed, fitted = measured.observed, measured.predictor
    value, interval = _percentages(observed)
    text = _(
        "Observed coverage: the true class was in the set of **{value}** "
        "of {images:,} test images ({interval}).",
        value=plain(value),
        images=observed.n,
        interval=plain(interval),
    )
    if measured.undercovers:
        short = _(
            "**Below the target coverage**: these test images differ from the "
            "validation images, and other images may as well."
        )
        return f"{text} {short}"
    if observed.high < fitted.coverage:
        chance = _(
            "Below the target coverage, by no more than chance explains: "
            "{images:,} validation images chose the sets, and {count} target "
            "coverages are judged together.",
            images=fitted.images,
            count=len(conformal.COVERAGES),
        )
        return f"{text} {chance}"
    return text


def _percentages(measured: Estimate) -> tuple[str, str]:
    """A proportion and its interval in per cent: 2,999 of 3,000 are not 100 %."""
    value = plots.measured_share(measured.value, 1)
    if not measured.has_interval:
        return value, measured.interval
    low, high = (plots.measured_share(x, 1) for x in (measured.low, measured.high))
    return value, _("{low} to {high}", low=low, high=high)


def show_sets(run: Run, data: Predictions) -> None:
    """Promise and truth of the sets at every coverage.

    Args:
        run: A finished run.
        data: Its test images, or a part of them.
    """
    st.markdown(
        _("#### Prediction sets (conformal)"), help=meaning("conformal set", "coverage")
    )
    st.markdown(
        _(
            "Diagnose names the classes that cannot be ruled out. Their "
            "thresholds come from validation images; how often such a set "
            "holds the true class is measured here on the test images. The "
            "target coverage holds only for images that come from where the "
            "validation images came from."
        )
    )
    validation = run_cache.split(run, "val")
    rows, short, judged = [], [], 0
    for measured in conformal.measure(validation, data):
        value, interval = _percentages(measured.observed)
        promised = f"{measured.predictor.coverage:.0%}".replace("%", " %")
        judged += measured.observed.has_interval
        if measured.undercovers:
            short.append(promised)
        rows.append(
            {
                _("Target coverage"): promised,
                _("Observed coverage"): value,
                _("95 % interval"): interval,
                _("Classes in a set"): f"{measured.width:.2f}",
            }
        )
    show_table(pd.DataFrame(rows), hide_index=True, width="content")
    warn_of_undercoverage(short)
    sentences = [
        _(
            "{validation:,} validation and {test:,} test images.",
            validation=len(validation.truth),
            test=len(data.truth),
        )
    ]
    if judged > 1:
        sentences.append(
            _("All {count} target coverages are judged together (Holm).", count=judged)
        )
    st.caption(join_sentences(sentences))


def warn_of_undercoverage(short: Sequence[str]) -> None:
    """Says at which target coverages sets hold the truth less often than promised."""
    if short:
        st.warning(
            _(
                "Below the target coverage at {coverages}: these test images differ "
                "from the validation images. Do not rely on it elsewhere.",
                coverages=", ".join(short),
            )
        )
