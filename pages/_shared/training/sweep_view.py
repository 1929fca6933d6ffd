"""One sweep: its trials, the winner and what that is worth, three figures."""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from medmodel.core.errors import RunError
from medmodel.core.settings.recipes import RECIPES
from medmodel.language import _, ngettext, translate
from medmodel.runs.setting_words import setting_text
from medmodel.runs.status import RunStatus
from medmodel.sweeps import figures
from medmodel.sweeps.candidates import ENSEMBLE_OF_BEST, TITLES
from medmodel.sweeps.results import (
    best_trial,
    comparable,
    compared,
    equally_good,
    other_data,
    pareto_front,
    why_it_won,
)
from medmodel.sweeps.search_space import AUGMENTATIONS, PARAMETERS
from medmodel.sweeps.sweep import Sweep, Trial, end_sweep
from pages._shared.common import widgets
from pages._shared.common.charts import show_figure
from pages._shared.common.glossary import meaning
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import STATE_TITLES, duration, plain


def show_sweep(sweep: Sweep) -> None:
    """The whole page of one sweep."""
    st.title(plain(sweep.title), anchor=False)
    varied = _(", ").join(_(PARAMETERS[name]) for name in sweep.config.space)
    purpose = plain(_("What varies: {settings}", settings=varied))
    if sweep.config.minutes:
        purpose = _("Several recipes and their ensemble, chosen on validation images.")
    st.markdown(f":gray[{purpose}]")
    running = sweep.state.running
    st.fragment(run_every=2 if running else None)(_show)(sweep, running)


def _show(sweep: Sweep, was_running: bool) -> None:
    state, trials = sweep.state, sweep.results.trials
    if was_running and not state.running:
        st.rerun()
    if state.error:
        st.error(plain(translate(state.error)), icon=":material/error:")
        if st.button(_("Go on with the sweep"), icon=":material/resume:"):
            sweep.task.start()
            st.rerun()
    _show_progress(sweep, state.running)
    _show_winner(sweep, state.running)
    if reason := sweep.results.no_ensemble:
        st.caption(plain(translate(reason)))
    _show_table(trials, sweep)
    _show_figures(sweep)


def _show_progress(sweep: Sweep, running: bool) -> None:
    trials = sweep.results.trials
    done = sum(trial.finished for trial in trials)
    if running:
        text = _(
            "{done} of {trials} trials have ended. You may leave this page; it "
            "continues.",
            done=done,
            trials=sweep.planned,
        )
        share = done / max(sweep.planned, 1)
        if sweep.config.minutes:
            share, text = _time_spent(sweep, done)
        st.progress(min(share, 1.0), text)
        for trial in (t for t in trials if not t.finished):
            _show_trial_at_work(trial)
        if sweep.end_requested:
            st.caption(_("Ending: the trials at work stop after the current step."))
        elif st.button(_("End the sweep"), icon=":material/stop_circle:"):
            with errors_shown():
                end_sweep(sweep)
                st.rerun()


def _show_trial_at_work(trial: Trial) -> None:
    try:
        status = widgets.store().get(trial.run).status
    except RunError:
        return  # Deleted since the trial was written down; the table says so soon.
    said = [_("Trial {number}:", number=trial.number + 1), translate(status.message)]
    if status.seconds_left is not None:
        left = duration(status.seconds_left)
        said.append(_("{duration} left.", duration=left))
    st.caption(plain(" ".join(said)))


def _time_spent(sweep: Sweep, done: int) -> tuple[float, str]:
    """Share of the time that was given, and a sentence."""
    given = 60 * sweep.config.minutes
    spent = min(max(time.time() - sweep.config.created, 0), given)
    sentence = ngettext(
        "{spent} of {given}; {count:,} candidate has ended. You may leave this page; "
        "it continues.",
        "{spent} of {given}; {count:,} candidates have ended. You may leave this page; "
        "it continues.",
        done,
        spent=duration(spent),
        given=duration(given),
    )
    return spent / given, sentence


def _why_none(last: Trial) -> str:
    """Why no trial finished an epoch, as the last one says."""
    try:
        status = widgets.store().get(last.run).status
    except RunError:  # deleted, or damaged
        return _("No trial finished an epoch: its run says why.")
    return _(
        "No trial finished an epoch. Trial {number}: {reason}",
        number=last.number + 1,
        reason=translate(status.message),
    )


def _show_winner(sweep: Sweep, running: bool) -> None:
    every = sweep.results.trials
    trials = comparable(every)
    best = best_trial(trials)
    if best is None:
        sentence = _("No trial has finished an epoch yet.")
        if trials and not running:
            sentence = _why_none(trials[-1])
        st.info(plain(sentence), icon=":material/science:")
        return
    scored = sum(trial.val_loss is not None for trial in trials)
    st.markdown(plain(_winner(best, trials)), help=meaning("loss"))
    if compared(trials):
        st.caption(plain(why_it_won(best)))
    elif (alike := equally_good(trials)) > 1:
        st.caption(
            _("{count:,} trials have this loss: the first is named.", count=alike)
        )
    st.caption(
        ngettext(
            "Chosen as the best of {count:,} trial by its validation images alone.",
            "Chosen as the best of {count:,} trials by the same validation images: its "
            "validation score is therefore optimistic. How good it is, its test images "
            "say, which chose nothing.",
            scored,
        )
    )
    if others := other_data(every):
        st.warning(plain(others), icon=":material/difference:")
    _offer_winner(best, trials)


