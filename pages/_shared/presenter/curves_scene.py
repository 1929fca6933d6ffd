"""Step Curves: loss and accuracy of one run while it learns."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from medmodel.audience.slide import Chart, Curve, Slide, State
from medmodel.core.errors import value_or_problem
from medmodel.language import _, translate
from medmodel.reports import plots
from medmodel.runs.progress.live import Curve as GrowingCurve
from medmodel.runs.progress.live import Feed
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus, Status
from medmodel.runs.tables.curves import METRICS
from pages._shared.common import widgets
from pages._shared.common.words import STATE_TITLES, duration
from pages._shared.presenter.scene import Scene, go_to
from pages._shared.presenter.subject import chosen_run

_FEED = "presented-feed"
_Points = tuple[Sequence[float], Sequence[float]]


def curves_scene() -> Scene:
    """The chosen run, as far as it has come.

    Raises:
        RunError: The run in the address is not there, or damaged.
    """
    run = chosen_run()
    if run is None:
        slide = Slide(
            _("Curves"),
            _("No run yet"),
            _("Loss and accuracy will be drawn here while a model learns."),
            state="empty",
        )
        return Scene(slide, _("Go to Train"), lambda: go_to("train"))
    status = run.status
    return Scene(_slide(run, status, _feed(run)), live=status.state.active)


def _feed(run: Run) -> Feed:
    """The run's growing files, read on where the last look ended."""
    feed = st.session_state.get(_FEED)
    if not isinstance(feed, Feed) or feed.run.folder != run.folder:
        feed = st.session_state[_FEED] = Feed(run, widgets.store())
    feed.poll()
    return feed


def _slide(run: Run, status: Status, feed: Feed) -> Slide:
    state: State = "busy" if status.state.active else "full"
    charts = _charts(status, feed)
    sentence = _sentence(run, status, any(c.marked is not None for c in charts))
    notes: tuple[str, ...] = ()
    if any(curve.dotted for chart in charts for curve in chart.curves):
        notes = (_("Dotted: training images before they are learned from."),)
    if status.failure is not None and not status.state.active:
        state, sentence = "failed", translate(status.failure.message)
        notes = (translate(status.failure.advice), *notes)
    return Slide(
        _("Curves"),
        _(
            "{run}: {state}",
            run=run.title,
            state=_(STATE_TITLES[status.state]).lower(),
        ),
        sentence,
        state,
        _progress(status),
        charts=charts,
        notes=notes,
    )


def _sentence(run: Run, status: Status, marked: bool = False) -> str:
    if run.ensemble and not status.state.active:
        return _("The mean of several models: it has no epochs of its own.")
    if not status.state.active and not status.best_epoch:
        return _("Epochs: {epochs}.", epochs=status.epoch)
    if not status.state.active and marked:
        return _(
            "Epochs: {epochs}; best epoch: {best} (vertical line).",
            epochs=status.epoch,
            best=status.best_epoch,
        )
    if not status.state.active:
        return _(
            "Epochs: {epochs}; best epoch: {best}.",
            epochs=status.epoch,
            best=status.best_epoch,
        )
    if status.seconds_left is None:
        return translate(status.message)
    left = _("{duration} left.", duration=duration(status.seconds_left))
    return f"{translate(status.message)} {left}"


def _progress(status: Status) -> float | None:
    if not status.state.active:
        return None
    if status.phase == "training" and status.steps:
        return min(status.step / status.steps, 1.0)
    return min(status.done / status.total, 1.0) if status.total else 0.0


def _charts(status: Status, feed: Feed) -> tuple[Chart, ...]:
    if not len(feed.steps) and not len(feed.epochs):
        return ()
    by_step, by_epoch = _columns(feed.steps), _columns(feed.epochs)
    metric = next(name for name in METRICS if name in by_step)
    step, loss, accuracy = by_step["step"], by_step["loss"], by_step[metric]
    epoch, at = by_epoch["epoch"], by_epoch["step"]
    val_loss, val_accuracy = by_epoch["val_loss"], by_epoch[f"val_{metric}"]
    title = _("step")
    if not len(feed.steps):  # a run that kept its epochs alone
        title, at, step = _("epoch"), epoch, epoch
        loss, accuracy = by_epoch["loss"], by_epoch[metric]
    marked = next(
        (x for e, x in zip(epoch, at, strict=True) if e == status.best_epoch), None
    )
    # Before the first epoch of a frozen network nothing was learned yet.
    frozen = feed.run.config.training == "frozen" and len(feed.steps) > 0
    first = (at[0] if len(at) else math.inf) if frozen else -math.inf
    digits = partial(_last, pattern="{:.3g}")
    losses = _curves((step, loss), (at, val_loss), digits, first)
    # Dice and the mean AUC are numbers from 0 to 1.
    per_cent = metric == "accuracy"
    shown = _last_share if per_cent else partial(_last, pattern="{:.3f}")
    accuracies = _curves((step, accuracy), (at, val_accuracy), shown, first)
    titles = {"dice": _("Dice"), "auc": _("Mean AUC")}
    named = titles.get(feed.run.config.metric, _("Accuracy"))
    return (
        Chart(_("Loss"), title, losses, marked=marked),
        Chart(named, title, accuracies, per_cent, share=True, marked=marked),
    )


def _curves(
    training: _Points,
    validation: _Points,
    shown: Callable[[Sequence[float]], str],
    first: float,
) -> tuple[Curve, ...]:
    """Training and validation; dotted what comes before the step `first`."""
    (x, y), (at, values) = training, validation
    cut = bisect_left(x, first)
    before = Curve(_("training"), x[:cut], y[:cut], thin=True, dotted=True)
    return (
        Curve(_("training"), x[cut:], y[cut:], shown(y[cut:]), thin=True),
        Curve(_("validation"), at, values, shown(values)),
        *((before,) if cut else ()),
    )


def _columns(curve: GrowingCurve) -> dict[str, Sequence[float]]:
    return dict(zip(curve.tail.columns, curve.columns, strict=True))


def _last(values: Sequence[float], pattern: str) -> str:
    finite = [value for value in values[-50:] if math.isfinite(value)]
    return pattern.format(finite[-1]) if finite else ""


def _last_share(values: Sequence[float]) -> str:
    finite = [value for value in values[-50:] if math.isfinite(value)]
    return plots.measured_share(finite[-1], 1) if finite else ""


def model_state(run: Run) -> str:
    """Why a run has no model to ask, in one sentence."""
    problem = ""
    if not run.config.multi_label:
        _done, problem = value_or_problem(run.check_classifies)
    if problem:
        return translate(problem)
    state = run.status.state
    if state in (RunStatus.RUNNING, RunStatus.QUEUED):
        return _("The model still learns; it can be asked when the run has ended.")
    return _("This run ended without a model.")
