"""The model that pages speak of: kept over pages, Back and reload.

The address says it with ?run=ID. Where it does not, the one last looked at in this
session stays, else it is the newest, and the address is completed in place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from unicodedata import east_asian_width

import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.core.errors import RunError
from medmodel.core.settings.recipes import RECIPES
from medmodel.language import _, format_date, ngettext
from medmodel.reports import plots
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.run_entry import Entry
from medmodel.runs.status import RunStatus
from pages._shared.common.address import show_in_address
from pages._shared.common.legible import is_phone
from pages._shared.common.widgets import RUNS, dataset_name, store
from pages._shared.common.words import disambiguate, plain

CHOSEN = "chosen-model"
"""Where the session keeps the id of the run last looked at."""
_PARAMETER = "run"
_END = 21
"""Letters of ` · 28 Nov 2026, 23:28`."""
_SIGN = 9
"""Letters of ` (51dd6f)`, which follows where two labels are the same."""
_ON_A_PHONE = 34
"""Letters that a list has room for there."""
_PART = " · "
_LEAST_OF_A_NAME = 2
"""Letters of a data set's name of which fewer say nothing."""


def pick_model(
    page: str,
    tests: bool = False,
    widest: int = 70,
    segmentations: bool = False,
    multi_label: bool = False,
) -> Run | None:
    """Lets the user choose among runs that have a model, grouped by data set.

    A link to a run that is gone or has no model is said to be that; no other model is
    shown in its place, and the address stays as it is until one is chosen.

    Args:
        page: The page's path in the address, such as `"diagnose"`.
        tests: Whether external tests are listed, too; else such a test stands for the
            model that it tests.
        widest: Letters that the list has room for, see `cut_in_the_middle`.
        segmentations: Whether models are listed that outline instead of classifying.
        multi_label: Whether models are listed that give an image several findings.

    Returns:
        The run; None if none was chosen, see `any_model`.
    """
    listed = run_index.finished(store(), tests, segmentations, multi_label)
    entries = {e.run.id: e for e in listed}
    if not entries:
        return None
    linked = st.query_params.get(_PARAMETER, "")
    wanted = _usable(linked, entries) if linked else _remembered(entries)
    with st.container(gap=None):
        chosen = _select(entries, wanted, widest)
        if chosen and not linked:
            show_in_address(page, _PARAMETER, chosen)
    if chosen is None:
        _say_why_missing(linked)
        return None
    if linked and linked != chosen:
        st.caption(_("The link names an external test of this model."))
    before = st.session_state.get(CHOSEN)
    if before and not linked and _usable(before, entries) is None:
        st.caption(_("The model that was chosen before is gone; this is the newest."))
    st.session_state[CHOSEN] = chosen
    return entries[chosen].run


def any_model(
    tests: bool = False, segmentations: bool = False, multi_label: bool = False
) -> bool:
    """Whether there is anything to choose from."""
    return bool(run_index.finished(store(), tests, segmentations, multi_label))


def _usable(linked: str, entries: Mapping[str, Entry]) -> str | None:
    """The run of a link, or the model that it tests; None if neither is listed."""
    if linked in entries:
        return linked
    every = {e.run.id: e.test_of for e in run_index.finished(store(), tests=True)}
    tested = every.get(linked, "")
    return tested if tested in entries else None


def _remembered(entries: Mapping[str, Entry]) -> str:
    """The run last looked at, or its model; else the newest training."""
    kept = _usable(st.session_state.get(CHOSEN, ""), entries)
    trained = [run for run, entry in entries.items() if not entry.test_of]
    return kept or max(trained or entries)


def _select(
    entries: Mapping[str, Entry], wanted: str | None, widest: int
) -> str | None:
    ordered = sorted(entries.values(), key=list_order)
    whole = {entry.run.id: model_label(entry) for entry in ordered}
    titles = distinct_labels(whole, widest)
    # The address rules: Back and links change it behind the list.
    st.session_state["model"] = wanted
    chosen: str | None = st.selectbox(
        _("Model"),
        list(titles),
        format_func=titles.__getitem__,
        index=None,
        placeholder=_("Choose a model"),
        # A list cuts what is longer than itself.
        help=plain(whole[wanted]) if wanted else None,
        key="model",
        on_change=_take_choice,
    )
    return chosen


def _take_choice() -> None:
    if chosen := st.session_state["model"]:
        st.query_params[_PARAMETER] = chosen


def list_order(entry: Entry) -> tuple[str, str, float, str]:
    """By data set, models before their external tests, the highest accuracy first."""
    result = entry.test_dice if entry.config.segments else entry.test_accuracy
    if entry.config.multi_label:
        result = entry.val_auc
    accuracy = -1.0 if result is None else result
    folder = dataset_name(entry.config)
    return folder.casefold(), folder, -accuracy, entry.run.id


def model_label(entry: Entry) -> str:
    """A model in one line of a list: data set, recipe, accuracy with its n, date."""
    folder = dataset_name(entry.config)
    title = _title_without_folder(entry.config)
    accuracy = _("not tested")
    if entry.test_dice is not None:
        accuracy = ngettext(
            "test Dice {dice:.3f} ({count:,} image)",
            "test Dice {dice:.3f} ({count:,} images)",
            entry.test_images,
            dice=entry.test_dice,
        )
    elif entry.val_dice is not None:
        accuracy = _("validation Dice {dice:.3f}", dice=entry.val_dice)
    elif entry.val_auc is not None:
        accuracy = _("validation mean AUC {auc:.3f}", auc=entry.val_auc)
    elif entry.config.multi_label and entry.test_images:
        accuracy = ngettext(
            "tested on {count:,} image",
            "tested on {count:,} images",
            entry.test_images,
        )
    elif entry.test_accuracy is not None:
        share = plots.measured_share(entry.test_accuracy)
        accuracy = ngettext(
            "test accuracy {accuracy} ({count:,} image)",
            "test accuracy {accuracy} ({count:,} images)",
            entry.test_images,
            accuracy=share,
        )
    if entry.test_of:
        title = _("external test, {title}", title=title)
    return f"{folder} · {title} · {accuracy} · {day_and_time(entry.run.id)}"


