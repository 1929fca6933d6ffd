"""Table of many images with their predictions, to choose from and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.language import N_, _, translate
from medmodel.reports.case.predicted_class import with_tie
from medmodel.reports.plots import per_cent
from medmodel.reports.spreadsheet import csv_file, harmless
from pages._shared.common.tables import show_table
from pages._shared.prediction.cases import Case, Refused
from pages._shared.prediction.ood_view import is_unlike_training
from pages._shared.prediction.prediction_cache import Answer

_ROW, _ROWS_IN_SIGHT, _MOST_COLUMNS = 56, 5, 6
_TABLE = "case-table"
UNLIKE = N_("unlike the training data")


def step_through(cases: Sequence[Case]) -> int:
    """Shows the steps from image to image; returns the chosen position.

    They stand above the answer, the table below it: the answer is what is looked at.

    Args:
        cases: The images, two or more.
    """
    chosen, last = _position(cases), len(cases) - 1
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        steps = {_("Previous"): ("Left", chosen - 1), _("Next"): ("Right", chosen + 1)}
        for label, (key, place) in steps.items():
            st.button(
                label,
                shortcut=key,
                disabled=not 0 <= place <= last,
                on_click=_go_to,
                args=(cases[min(max(place, 0), last)].key,),
            )
        st.text(_("{number} of {images}", number=chosen + 1, images=len(cases)))
    return chosen


def show_cases(
    answers: Sequence[Answer], refused: Sequence[Refused], chosen: int
) -> None:
    """Shows the table of all images, of which a click chooses one, and the CSV button.

    Args:
        answers: One model's, one for each image.
        refused: Files that could not be read.
        chosen: Position of the image whose answer is shown.
    """
    run, cases = answers[0].run, [answer.case for answer in answers]
    unlike = [is_unlike_training(answer) for answer in answers]
    # The table's own mark follows the arrow keys.
    st.session_state[_TABLE] = {"selection": {"rows": [chosen], "columns": []}}
    st.subheader(_("All images"), anchor=False)
    show_table(
        _table(answers, unlike),
        hide_index=True,
        row_height=_ROW,
        height=_ROW * min(len(cases), _ROWS_IN_SIGHT) + 38,
        key=_TABLE,
        on_select=lambda: _take_selection(cases),
        selection_mode="single-row",
        column_config={
            _("Image"): st.column_config.ImageColumn(width="small"),
            _("File"): st.column_config.TextColumn(width="medium"),
        },
        alt=_("Images with the predicted class and scores"),
    )
    st.download_button(
        _("Download CSV"),
        csv_file(csv_text(answers, refused, unlike)),
        file_name=f"images-{run.id}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click=lambda: audit.record("export", run=run.id, images=len(cases)),
    )


def csv_text(
    answers: Sequence[Answer],
    refused: Sequence[Refused] = (),
    unlike: Sequence[bool] = (),
) -> str:
    """Every image's predicted class and probabilities; refused files with their reason.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.

    Args:
        answers: One model's, one for each image.
        refused: Files that could not be read.
        unlike: Whether each image is unlike the training data; it has its numbers all
            the same, and that as its problem.
    """
    classes = answers[0].classes
    # Thresholds that were frozen are for scores before calibration: not to be mixed up.
    calibrated = answers[0].prediction.temperature is not None
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    header = [_("file"), _("true_class"), _("predicted_class")]
    for name in classes:
        if calibrated:
            header.append(_("calibrated_{name}", name=name))
        else:
            header.append(_("score_{name}", name=name))
    writer.writerow([*header, _("problem")])
    for i, answer in enumerate(answers):
        problem = _(UNLIKE) if len(unlike) and unlike[i] else ""
        case, first = answer.case, _choice(answer)
        numbers = [f"{number:.6f}" for number in answer.probabilities]
        texts = map(harmless, [case.name, case.label, first])
        writer.writerow([*texts, *numbers, problem])
    empty = [""] * (len(classes) + 2)
    for file in refused:
        writer.writerow([harmless(file.name), *empty, harmless(translate(file.reason))])
    return buffer.getvalue()


def _ranking(answer: Answer) -> NDArray[np.intp]:
    """Positions of the classes: the predicted one, then by their probability."""
    order = np.argsort(-answer.probabilities, kind="stable")
    first = answer.first_choice
    return np.concatenate([[first], order[order != first]])


def _choice(answer: Answer) -> str:
    return with_tie(answer.classes[answer.first_choice], answer.tied)


def _table(answers: Sequence[Answer], unlike: Sequence[bool]) -> pd.DataFrame:
    classes, cases = answers[0].classes, [answer.case for answer in answers]
    scores = np.stack([answer.probabilities for answer in answers])
    order = np.stack([_ranking(answer) for answer in answers])
    rows = range(len(cases))
    columns = {
        _("Image"): [case.preview for case in cases],
        _("File"): [case.name for case in cases],
        _("Predicted class"): [_choice(answer) for answer in answers],
        _("Score"): [per_cent(scores[i, order[i, 0]]) for i in rows],
    }
    if len(classes) > _MOST_COLUMNS:
        columns[_("Second choice")] = [classes[order[i, 1]] for i in rows]
        columns[_("Its score")] = [per_cent(scores[i, order[i, 1]]) for i in rows]
    else:
        for position, name in enumerate(classes):
            # A class may be called like one of the columns.
            title = f"{name} " if name in columns else name
            columns[title] = [per_cent(scores[i, position]) for i in rows]
    if any(case.label for case in cases):
        columns[_("True class")] = [case.label for case in cases]
    table = pd.DataFrame(columns)
    facts = (_("Image"), _("File"), _("True class"))
    predicted = [name for name in table if name not in facts]
    table.loc[list(unlike), predicted] = "–"
    table.loc[list(unlike), _("Predicted class")] = _(UNLIKE)
    return table


def _position(cases: Sequence[Case]) -> int:
    keys = [case.key for case in cases]
    wanted = st.session_state.get("case")
    return keys.index(wanted) if wanted in keys else 0


def _take_selection(cases: Sequence[Case]) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows and rows[0] < len(cases):
        _go_to(cases[rows[0]].key)


def _go_to(key: str) -> None:
    st.session_state["case"] = key
