"""MedModel's launcher: `streamlit run app.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel import server

ROOT = Path(__file__).resolve().parent

app = st.App(
    ROOT / "pages" / "menu.py",
    routes=server.routes(),
    middleware=server.middleware(st.get_option("server.allowedHosts")),
    lifespan=server.lifespan,
)