def distinct_labels(labels: Mapping[str, str], widest: int) -> dict[str, str]:
    """Labels that fit into a list, told apart also where what differs was cut.

    What a model is, its data set and recipe, is cut last. Before it goes its date where
    no other model of the list is called the same, and then its accuracy; where another
    is, its accuracy alone.

    Args:
        labels: Run -> label, as from `model_label`.
        widest: As for `cut_in_the_middle`.
    """
    if is_phone():
        widest = min(widest, _ON_A_PHONE)
    cut = _shortened(labels, widest)
    # What tells namesakes apart needs room, too: it stands at the end, behind the date.
    times, room = Counter(cut.values()), widest - _SIGN
    cut = {
        run: label if times[label] == 1 else _shortened(labels, room)[run]
        for run, label in cut.items()
    }
    return disambiguate(cut, lambda run: run[-6:])


def _shortened(labels: Mapping[str, str], widest: int) -> dict[str, str]:
    namesakes = Counter(label.rsplit(_PART, 2)[0] for label in labels.values())
    return {
        run: _short(label, widest, alone=namesakes[label.rsplit(_PART, 2)[0]] == 1)
        for run, label in labels.items()
    }


def _short(label: str, widest: int, alone: bool) -> str:
    """A label without what there is no room for; alone where no other is called so."""
    parts = label.rsplit(_PART, 2)
    if _letters(label) <= widest or len(parts) < 3:
        return cut_in_the_middle(label, widest)
    name, accuracy, date = parts
    judged, dated = f"{name}{_PART}{accuracy}", f"{name}{_PART}{date}"
    if alone and _letters(judged) <= widest:
        return judged
    if _letters(dated) <= widest:
        return dated
    if alone:
        return cut_in_the_middle(name, widest)
    folder, _part, title = name.rpartition(_PART)
    end = f"…{_PART}{title}{_PART}{date}"
    head = _fitting(folder, widest - _letters(end))
    if len(head) < _LEAST_OF_A_NAME:
        return cut_in_the_middle(dated, widest)
    return head + end


def cut_in_the_middle(label: str, widest: int) -> str:
    """A label whose end, the date and what tells namesakes apart, is always seen.

    Args:
        label: As from `model_label`.
        widest: Letters that there is room for; a Chinese one is wider than two.
    """
    if _letters(label) <= widest:
        return label
    # A Chinese date is shorter: not more than it is kept.
    end = min(len(label) - max(label.rfind(" · "), 0), _END)
    head, tail = label[:-end], label[-end:]
    return f"{_fitting(head, widest - 1 - _letters(tail))}…{tail}"


def _fitting(head: str, room: float) -> str:
    """As much of a text's beginning as there is room for, without loose ends."""
    while head and _letters(head) > room:
        head = head[:-1]
    return head.rstrip(" ·,")


def _letters(text: str) -> float:
    return sum(2.2 if east_asian_width(each) in "WF" else 1 for each in text)


def _title_without_folder(config: TrainConfig) -> str:
    recipe, place = config.recipe_title, f" on {Path(config.dataset).name}"
    title = config.said_name.replace(place if config.dataset else "", "", 1) or recipe
    if config.folds > 1:
        title = _(
            "{title}, fold {fold} of {folds}",
            title=title,
            fold=config.fold,
            folds=config.folds,
        )
    return f"{title}, {recipe}" if config.name and config.recipe in RECIPES else title


def day_and_time(run_id: str) -> str:
    """When a run was submitted, from its id: `28 Nov 2026, 23:28`."""
    moment = datetime.strptime(run_id[:13], "%Y%m%d-%H%M")
    return _("{day}, {time}", day=format_date(moment), time=moment.strftime("%H:%M"))


def _say_why_missing(linked: str) -> None:
    """Why the run of a link cannot be shown, and what to do."""
    try:
        run = store().get(linked)
        state = run.status.state
    except RunError:
        st.error(
            _(
                "The link names a run that is not here any more, or never was. "
                "Choose a model above."
            ),
            icon=":material/link_off:",
        )
        return
    if run.config.segments:
        text = _(
            "The run of this link, {run}, is a segmentation: this page is for models "
            "that classify. Choose one above.",
            run=plain(run.title),
        )
    elif run.config.multi_label:
        text = _(
            "The run of this link, {run}, finds several findings on one image: this "
            "page is for models that give an image one class. Choose one above.",
            run=plain(run.title),
        )
    elif state.active:
        text = _(
            "The run of this link, {run}, is not finished yet: it has no model to ask. "
            "Choose another above.",
            run=plain(run.title),
        )
    elif state is RunStatus.FAILED:
        text = _(
            "The run of this link, {run}, failed before it had a model. Choose another "
            "above.",
            run=plain(run.title),
        )
    else:
        text = _(
            "The run of this link, {run}, has no model. Choose another above.",
            run=plain(run.title),
        )
    st.error(text, icon=":material/link_off:")
    st.page_link(
        RUNS,
        label=_("Open its page"),
        icon=":material/monitoring:",
        query_params={"run": run.id},
    )
