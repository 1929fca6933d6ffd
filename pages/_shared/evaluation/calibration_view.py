"""Do scores mean what they say: reliability, and one temperature that mends it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.evaluation import calibration, temperature_scaling
from medmodel.evaluation.calibration import brier, reliability_diagram
from medmodel.evaluation.predictions import Predictions
from medmodel.evaluation.subgroups import Subgroup
from medmodel.evaluation.temperature_scaling import Temperature, calibrate
from medmodel.reports import figures, plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.gallery_view import ask_for, show_gallery
from pages._shared.prediction.conformal_view import show_sets

FEWEST = 10
"""Images without which no calibration is shown."""
_COLOUR = "#0072B2"
_BIN = "clicked-bin"


def show_calibration(run: Run, group: Subgroup) -> None:
    """The test images before and after the temperature that validation gave."""
    data = run_cache.part_of(run, group)
    if len(data.truth) < FEWEST:
        st.info(
            f"Too few to tell whether scores mean what they say: {len(data.truth):,} "
            f"images; {FEWEST} are the least.",
            icon=":material/info:",
        )
        return
    name = st.selectbox(
        "Scores of",
        ["", *data.classes],
        format_func=lambda name: name or "The predicted class",
        key="calibration-of",
    )
    who = f"{plain(name)}" if name else "right"
    st.markdown(
        f"Of images with a score of 80 %, about 80 of 100 should be {who}: points on "
        "the dotted line. Above it the model is under-confident, below it "
        "over-confident. A click on a point shows its images."
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**As trained**")
        _show(run, data, "reliability", name)
    with right, errors_shown():
        temperature = run_cache.temperature(run)
        if temperature.bounded:
            st.info(temperature.why_unknown)
        else:
            st.markdown(f"**At a temperature of {_shown(temperature)}**")
            _show(
                run, calibrate(data, temperature.value), "reliability-calibrated", name
            )
    if st.session_state.get(_BIN) == (run.id, name):
        show_gallery(run, group)
    with errors_shown():
        _store(run, run_cache.temperature(run))
    with errors_shown():
        show_sets(run, data)


def _shown(temperature: Temperature) -> str:
    return plain(f"{temperature.value:.2f} {temperature.interval}")


def _show(run: Run, data: Predictions, key: str, name: str) -> None:
    position = data.classes.index(name) if name else None
    bins = reliability_diagram(data, position)
    colour = plots.class_colours(data.classes)[name] if name else _COLOUR
    claim = f"it is {name}" if name else "the predicted class is right"
    clickable = key == "reliability"
    show_figure(
        figures.reliability_figure(bins, colour, claim),
        key=key,
        alt="Reliability diagram with the number of images at every point",
        on_click=(lambda point: _open(run, name, point)) if clickable else None,
    )
    error = calibration.calibration_error(data, position)
    loss, squared = calibration.log_loss(data, position), brier(data, position)
    st.caption(
        plain(
            f"Expected calibration error {error}, log loss {loss}, Brier score "
            f"{squared}; n = {len(data.truth):,}. Numbers beside the points count "
            "images; bars are 95 % intervals of the share."
        )
    )
    table = [
        [b.low, b.high, b.count, b.mean_score, b.share.value, *b.share.ends]
        for b in bins
    ]
    names = ["from", "to", "images", "mean_score", "observed_frequency", "low", "high"]
    csv_button(pd.DataFrame(table, columns=names), key, run)


def _store(run: Run, temperature: Temperature) -> None:
    if temperature.bounded:
        return
    stored = temperature_scaling.stored_temperature(run)
    more = "more confident" if temperature.value < 1 else "less confident"
    st.markdown(
        f"Dividing by the temperature makes every score {more} and changes no "
        f"predicted class. It was fitted on {temperature.images:,} validation images; "
        "the right-hand figure shows what it does to the test images, which had no "
        "part in it."
    )
    if stored == temperature:
        st.success("Stored with the model.", icon=":material/check:")
        return
    changes = temperature.changes_scores
    if not changes:
        st.info(
            f"No need to calibrate was shown: 1, which changes nothing, is within what "
            f"is known of the temperature, {plain(temperature.interval)}.",
            icon=":material/info:",
        )
    kind = "primary" if changes else "secondary"
    if st.button("Store the temperature with the model", type=kind):
        temperature_scaling.store_temperature(run, temperature)
        audit.record("calibrate", run=run.id, temperature=round(temperature.value, 4))
        st.rerun()


def _open(run: Run, name: str, point: dict[str, Any]) -> None:
    edges = point.get("customdata")
    if edges:
        low, high = (round(100 * edge, 1) for edge in list(edges)[:2])
        ask_for(scores=(low, high), of=name)
        st.session_state[_BIN] = run.id, name
