"""The live view of one run: its state and its curves, pushed to the browser."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version

import streamlit as st

from medmodel.core.environment import REPOSITORY
from medmodel.runs.run import Run, RunStatus

ASSETS = REPOSITORY / "assets"


@lru_cache
def _source(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def live_chart(run: Run, state: RunStatus) -> None:
    """Shows a run's state and curves, and keeps them up to date without reruns.

    The page is run again once when the run begins or stops being active.

    Args:
        run: The run to follow.
        state: Its state as the rest of the page shows it.
    """
    # Styles are not isolated: Plotly's own would be missing in a shadow root.
    component = st.components.v2.component(
        "live_chart",
        html=_source("live_chart.html"),
        css=_source("live_chart.css"),
        js=_source("live_chart.js"),
        isolate_styles=False,
    )
    component(
        data={
            "url": f"/live/{run.id}",
            "plotly": f"/vendor/plotly.js?v={version('plotly')}",
            "state": state.value,
        },
        key=f"live-{run.id}",
        on_changed_change=lambda: None,
    )
