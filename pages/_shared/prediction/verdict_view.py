"""What was settled on validation images, and what follows for one picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from medmodel.core.errors import MedModelError
from medmodel.evaluation import conformal
from medmodel.evaluation.calibration import stored_temperature
from medmodel.evaluation.intervals import Estimate
from medmodel.evaluation.predictions import Predictions
from medmodel.evaluation.thresholds import frozen_thresholds
from medmodel.reports import plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache, widgets
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case
from pages._shared.prediction.prediction_cache import scores_of

_MOST_CLASSES = 8


def show_verdict(run: Run, case: Case) -> None:
    """Which classes are flagged at the run's operating point; a link if it has none.

    By the scores as the model gives them, as those of the validation images are.
    """
    found = frozen_thresholds(run)
    if found is None:
        st.page_link(
            widgets.EVALUATE,
            label="Choose from which score on an image is flagged",
            icon=":material/tune:",
            query_params={"run": run.id},
        )
        return
    rule, thresholds = found
    scores = scores_of(run, [case])[0]
    lines = verdicts(run.model_facts.class_names, scores, thresholds)
    basis = ", by the scores before calibration" if stored_temperature(run) else ""
    st.markdown(
        "At the operating point chosen on validation data "
        f"({plain(str(rule))}){basis}:\n\n" + "\n".join(f"* {line}" for line in lines)
    )


def verdicts(
    classes: list[str], scores: NDArray[np.floating], thresholds: dict[str, float]
) -> list[str]:
    """One line for each class, the highest score first, as Markdown.

    Args:
        classes: Names, `(k,)`.
        scores: Probabilities before calibration, `(k,)`.
        thresholds: Class -> score from which on it is flagged; not-a-number or absent
            where it has none.
    """
    flagged, left = [], []
    for i in np.argsort(-scores, kind="stable"):
        score = float(scores[i])
        cut = thresholds.get(classes[i], float("nan"))
        told, least = _told_apart(score, cut)
        name, told, least = plain(classes[i]), plain(told), plain(least)
        if np.isnan(cut):
            left.append(f"{name}: no threshold")
        elif score >= cut:
            flagged.append(f"{name}: {told}, at or above {least} → **flagged**")
        else:
            left.append(f"{name}: {told}, below {least} → not flagged")
    shown = [*flagged, *left[: max(0, _MOST_CLASSES - len(flagged))]]
    rest = len(flagged) + len(left) - len(shown)
    return [*shown, f"{rest} more classes: not flagged"] if rest else shown


def _told_apart(score: float, cut: float) -> tuple[str, str]:
    """Both as people read them, with as many digits as it takes to tell them apart."""
    told, least = plots.per_cent(score), plots.per_cent(cut)
    for digits in range(3, 4 if score == cut else 9):
        if told != least:
            break
        told, least = f"{score:.{digits}f}", f"{cut:.{digits}f}"
    return told, least


def held(run: Run, found: conformal.Conformal) -> Estimate | None:
    """How often such sets held the right class in the run's test images.

    None where the run has no test images.
    """
    try:
        data = run_cache.split(run)
    except MedModelError:
        return None
    return found.covered(data.scores, data.truth, data.patients)


def held_sentence(found: conformal.Conformal, measured: Estimate) -> str:
    """What the test images say of the promise, as Markdown."""
    value, interval = _shares(measured)
    text = (
        f"Measured: the right class was in the set of **{plain(value)}** of "
        f"{measured.n:,} test images ({plain(interval)})."
    )
    if found.breaks_promise(measured):
        text += (
            " **Less than promised**: these test images differ from the validation "
            "images, and other images may as well."
        )
    elif measured.high < found.coverage:
        text += (
            f" Less than promised, by no more than chance among {found.images:,} "
            "validation images explains."
        )
    return text


def _shares(found: Estimate) -> tuple[str, str]:
    """A measured share and its interval in per cent: 2,999 of 3,000 are not 100 %."""
    value, low, high = (
        plots.measured_share(x, 1) for x in (found.value, found.low, found.high)
    )
    return value, f"{low} to {high}"


def show_sets(run: Run, data: Predictions) -> None:
    """Promise and truth of the sets at every coverage.

    Args:
        run: A finished run.
        data: Its test images, or a part of them.
    """
    st.markdown("#### Sets of classes")
    st.markdown(
        "Diagnose names the classes that cannot be ruled out. Their thresholds come "
        "from validation images; how often such a set holds the right class is "
        "measured here on the test images. The promise is kept only for images that "
        "come from where the validation images came from."
    )
    known = run_cache.split(run, "val")
    rows, short = [], []
    for share in conformal.COVERAGES:
        found = conformal.fit(known.scores, known.truth, share)
        sets = found.sets(data.scores)
        measured = found.covered(data.scores, data.truth, data.patients)
        value, interval = _shares(measured)
        if found.breaks_promise(measured):
            short.append(f"{share:.0%}".replace("%", " %"))
        rows.append(
            {
                "Promised": f"{share:.0%}".replace("%", " %"),
                "Measured": value,
                "95 % interval": interval,
                "Classes in a set": f"{sets.sum(axis=1).mean():.2f}",
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="content")
    if short:
        st.warning(
            f"Less than promised at {', '.join(short)}: these test images differ from "
            "the validation images. Do not rely on the promise elsewhere."
        )
    st.caption(f"{len(known.truth):,} validation and {len(data.truth):,} test images.")
