"""Diameters of target lesions at several dates: typed, summed, categorised, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd
import streamlit as st

from medmodel.core.errors import DataError
from medmodel.evaluation.clinical.recist import (
    MOST_LESIONS,
    REPEATABILITY,
    Lesion,
    Response,
    Visit,
    assess,
)
from medmodel.language import _, format_date, ngettext
from medmodel.reports.follow_up_figure import follow_up_figure
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import table_button
from pages._shared.common.glossary import meaning
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.reading.kept_values import keep_table, keep_value, kept_table

_TABLE = "follow-up"
_DATE, _NEW = "date", "new"
_DATE_WIDTH = 104
"""Pixels of the column of dates."""
_EXAMPLE = (
    (date(2024, 1, 15), 24.0, 31.0, False),
    (date(2024, 4, 15), 18.0, 22.0, False),
    (date(2024, 7, 15), 14.0, 19.0, False),
    (date(2024, 10, 15), 21.0, 24.0, False),
)


def show_follow_up() -> None:
    """A table to fill in, and what follows from it; kept while the session lasts."""
    with errors_shown():
        names, nodes = _ask_lesions()
        # Side by side the answer stands on a projector's first screen.
        left, right = st.columns([1.2, 1], gap="medium")
        with left:
            table = _ask_diameters(names)
            error = _ask_repeatability()
        days, lesions, new = read_table(table, names, nodes)
        if len(days) < 2:
            right.info(_("Fill in two dates at least; the first one is the baseline."))
            return
        visits = assess(days, lesions, new, error / 100)
        with right:
            _show_last(visits)
        _show_visits(visits)


def _ask_repeatability() -> int:
    return st.slider(
        _("Repeatability of a diameter in %"),
        0,
        30,
        round(100 * REPEATABILITY),
        help=_(
            "By how much two measurements of the same lesion differ, 95 times of "
            "100. Same-day repeat CT of lung lesions: about 7 % (Zhao et al., "
            "Radiology 2009)."
        ),
    )


def _ask_lesions() -> tuple[list[str], list[str]]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        keep_value(f"{_TABLE}-count", 2)
        count = st.number_input(
            _("Target lesions"),
            min_value=1,
            max_value=MOST_LESIONS,
            key=f"{_TABLE}-count",
            width=160,
            help=meaning("target lesion"),
        )
        names = [_("Lesion {number}", number=n + 1) for n in range(int(count))]
        keep_value(f"{_TABLE}-nodes", [])
        nodes = st.multiselect(
            _("Of these lymph nodes (short axis)"),
            names,
            placeholder=_("None"),
            key=f"{_TABLE}-nodes",
        )
    return names, nodes


def _ask_diameters(names: Sequence[str]) -> pd.DataFrame:
    keep_value(f"{_TABLE}-example", False)
    example = st.toggle(_("Show an example"), key=f"{_TABLE}-example")
    rows = [
        {_DATE: day, **dict(zip(names, diameters, strict=False)), _NEW: new}
        for day, *diameters, new in (_EXAMPLE if example else ())
    ]
    columns = [_DATE, *names, _NEW]
    table = pd.DataFrame(rows, columns=columns)
    table[_DATE] = pd.to_datetime(table[_DATE])
    table[list(names)] = table[list(names)].astype("float64")
    table[_NEW] = table[_NEW].astype("bool")
    key = f"{_TABLE}-{len(names)}-{example}"
    edited: pd.DataFrame = st.data_editor(
        kept_table(key, table),
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        key=key,
        column_config={
            # As wide as a date, of which an empty table knows nothing.
            _DATE: st.column_config.DateColumn(
                _("Date"), required=True, width=_DATE_WIDTH
            ),
            **{
                name: st.column_config.NumberColumn(
                    _("{lesion} in mm", lesion=name), min_value=0.0, step=0.1
                )
                for name in names
            },
            _NEW: st.column_config.CheckboxColumn(_("New lesion seen")),
        },
    )
    keep_table(key, edited)
    st.caption(
        _(
            "Longest diameter, of lymph nodes the short axis; 0 where a lesion has "
            "disappeared, empty where it was not measured. Diagnose measures in mm. "
            "What you type stays in this session and is written nowhere."
        )
    )
    return edited


def read_table(
    table: pd.DataFrame, names: Sequence[str], nodes: Sequence[str]
) -> tuple[list[date], list[Lesion], list[bool]]:
    """Dates in order, lesions and new lesions of the table that was filled in.

    Rows without a date do not count yet.

    Raises:
        DataError: A date occurs twice.
    """
    rows = table.dropna(subset=[_DATE]).sort_values(_DATE)
    days = [pd.Timestamp(value).date() for value in rows[_DATE]]
    if len(set(days)) < len(days):
        raise DataError(_("A date occurs twice: give each date one row."))
    lesions = [
        Lesion(
            name,
            tuple(None if pd.isna(value) else float(value) for value in rows[name]),
            name in nodes,
        )
        for name in names
    ]
    return days, lesions, [bool(value) and not pd.isna(value) for value in rows[_NEW]]


def _show_last(visits: Sequence[Visit]) -> None:
    st.markdown(f"### {plain(last_sentence(visits[-1]))}")
    drawing = follow_up_figure(visits)
    show_figure(drawing, _TABLE, _("Sum of diameters over time"))


def _show_visits(visits: Sequence[Visit]) -> None:
    table = visits_table(visits)
    st.dataframe(table, hide_index=True, width="stretch")
    st.caption(
        _(
            "Arithmetic of the target lesions by RECIST 1.1, and no more: lesions that "
            "are not targets, and a reader's judgement, are not in it. Progression "
            "counts from the smallest sum, response from the baseline. A category is "
            "no diagnosis."
        ),
        help=meaning("RECIST 1.1", "doubling time"),
    )
    table_button(table, "follow-up")


def last_sentence(visit: Visit) -> str:
    """The category of the last date, and the change that it counts from."""
    category = _(visit.category.value)
    if visit.category is Response.PROGRESSIVE:
        if visit.new_lesion:
            return _(
                "At the last date: {category}, as a new lesion was seen.",
                category=category,
            )
        if visit.change_from_lowest is not None:
            return _(
                "At the last date: {category}; {change:+.0f} % from the smallest sum "
                "before.",
                category=category,
                change=100 * visit.change_from_lowest,
            )
        return _("At the last date: {category}.", category=category)
    if visit.change is None:
        return _("At the last date: {category}.", category=category)
    values = {"category": category, "change": 100 * visit.change}
    if visit.within_error:
        return _(
            "At the last date: {category}; {change:+.0f} % from baseline, within the "
            "error of measuring.",
            **values,
        )
    return _("At the last date: {category}; {change:+.0f} % from baseline.", **values)


def visits_table(visits: Sequence[Visit]) -> pd.DataFrame:
    """One row for each date, as people read it."""
    return pd.DataFrame(
        [
            {
                _("Date"): format_date(visit.day),
                # Beside its date: on a projector the last columns are out of sight.
                _("Target lesions"): _(visit.category.value),
                _("Sum in mm"): _number(visit.total, ".1f"),
                _("From baseline"): percent(visit.change),
                _("From the smallest sum"): percent(visit.change_from_lowest),
                _("Within the error"): _("yes") if visit.within_error else "",
                _("Volume doubles in days"): doubling_words(visit.doubling_days),
            }
            for visit in visits
        ]
    )


def doubling_words(days: float | None) -> str:
    """In how many days the volume doubles, or that it halves."""
    if days is None:
        return "–"
    return f"{days:.0f}" if days > 0 else _("halves in {days:.0f}", days=-days)


def span_words(first: date, last: date) -> str:
    """How many days lie between two dates."""
    return ngettext("{count:,} day", "{count:,} days", (last - first).days)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def percent(share: float | None) -> str:
    """A change as people read it; a dash where it is not known."""
    return "–" if share is None else f"{100 * share:+.0f} %"
