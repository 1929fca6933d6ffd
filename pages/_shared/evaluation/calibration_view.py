"""Do scores mean what they say: reliability, and one temperature that mends it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import value_or_problem
from medmodel.evaluation.calibration import temperature_scaling
from medmodel.evaluation.calibration.calibration_metrics import reliability_diagram
from medmodel.evaluation.calibration.temperature_scaling import Temperature, calibrate
from medmodel.evaluation.groups.subgroups import Subgroup
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _, translate
from medmodel.reports import figures, plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
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
            _(
                "Too few to tell whether scores mean what they say: {images:,} images; "
                "{least} are the least.",
                images=len(data.truth),
                least=FEWEST,
            ),
            icon=":material/info:",
        )
        return
    name = st.selectbox(
        _("Scores of"),
        ["", *data.classes],
        format_func=lambda name: name or _("The predicted class"),
        key="calibration-of",
    )
    st.markdown(_claim_sentence(name), help=meaning("calibration"))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(_("**As trained**"))
        _show(run, data, "reliability", name)
    with right, errors_shown():
        temperature = run_cache.temperature(run)
        if temperature.bounded:
            st.info(translate(temperature.why_unknown))
        else:
            st.markdown(
                _(
                    "**At a temperature of {temperature}**",
                    temperature=_shown(temperature),
                ),
                help=meaning("temperature scaling", "interval"),
            )
            _show(
                run, calibrate(data, temperature.value), "reliability-calibrated", name
            )
    if st.session_state.get(_BIN) == (run.id, name):
        show_gallery(run, group)
    with errors_shown():
        _store(run, run_cache.temperature(run))
    with errors_shown():
        show_sets(run, data)


def _claim_sentence(name: str) -> str:
    """What calibrated scores of a class mean, or those of the predicted class."""
    if not name:
        return _(
            "Of images with a score of 80 %, about 80 of 100 should be right: points "
            "on the dotted line. Above it the model is under-confident, below it "
            "over-confident. A click on a point shows its images."
        )
    return _(
        "Of images with a score of 80 %, about 80 of 100 should be {name}: points on "
        "the dotted line. Above it the model is under-confident, below it "
        "over-confident. A click on a point shows its images.",
        name=plain(name),
    )


def _shown(temperature: Temperature) -> str:
    return plain(temperature)


def _show(run: Run, data: Predictions, key: str, name: str) -> None:
    position = data.classes.index(name) if name else None
    bins = reliability_diagram(data, position)
    colour = plots.class_colours(data.classes)[name] if name else _COLOUR
    claim = _("it is {name}", name=name) if name else _("the predicted class is right")
    clickable = key == "reliability"
    show_figure(
        figures.reliability_figure(bins, colour, claim),
        key=key,
        alt=_("Reliability diagram with the number of images at every point"),
        on_click=(lambda point: _open(run, name, point)) if clickable else None,
    )
    error, loss, squared = (
        METRICS[key].estimate(data, position)
        for key in ("calibration_error", "log_loss", "brier")
    )
    st.caption(
        plain(
            _(
                "Expected calibration error {error}, log loss {loss}, Brier score "
                "{brier}; n = {images:,} images. Numbers beside the points count "
                "images; bars, where there are enough, are 95 % intervals of the "
                "share.",
                error=error,
                loss=loss,
                brier=squared,
                images=len(data.truth),
            )
        ),
        help=meaning("expected calibration error (ECE)", "log loss", "Brier score"),
    )
    table = [
        [b.low, b.high, b.count, b.mean_score, b.share.value, *b.share.ends]
        for b in bins
    ]
    names = [
        _("from"),
        _("to"),
        _("images"),
        _("mean_score"),
        _("observed_frequency"),
        _("low"),
        _("high"),
    ]
    csv_button(pd.DataFrame(table, columns=names), key, run)


def _store(run: Run, temperature: Temperature) -> None:
    if temperature.bounded:
        return
    stored, problem = value_or_problem(temperature_scaling.stored_temperature, run)
    if problem:
        st.warning(plain(translate(problem)), icon=":material/help:")
    st.markdown(_effect_sentence(temperature))
    if stored == temperature:
        st.success(_("Stored with the model."), icon=":material/check:")
        return
    changes = temperature.changes_scores
    if not temperature.has_interval:
        st.info(
            _(
                "Whether calibration is needed cannot be told: for an interval of the "
                "temperature, the validation images are {few}.",
                few=plain(temperature.interval),
            ),
            icon=":material/info:",
        )
    elif not changes:
        st.info(
            _(
                "No need to calibrate was shown: 1, which changes nothing, is within "
                "what is known of the temperature, {interval}.",
                interval=plain(temperature.interval),
            ),
            icon=":material/info:",
        )
    kind = "primary" if changes else "secondary"
    if st.button(_("Store the temperature with the model"), type=kind):
        temperature_scaling.store_temperature(run, temperature)
        audit.record("calibrate", run=run.id, temperature=round(temperature.value, 4))
        st.rerun()


def _effect_sentence(temperature: Temperature) -> str:
    """What dividing by the temperature does to the scores."""
    if abs(temperature.value - 1) < 0.005:
        return _(
            "The temperature is 1.00 when rounded: dividing by it hardly changes a "
            "score, and no predicted class. It was fitted on {images:,} validation "
            "images; the second figure shows what it does to the test images, which "
            "had no part in it.",
            images=temperature.images,
        )
    if temperature.value < 1:
        return _(
            "Dividing by the temperature makes every score more confident and changes "
            "no predicted class. It was fitted on {images:,} validation images; the "
            "second figure shows what it does to the test images, which had no part "
            "in it.",
            images=temperature.images,
        )
    return _(
        "Dividing by the temperature makes every score less confident and changes no "
        "predicted class. It was fitted on {images:,} validation images; the "
        "second figure shows what it does to the test images, which had no part in "
        "it.",
        images=temperature.images,
    )


def _open(run: Run, name: str, point: dict[str, Any]) -> None:
    edges = point.get("customdata")
    if edges:
        low, high = (round(100 * edge, 1) for edge in list(edges)[:2])
        ask_for(scores=(low, high), of=name)
        st.session_state[_BIN] = run.id, name
