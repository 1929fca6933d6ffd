"""Numbers to take away, as tables that spreadsheets read safely."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.language import _, present_language, speaking
from medmodel.reports.spreadsheet import csv_file, csv_text
from medmodel.runs.run import Run


def noted(
    make: Callable[[], str | bytes], action: str, **facts: audit.Fact
) -> Callable[[], str | bytes]:
    """What makes a file once it is asked for, and notes that in the audit log.

    For a download button that ignores the press: one that draws the page again makes
    all its promised files anew, and the browser may just have asked for an old one.
    The file is made in another thread, in the language of the page that promised it.

    Args:
        make: Makes the file's text or bytes.
        action: What the audit log calls it.
        **facts: What the audit log says of it.
    """
    language = present_language()

    def made() -> str | bytes:
        with speaking(language):
            file = make()
        audit.record(action, **facts)
        return file

    return made


def table_button(table: pd.DataFrame, name: str) -> None:
    """A button that downloads a table which is about no run.

    Args:
        table: What is downloaded.
        name: Of the file, without its ending.
    """
    st.download_button(
        _("Download the table (CSV)"),
        csv_text(table),
        file_name=f"{name}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def csv_button(
    table: pd.DataFrame | Callable[[], pd.DataFrame],
    name: str,
    run: Run,
    label: str = "",
) -> None:
    """A button that downloads a table.

    Args:
        table: What is downloaded, or what makes it when it is asked for.
        name: What it is, for the file's name; tells it from the others on the page.
        run: The run that it is about.
        label: What stands on the button; the name as a file's where it is empty, so
            that several buttons of a page can be told apart by ear.
    """
    st.download_button(
        label or f"{name}.csv",
        noted(
            lambda: csv_file(csv_text(table() if callable(table) else table)),
            "export",
            run=run.id,
            what=name,
        ),
        file_name=f"{name}-{run.id}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"csv-{name}",
        help=_("The numbers behind this as a table ({file})", file=name),
        on_click="ignore",
    )
