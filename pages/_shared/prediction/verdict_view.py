"""Operating point in Diagnose: which classes are flagged for one image."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.evaluation.decision.frozen_thresholds import frozen_thresholds
from medmodel.language import _, ngettext
from medmodel.reports import plots
from pages._shared.common import widgets
from pages._shared.common.words import plain
from pages._shared.prediction.prediction_cache import Answer

_MOST_CLASSES = 8


def show_verdict(answer: Answer) -> None:
    """Which classes are flagged at the run's operating point; a link if it has none.

    By the scores as the model gives them, as those of the validation images are.
    """
    frozen = frozen_thresholds(answer.run)
    if frozen is None:
        st.page_link(
            widgets.EVALUATE,
            label=_("Choose the decision threshold"),
            icon=":material/tune:",
            query_params={"run": answer.run.id},
        )
        return
    rule, thresholds = frozen
    prediction = answer.prediction
    lines = verdicts(answer.classes, prediction.raw, thresholds)
    if prediction.temperature:
        begin = _(
            "At the operating point chosen on validation data ({rule}), by the scores "
            "before calibration:",
            rule=plain(str(rule)),
        )
    else:
        begin = _(
            "At the operating point chosen on validation data ({rule}):",
            rule=plain(str(rule)),
        )
    st.markdown(f"{begin}\n\n" + "\n".join(f"* {line}" for line in lines))


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
        name = plain(classes[i])
        shown, limit = map(plain, _distinct_texts(score, cut))
        if np.isnan(cut):
            left.append(_("{name}: no threshold", name=name))
        elif score >= cut:
            flagged.append(
                _(
                    "{name}: {score}, at or above {threshold} → **flagged**",
                    name=name,
                    score=shown,
                    threshold=limit,
                )
            )
        else:
            left.append(
                _(
                    "{name}: {score}, below {threshold} → not flagged",
                    name=name,
                    score=shown,
                    threshold=limit,
                )
            )
    lines = [*flagged, *left[: max(0, _MOST_CLASSES - len(flagged))]]
    rest = len(flagged) + len(left) - len(lines)
    if not rest:
        return lines
    more = ngettext(
        "{count} more class: not flagged", "{count} more classes: not flagged", rest
    )
    return [*lines, more]


def _distinct_texts(score: float, cut: float) -> tuple[str, str]:
    """Both as people read them, with as many digits as it takes to tell them apart."""
    texts = plots.per_cent(score), plots.per_cent(cut)
    for digits in range(3, 4 if score == cut else 9):
        if texts[0] != texts[1]:
            break
        texts = f"{score:.{digits}f}", f"{cut:.{digits}f}"
    return texts
