"""Numbers to take away, as tables that spreadsheets read safely."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medmodel import audit
from medmodel.runs import Run
from pages._shared.case_table import harmless


def csv_button(table: pd.DataFrame, name: str, run: Run, label: str = "CSV") -> None:
    """A button that downloads a table.

    Args:
        table: What is downloaded.
        name: What it is, for the file's name; tells it from the others on the page.
        run: The run that it is about.
        label: What stands on the button.
    """
    texts = table.select_dtypes(exclude="number").columns
    safe = table.assign(**{c: [harmless(str(x)) for x in table[c]] for c in texts})
    st.download_button(
        label,
        safe.to_csv(index=False),
        file_name=f"{name}-{run.id}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"csv-{name}",
        help=f"The numbers behind this as a table ({name})",
        on_click=lambda: audit.record("export", run=run.id, what=name),
    )