def _offer_winner(best: Trial, trials: list[Trial]) -> None:
    """Leads to the winner's run and to a comparison, as far as their runs are there."""
    ranked = sorted(trials, key=lambda t: (t != best, _rank(t)))
    there = [t.run for t in ranked if t.val_loss is not None and _is_there(t)][:4]
    if best.run not in there:
        st.caption(_("The run of this trial was deleted."))
    with st.container(horizontal=True):
        if best.run in there and st.button(
            _("Open the winner"), icon=":material/trophy:"
        ):
            st.switch_page(widgets.RUNS, query_params={"run": best.run})
        if len(there) > 1 and st.button(
            _("Compare on test images"), icon=":material/compare_arrows:"
        ):
            st.switch_page(widgets.COMPARE, query_params={"runs": ",".join(there)})


def _is_there(trial: Trial) -> bool:
    try:
        return bool(widgets.store().get(trial.run))
    except RunError:
        return False


def _winner(best: Trial, trials: list[Trial]) -> str:
    said = {"number": best.number + 1, "values": _values(best), "loss": best.val_loss}
    if compared(trials):
        return _(
            "Winner: trial {number} ({values}), validation loss {loss:.3f}.", **said
        )
    return _("Lowest validation loss: {loss:.3f}, trial {number} ({values}).", **said)


def _rank(trial: Trial) -> float:
    return float("inf") if trial.val_loss is None else trial.val_loss


def _show_table(trials: list[Trial], sweep: Sweep) -> None:
    if not trials:
        return
    names = list(sweep.config.space)
    table = pd.DataFrame(
        {
            _("Trial"): [trial.number + 1 for trial in trials],
            _("State"): [_state(trial) for trial in trials],
            **{
                _(PARAMETERS[name]): [
                    _value(name, trial.values[name]) for trial in trials
                ]
                for name in names
            },
            _("Val. loss"): [_score(trial.val_loss) for trial in trials],
            _("Val. accuracy"): [_score(trial.val_accuracy) for trial in trials],
            _("Took"): [duration(t.seconds) if t.seconds else "" for t in trials],
        }
    )
    picked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"trials-{sweep.id}",
    )
    rows = picked.selection.rows
    if rows and rows[0] < len(trials):
        label = _("Open the run of trial {number}", number=trials[rows[0]].number + 1)
        st.page_link(
            widgets.RUNS,
            label=label,
            icon=":material/monitoring:",
            query_params={"run": trials[rows[0]].run},
        )


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _state(trial: Trial) -> str:
    if trial.state == "pruned":
        return _("Ended early")
    if trial.state == "deleted":
        return _("Deleted")
    return _(STATE_TITLES[RunStatus(trial.state)])


def _value(name: str, value: object) -> str:
    if name == "augmentation":
        return _(AUGMENTATIONS[str(value)][0])
    if name == "candidate":
        return _(TITLES[str(value)])
    if name == "recipe":
        return _(RECIPES[str(value)].title)
    if isinstance(value, float):
        return f"{value:.3g}"
    return setting_text(name, value)


def _values(trial: Trial) -> str:
    return _(", ").join(
        f"{_(PARAMETERS[name])} {_value(name, value)}"
        for name, value in trial.values.items()
    )


def _show_figures(sweep: Sweep) -> None:
    trials = comparable(sweep.results.trials)
    scored = [t for t in trials if t.val_loss is not None]
    if len(scored) < 2:
        return
    if sweep.config.minutes:
        scored = [t for t in scored if t.values["candidate"] != ENSEMBLE_OF_BEST]
    names = {name: _(PARAMETERS[name]) for name in sweep.config.space}
    st.markdown(_("**Quality against time**"))
    front = pareto_front(scored)
    show_figure(
        figures.quality_against_time(scored, front),
        f"time-{sweep.id}",
        _("Validation loss of each trial against its training time"),
    )
    st.caption(
        _(
            "On the line: no other trial was both faster and better. Times include "
            "what was prepared for the first trial alone."
        )
    )
    if sweep.config.minutes:
        return
    st.markdown(_("**Settings and loss**"))
    texts = {
        name: {t.values[name]: _value(name, t.values[name]) for t in scored}
        for name in names
    }
    show_figure(
        figures.parallel_coordinates(scored, names, texts),
        f"parallel-{sweep.id}",
        _("A line for each trial through its settings to its validation loss"),
    )
    st.caption(_("Thick: the trial with the lowest validation loss."))
    if sweep.results.importance:
        st.markdown(_("**How much each setting matters**"))
        shown = {names[n]: share for n, share in sweep.results.importance.items()}
        show_figure(
            figures.importance(shown),
            f"importance-{sweep.id}",
            _("How much of the differences each setting explains"),
        )
        st.caption(
            _(
                "Share of the differences in validation loss among these trials that "
                "each setting explains; few trials say little."
            )
        )
