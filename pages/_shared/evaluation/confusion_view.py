"""Confusion matrix; a click on a cell shows its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from medmodel.evaluation.evaluation import Evaluation
from medmodel.evaluation.groups.subgroups import Subgroup
from medmodel.evaluation.review import gallery
from medmodel.language import _, ngettext
from medmodel.reports import figures, plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.data.map_view import show_map
from pages._shared.evaluation.evaluation_view import confusion_table
from pages._shared.evaluation.gallery_view import ask_for, show_gallery


def show_mistakes(run: Run, group: Subgroup) -> None:
    """The confusion matrix and the gallery below it."""
    evaluation = run_cache.evaluation(run, group)
    st.markdown(
        _("**Confusion matrix**: click a cell to see its images."),
        help=meaning("confusion matrix"),
    )
    with st.container(width=760):
        figure = plots.confusion_figure(evaluation.classes, evaluation.confusion)
        show_figure(
            figures.clickable(figure, evaluation.classes),
            key="confusion",
            alt=_(
                "Confusion matrix: true classes in rows, predicted classes in columns"
            ),
            on_click=lambda point: _open(evaluation, point),
        )
    csv_button(confusion_table(evaluation), "confusion", run)
    show_gallery(run, group)
    show_map(Path(run.config.dataset), run)
    _show_marked(run)


def _open(evaluation: Evaluation, point: dict[str, Any]) -> None:
    cell = point.get("customdata")
    if cell is not None:
        label, choice = (int(at) for at in list(cell)[:2])
        ask_for(evaluation.classes[label], evaluation.classes[choice])


def _show_marked(run: Run) -> None:
    marked = gallery.doubtful_labels(run)
    if marked:
        rows = run_cache.images(run)
        table = rows[rows["path"].isin(marked)].drop(columns="position")
        st.markdown(
            ngettext(
                "**{count} label marked as doubtful**",
                "**{count} labels marked as doubtful**",
                len(table),
            )
        )
        csv_button(table, "doubtful-labels", run)
