"""Conformal sets: the classes that cannot be ruled out, and how often that held."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from medmodel.core.config import MEDICAL_AUGMENTATION
from medmodel.core.errors import MedModelError
from medmodel.evaluation import conformal
from medmodel.evaluation.conformal import ConformalPredictor
from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.predictions import Predictions
from medmodel.predictor import shared
from medmodel.reports import plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache
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
        coverage = st.session_state.get(f"coverage-{run.id}") or 0.95
        fitted = conformal.fit(validation.scores, validation.truth, coverage)
        st.markdown(set_sentence(answer.classes, fitted, answer.prediction.raw))
        measured = _coverage_on_test(run, fitted)
        if measured is not None:
            st.caption(coverage_sentence(fitted, measured))
        st.segmented_control(
            "Coverage",
            conformal.COVERAGES,
            default=0.95,
            format_func=lambda value: f"{value:.0%}".replace("%", " %"),
            key=f"coverage-{run.id}",
            help="Prediction sets hold the true class for so large a proportion of "
            "images like the validation images; not of images of another kind.",
        )
        _show_stability(answer)


def set_sentence(
    classes: list[str], fitted: ConformalPredictor, scores: NDArray[np.float32]
) -> str:
    """The set in words, as Markdown."""
    inside = fitted.sets(scores[None])[0]
    order = np.argsort(-scores, kind="stable")
    names = [f"**{plain(classes[i])}**" for i in order if inside[i]]
    begin = f"With {fitted.coverage:.0%} coverage: ".replace("%", " %")
    if not names:
        return begin + (
            "**none of the classes**. The model is less sure of each of them than it "
            "was of the right one in nearly all validation images."
        )
    text = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " or " + names[-1]
    basis = f":gray[ (from {fitted.images:,} validation images"
    if fitted.per_class.all():
        basis += ", class by class"
    elif not fitted.per_class.any() and not fitted.thresholds.any():
        basis += ": too few to rule anything out"
    return f"{begin}{text}{basis})]"


def _show_stability(answer: Answer) -> None:
    """Whether small changes of the image change the predicted class; on request."""
    run, case = answer.run, answer.case
    key = f"agreement-{run.id}-{case.digest}"
    if key not in st.session_state:
        if not st.button(
            "Stability test",
            key=f"ask-{key}",
            help=f"Asks the model about {_CHANGES} slightly turned, shifted, larger, "
            "smaller, brighter and darker copies.",
        ):
            return
        copies = np.stack([answer.pixels] * _CHANGES)
        changed = shared().augment(copies, MEDICAL_AUGMENTATION)
        predictions = shared().ask(run.id, changed)
        st.session_state[key] = np.stack([p.raw for p in predictions])
    scores: NDArray[np.float32] = st.session_state[key]
    first = int(answer.prediction.raw.argmax())
    same = int((scores.argmax(axis=1) == first).sum())
    low = plots.per_cent(float(scores[:, first].min()))
    high = plots.per_cent(float(scores[:, first].max()))
    st.markdown(
        f"Under {_CHANGES} small changes {same} of {_CHANGES} times the same predicted "
        f"class; {plain(answer.classes[first])} between {plain(low)} and "
        f"{plain(high)} (not calibrated)."
    )


def _coverage_on_test(run: Run, fitted: ConformalPredictor) -> Estimate | None:
    """How often such sets held the right class of test images; None without any."""
    try:
        data = run_cache.split(run)
    except MedModelError:
        return None
    return fitted.covered(data.scores, data.truth, data.patients)


def coverage_sentence(fitted: ConformalPredictor, measured: Estimate) -> str:
    """What the test images say of the promise, as Markdown."""
    value, interval = _percentages(measured)
    text = (
        f"Observed coverage: the true class was in the set of **{plain(value)}** of "
        f"{measured.n:,} test images ({plain(interval)})."
    )
    if fitted.undercovers(measured):
        text += (
            " **Below the target coverage**: these test images differ from the "
            "validation images, and other images may as well."
        )
    elif measured.high < fitted.coverage:
        text += (
            f" Below the target coverage, by no more than chance among "
            f"{fitted.images:,} validation images explains."
        )
    return text


def _percentages(measured: Estimate) -> tuple[str, str]:
    """A proportion and its interval in per cent: 2,999 of 3,000 are not 100 %."""
    value = plots.measured_share(measured.value, 1)
    if not measured.has_interval:
        return value, measured.interval
    low, high = (plots.measured_share(x, 1) for x in (measured.low, measured.high))
    return value, f"{low} to {high}"


def show_sets(run: Run, data: Predictions) -> None:
    """Promise and truth of the sets at every coverage.

    Args:
        run: A finished run.
        data: Its test images, or a part of them.
    """
    st.markdown("#### Prediction sets (conformal)")
    st.markdown(
        "Diagnose names the classes that cannot be ruled out. Their thresholds come "
        "from validation images; how often such a set holds the true class is "
        "measured here on the test images. The target coverage holds only for images "
        "that come from where the validation images came from."
    )
    validation = run_cache.split(run, "val")
    rows, short = [], []
    for coverage in conformal.COVERAGES:
        fitted = conformal.fit(validation.scores, validation.truth, coverage)
        measured = fitted.covered(data.scores, data.truth, data.patients)
        value, interval = _percentages(measured)
        promised = f"{coverage:.0%}".replace("%", " %")
        if fitted.undercovers(measured):
            short.append(promised)
        width = fitted.sets(data.scores).sum(axis=1).mean()
        rows.append(
            {
                "Target coverage": promised,
                "Observed coverage": value,
                "95 % interval": interval,
                "Classes in a set": f"{width:.2f}",
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="content")
    if short:
        st.warning(
            f"Below the target coverage at {', '.join(short)}: these test images "
            "differ from the validation images. Do not rely on it elsewhere."
        )
    st.caption(
        f"{len(validation.truth):,} validation and {len(data.truth):,} test images."
    )
