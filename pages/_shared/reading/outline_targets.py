"""Outlines of a segmentation taken as target lesions: RECIST 1.1 as arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd
import streamlit as st

from medmodel.evaluation.clinical.outline_series import target_visits
from medmodel.evaluation.clinical.recist import MOST_LESIONS, Visit
from medmodel.language import _, format_date
from medmodel.reports.follow_up_figure import follow_up_figure
from pages._shared.common.charts import show_figure
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain
from pages._shared.reading.follow_up_view import doubling_words, last_sentence, percent


def show_targets(
    days: Sequence[date], diameters: Sequence[Sequence[float]], error: float
) -> None:
    """RECIST 1.1 of the outlines, where the user takes them as target lesions.

    Args:
        days: Of the images, in order.
        diameters: As for `outline_series.target_visits`.
        error: Repeatability of a diameter, as a share.
    """
    if len(days) < 2 or not diameters[0]:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        taken = st.toggle(
            _("Take the largest outlines as target lesions (RECIST 1.1)"),
            key="time-line-targets",
        )
        most = min(MOST_LESIONS, len(diameters[0]))
        count = 1
        if taken and most > 1:
            count = int(
                st.number_input(
                    _("Target lesions"),
                    min_value=1,
                    max_value=most,
                    key="time-line-target-count",
                    width=160,
                    help=meaning("target lesion"),
                )
            )
    if not taken:
        return
    visits = target_visits(days, diameters, count, error)
    st.markdown(f"**{plain(last_sentence(visits[-1]))}**")
    show_figure(
        follow_up_figure(visits), "time-line-sum", _("Sum of diameters over time")
    )
    show_table(target_table(visits), hide_index=True, alt=_("Sums and categories"))
    st.caption(
        _(
            "Arithmetic of outlines by RECIST 1.1, and no more: which outline is a "
            "target lesion, and the same at each date, is for a reader to see. A date "
            "with fewer outlines than target lesions is not evaluable: the model may "
            "have overlooked one. Whether a lesion is large enough to be a target, and "
            "whether a new one appeared, which is progression, is not checked. A "
            "category is no diagnosis."
        ),
        help=meaning("RECIST 1.1", "target lesion"),
    )


def target_table(visits: Sequence[Visit]) -> pd.DataFrame:
    """One row for each date: sum, changes and category."""
    return pd.DataFrame(
        [
            {
                _("Date"): format_date(visit.day),
                _("Sum in mm"): "–" if visit.total is None else f"{visit.total:.1f}",
                _("From baseline"): percent(visit.change),
                _("From the smallest sum"): percent(visit.change_from_lowest),
                _("Volume doubles in days"): doubling_words(visit.doubling_days),
                _("Target lesions"): _(visit.category.value),
            }
            for visit in visits
        ]
    )
