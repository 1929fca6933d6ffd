"""By group: metrics per sex, age band, scanner, site, view, or columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from medmodel.data.folders import safe_folder
from medmodel.evaluation.decision.positive_class import positive_class
from medmodel.evaluation.groups.group_comparison import NOT_STATED, GroupResult
from medmodel.evaluation.groups.run_groups import RunGroups, group_table, groups_of_run
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import _, join_sentences, present_language
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain


def show_groups(run: Run) -> None:
    """The verdict, then a table for each attribute."""
    with st.spinner(_("Reading what is known of the test images …")):
        groups = _groups(str(run.folder), _version(run), present_language())
    comparison = groups.comparison
    if not comparison.results:
        st.info(_nothing_known(), icon=":material/info:")
        _say_left_out(groups)
        return
    gap = comparison.gaps[0] if comparison.gaps else None
    show = st.warning if gap is not None and gap.significant else st.info
    show(plain(comparison.verdict), icon=":material/groups:")
    if comparison.position is None and len(run_cache.split(run).classes) == 2:
        st.caption(
            _("Choose the positive class under Metrics to see sensitivity, too.")
        )
    for title, results in comparison.results.items():
        st.markdown(f"**{plain(title)}**", help=meaning("interval"))
        show_table(
            _table(results),
            hide_index=True,
            height="content",
            alt=_("Metrics of every group with their intervals and numbers of images"),
        )
        for gap in comparison.gaps:
            if gap.attribute == title:
                st.caption(plain(gap))
    csv_button(lambda: group_table(comparison), "groups", run)
    st.caption(_how_tested(len(comparison.gaps)))
    _say_left_out(groups)


def _how_tested(gaps: int) -> str:
    sentences = [
        _("Groups with too few images have no interval and are not tested."),
    ]
    if gaps:
        sentences = [
            _(
                "The worst gap of each attribute is tested by permutation, patients "
                "kept together."
            ),
            *sentences,
            _("A gap may come from another attribute that differs between the groups."),
        ]
    if gaps > 1:
        sentences.insert(
            1, _("p values are corrected for all {count} gaps (Holm).", count=gaps)
        )
    return join_sentences(sentences)


def _version(run: Run) -> tuple[int, int, str]:
    """Changes with the predictions, the positive class, and a table put beside them."""
    positive = positive_class(run, run_cache.split(run).classes)
    changed = safe_folder(run.config.dataset).stat().st_mtime_ns
    return run_cache.version(run), changed, positive.name if positive else ""


# Titles and reasons are made in the language that asks.
@st.cache_resource(max_entries=16, ttl=600, show_spinner=False)
def _groups(folder: str, version: tuple[int, int, str], language: str) -> RunGroups:
    return groups_of_run(Run(Path(folder)))


def _nothing_known() -> str:
    return _(
        "Nothing is known of the test images that parts them into groups. Put a table "
        "(CSV or a workbook) into the data set's folder, with a column file and one "
        "for each attribute, such as sex, age, scanner, site, view. Headers of DICOM "
        "files are read without it."
    )


def _table(results: Sequence[GroupResult]) -> pd.DataFrame:
    columns: dict[str, list[str]] = {
        _("Group"): [result.name or _(NOT_STATED) for result in results],
        _("Images"): [f"{result.images:,}" for result in results],
    }
    if any(result.patients for result in results):
        columns[_("Patients")] = [f"{result.patients:,}" for result in results]
    for key in results[0].metrics:
        columns[_(METRICS[key].title)] = [str(r.metrics[key]) for r in results]
    return pd.DataFrame(columns)


def _say_left_out(groups: RunGroups) -> None:
    for title, reason in groups.left_out.items():
        st.caption(plain(_("{column}: {reason}.", column=title, reason=reason)))
