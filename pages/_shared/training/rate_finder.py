"""Learning-rate finder: a button, the curve while it grows, the rate it suggests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.language import _, translate
from medmodel.reports.plots import OKABE_ITO, figure
from medmodel.runs import queue
from medmodel.runs.rate_tests.curve import STEPS, RateTest, smoothed
from medmodel.runs.rate_tests.job import rate_test_store, read_rate_test, submit
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus, Status
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 260


def show_rate_finder(config: TrainConfig, key: str) -> None:
    """Offers to look for a learning rate for these settings.

    Args:
        config: Without a problem.
        key: Of the form whose field takes the rate.
    """
    if config.training == "frozen":
        return
    place = f"{key}-rate-test"
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            _("Find a learning rate"),
            icon=":material/troubleshoot:",
            help=_(
                "A job of the queue trains for at most {steps} steps while the "
                "learning rate rises from 0.000001 to 1. The rate at which the loss "
                "falls most steeply is suggested. Nothing of that training is kept.",
                steps=STEPS,
            ),
        )
    if pressed:
        with errors_shown():
            st.session_state[place] = submit(config).id
    test = _test(st.session_state.get(place, ""))
    if test is None:
        return
    active = test.status.state.active
    st.fragment(_show_test, run_every=1 if active else None)(test, key, active)


def _test(test_id: str) -> Run | None:
    """The test that this session asked for; None without one, or where it is gone."""
    try:
        test = rate_test_store().get(test_id) if test_id else None
        if test is not None:
            test.status  # noqa: B018 (raises where it is damaged)
    except RunError:
        return None
    return test


def _show_test(test: Run, key: str, was_active: bool) -> None:
    try:
        status = test.status
    except RunError:  # taken away meanwhile
        return
    if was_active and not status.state.active:
        st.rerun()
    known = read_rate_test(test)
    if status.state.active:
        _show_active(test, status)
    elif status.state is not RunStatus.DONE:
        why = status.failure.message if status.failure else status.message
        st.error(plain(translate(why)), icon=":material/error:")
    if known is not None and known.losses:
        st.plotly_chart(rate_figure(known), width="stretch", key=f"{key}-rates")
    if status.state is RunStatus.DONE and known is not None:
        _show_suggestion(known, key)


def _show_active(test: Run, status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(plain(translate(status.message)), width="stretch")
        if st.button(_("Stop the search"), icon=":material/stop:"):
            with errors_shown():
                queue.stop(test)


def _show_suggestion(known: RateTest, key: str) -> None:
    if known.suggested is None:
        st.info(
            _(
                "The loss did not fall at any rate: no rate is suggested. Other "
                "settings, or a larger data set, may tell more."
            ),
            icon=":material/info:",
        )
        return
    rate = float(f"{known.suggested:.1e}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            _(
                "Suggested learning rate: **{rate:g}**, where the smoothed loss falls "
                "most steeply. One short test on training images: a guess to begin "
                "with.",
                rate=rate,
            ),
            width="stretch",
        )
        st.button(
            _("Use it"),
            icon=":material/check:",
            on_click=_use,
            args=(f"{key}-learning_rate", rate),
        )


def _use(field: str, rate: float) -> None:
    st.session_state[field] = rate


def rate_figure(known: RateTest) -> Figure:
    """Loss against learning rate on a logarithmic axis, with the suggested rate."""
    drawing = figure(_HEIGHT)
    drawing.add_scatter(
        x=known.rates,
        y=known.losses,
        mode="markers",
        marker={"color": OKABE_ITO[0], "size": 5, "opacity": 0.5},
        name=_("Loss of each step"),
    )
    drawing.add_scatter(
        x=known.rates,
        y=smoothed(known.losses),
        mode="lines",
        line={"color": OKABE_ITO[0], "width": 3},
        name=_("Smoothed"),
    )
    if known.suggested is not None:
        drawing.add_vline(
            x=known.suggested, line={"color": OKABE_ITO[1], "dash": "dash"}
        )
    drawing.update_xaxes(
        title=_("Learning rate"), type="log", dtick=1, exponentformat="power"
    )
    drawing.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    )
    drawing.update_yaxes(title=_("Training loss"), rangemode="tozero")
    return drawing
