"""The live view of one run: its state and its curves, pushed to the browser."""

from __future__ import annotations

from importlib.metadata import version

import streamlit as st

from medmodel.core.environment import asset_text
from medmodel.language import present_language
from medmodel.runs.run import Run
from medmodel.runs.status import Status
from pages._shared.common.widgets import at_least_high
from pages._shared.runs.live_texts import live_texts

SCRIPTS = ("live_notice.js", "live_samples.js", "live_chart.js")
"""Parts of one module."""
HEIGHT = 476
"""Pixels, the same from the first to the last point: nothing below or above jumps.
Below title and buttons the curves just fit a projector's 720 lines."""
FAILED_HEIGHT = 396
"""Pixels below a box that says what went wrong."""
STRIP_HEIGHT = 72
"""Pixels without the charts, for a run that ended before its first point."""


def live_chart(run: Run, status: Status, beside: Run | None = None) -> None:
    """Shows a run's state and curves, and keeps them up to date without reruns.

    The page is run again once when the run begins or stops being active.

    Args:
        run: The run to follow.
        status: Its status as the rest of the page shows it.
        beside: Another run, whose validation curve lies behind this one's.
    """
    # Styles are not isolated: Plotly's own would be missing in a shadow root.
    component = st.components.v2.component(
        "live_chart",
        html=asset_text("live_chart.html"),
        css=asset_text("live_chart.css"),
        js=asset_text(*SCRIPTS),
        isolate_styles=False,
    )
    height, config, language = _height(run, status), run.config, present_language()
    # On a phone it is higher, and scrolls with the page.
    with at_least_high(height):
        component(
            data={
                "url": f"/live/{run.id}",
                "plotly": f"/vendor/plotly.js?v={version('plotly')}",
                "state": status.state.value,
                "height": height,
                # Of lost settings the usual ones stand in, which say nothing of it.
                "frozen": bool(config.dataset) and config.training == "frozen",
                "patience": config.patience,
                "perCent": config.metric == "accuracy",
                "beside": beside
                and {"url": f"/live/{beside.id}", "name": beside.title},
                "bare": height == STRIP_HEIGHT,
                "language": language,
                "texts": live_texts(config.metric),
            },
            key=f"live-{run.id}-{language}",
            on_changed_change=lambda: None,
        )


def _height(run: Run, status: Status) -> int:
    if status.state.active:
        return HEIGHT
    if not (run.steps_path.exists() or run.history_path.exists()):
        return STRIP_HEIGHT
    return FAILED_HEIGHT if status.failure else HEIGHT
