"""Many pictures at once: a table to choose from, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from medmodel.core import audit
from medmodel.evaluation.calibration import stored_temperature
from medmodel.reports.plots import per_cent
from medmodel.runs.run import Run
from pages._shared.common.downloads import harmless
from pages._shared.prediction.assurance_view import is_strange
from pages._shared.prediction.cases import Case, Refused

_ROW, _ROWS_IN_SIGHT, _MOST_COLUMNS = 56, 5, 6
_TABLE = "case-table"
UNLIKE = "unlike the training data"


def choose_case(
    run: Run, cases: Sequence[Case], scores: NDArray[np.float32], bad: Sequence[Refused]
) -> int:
    """Shows the table, the CSV button and the steps; returns the chosen position."""
    classes = run.model_facts.class_names
    chosen = _position(cases)
    strange = [is_strange(run, case) for case in cases]
    # The table's own mark follows the arrow keys.
    st.session_state[_TABLE] = {"selection": {"rows": [chosen], "columns": []}}
    st.dataframe(
        _table(cases, scores, classes, strange),
        hide_index=True,
        row_height=_ROW,
        height=_ROW * min(len(cases), _ROWS_IN_SIGHT) + 38,
        key=_TABLE,
        on_select=lambda: _take_selection(cases),
        selection_mode="single-row",
        column_config={
            "Picture": st.column_config.ImageColumn(width="small"),
            "File": st.column_config.TextColumn(width="medium"),
        },
        alt="Pictures with the model's first choice and scores",
    )
    back, forward, place, download = st.columns(
        [1, 1, 3, 1.4], vertical_alignment="center"
    )
    last = len(cases) - 1
    back.button(
        "Previous",
        shortcut="Left",
        disabled=chosen == 0,
        width="stretch",
        on_click=_go_to,
        args=(cases[max(chosen - 1, 0)].key,),
    )
    forward.button(
        "Next",
        shortcut="Right",
        disabled=chosen == last,
        width="stretch",
        on_click=_go_to,
        args=(cases[min(chosen + 1, last)].key,),
    )
    place.text(f"{chosen + 1} of {len(cases)}: {cases[chosen].name}")
    # Thresholds that were frozen are for scores before calibration: not to be mixed up.
    kind = "score" if stored_temperature(run) is None else "calibrated"
    download.download_button(
        "Download CSV",
        csv_text(cases, scores, classes, bad, strange, kind),
        file_name=f"pictures-{run.id}.csv",
        mime="text/csv",
        icon=":material/download:",
        width="stretch",
        on_click=lambda: audit.record("export", run=run.id, images=len(cases)),
    )
    return chosen


def csv_text(
    cases: Sequence[Case],
    scores: NDArray[np.float32],
    classes: Sequence[str],
    bad: Sequence[Refused] = (),
    strange: Sequence[bool] = (),
    kind: str = "score",
) -> str:
    """Every picture's first choice and scores; refused files with their reason.

    A picture unlike the training data has its scores, and that as its problem. `kind`
    begins the heading of every class.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    header = ["file", "label", "first_choice", *(f"{kind}_{c}" for c in classes)]
    writer.writerow([*header, "problem"])
    for i, (case, row) in enumerate(zip(cases, scores, strict=True)):
        problem = UNLIKE if len(strange) and strange[i] else ""
        texts = [case.name, case.label, classes[int(row.argmax())]]
        numbers = [f"{score:.6f}" for score in row]
        writer.writerow([*map(harmless, texts), *numbers, problem])
    empty = [""] * (len(classes) + 2)
    for refused in bad:
        writer.writerow([harmless(refused.name), *empty, harmless(refused.reason)])
    return buffer.getvalue()


def _table(
    cases: Sequence[Case],
    scores: NDArray[np.float32],
    classes: Sequence[str],
    strange: Sequence[bool],
) -> pd.DataFrame:
    order = np.argsort(-scores, axis=1, kind="stable")
    rows = range(len(cases))
    columns = {
        "Picture": [case.preview for case in cases],
        "File": [case.name for case in cases],
        "First choice": [classes[order[i, 0]] for i in rows],
        "Score": [per_cent(scores[i, order[i, 0]]) for i in rows],
    }
    if len(classes) > _MOST_COLUMNS:
        columns["Second choice"] = [classes[order[i, 1]] for i in rows]
        columns["Its score"] = [per_cent(scores[i, order[i, 1]]) for i in rows]
    else:
        for position, name in enumerate(classes):
            # A class may be called like one of the columns.
            title = f"{name} " if name in columns else name
            columns[title] = [per_cent(scores[i, position]) for i in rows]
    if any(case.label for case in cases):
        columns["Label (known)"] = [case.label for case in cases]
    table = pd.DataFrame(columns)
    told = [name for name in table if name not in ("Picture", "File", "Label (known)")]
    table.loc[list(strange), told] = "–"
    table.loc[list(strange), "First choice"] = UNLIKE
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
