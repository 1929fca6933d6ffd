"""Row on a visitor's first look at a run, with nothing in the browser's cache."""

from __future__ import annotations

import time
from typing import Any

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.serving import POINTS
from medmodel.benchmark.browser.staged_pages import PROJECTOR, staged
from medmodel.benchmark.pairs import paired
from medmodel.benchmark.servers import browser, serving

_BARE = """
import plotly.graph_objects as go
import streamlit as st
st.title("One chart")
st.plotly_chart(go.Figure(go.Scatter(x=[1, 2, 3], y=[3, 1, 2])))
"""


# Ours is held back until nothing jumps any more, see `medmodel.server.preload`.
_SHOWN = f"""() => {POINTS} > 0 &&
  getComputedStyle(document.getElementById("root")).visibility === "visible"
"""


def first_visit() -> list[Measurement]:
    """Seconds until a run's curves are there / until a bare page's one chart is."""
    with staged() as stage, browser() as chromium:
        bare = stage.server.workspace / "bare.py"
        bare.write_text(_BARE)
        with serving(stage.server.workspace / "bare", bare) as server:
            # The first pair warms the servers.
            visits = paired(
                lambda: _first_chart(chromium, stage.pages["a run"]),
                lambda: _first_chart(chromium, server.url),
            )
    return [at_most("first_visit", visits.median, 2.0, note=visits.note("s"))]


def _first_chart(chromium: Any, url: str) -> float:
    """Seconds from the link to a chart with points that is shown, without a cache."""
    context = chromium.new_context(viewport=PROJECTOR)
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_function(_SHOWN, timeout=60_000, polling=20)
    seconds = time.perf_counter() - began
    context.close()
    return seconds
