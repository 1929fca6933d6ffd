"""MedModel's launcher: `streamlit run app.py`."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st

from medmodel import server

ROOT = Path(__file__).resolve().parent


def show_bug(error: Exception) -> bool:
    """Says that a page failed through our fault; the details go to the log alone."""
    logging.getLogger("medmodel").error("A page failed.", exc_info=error)
    st.error(
        "Something went wrong in this program, not in what you did. Nothing that was "
        "trained is lost. Reload the page; if it happens again, the server's log says "
        "where.",
        icon=":material/bug_report:",
    )
    return True


app = st.App(
    ROOT / "pages" / "menu.py",
    routes=server.routes(),
    middleware=server.middleware(st.get_option("server.allowedHosts")),
    lifespan=server.lifespan,
    on_script_error=show_bug,
)
