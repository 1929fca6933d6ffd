"""Testing a finished model on another folder with the same classes."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from medmodel.core.environment import data_roots
from medmodel.data import folders
from medmodel.data.datasets import load_index
from medmodel.data.segmentation.pairs import image_masks
from medmodel.evaluation import external_validation
from medmodel.language import _, ngettext, translate
from medmodel.reports.multi_label.facts import mean_sentence
from medmodel.reports.segmentation.facts import dice_of_classes
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.status import RunStatus
from pages._shared.common import run_cache, widgets
from pages._shared.common.glossary import meaning
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import STATE_TITLES, ago, duration, plain
from pages._shared.evaluation import segmentation_cache
from pages._shared.multi_label.evaluation_cache import findings_of

_LISTED = 5
_IN_A_ROW = 4


def show_external_test(run: Run) -> None:
    """Chooses the folder and its classes, starts the test, links to the result."""
    if run.tested_model:
        _lead_to_model(run)
        return
    _introduce(run)
    tests = external_validation.external_tests(run, widgets.store())
    if any(test.status.state.active for test in tests):
        _watch_tests(run)
    else:
        _show_tests(tests)
    _offer_test(run)


def _introduce(run: Run) -> None:
    """What a test elsewhere is."""
    st.markdown(
        _(
            "How good is it **elsewhere**? Every readable image of another "
            "folder that has a mask becomes a test image. The test is a run of its "
            "own, to evaluate and to compare; you may leave while it works."
        )
        if run.config.segments
        else _(
            "How good is it **elsewhere**? Every readable image of another "
            "folder becomes a test image. The test is a run of its own, to "
            "evaluate and to compare; you may leave while it works."
        ),
        help=meaning("external validation"),
    )


def _offer_test(run: Run) -> None:
    """Asks for the folder and its classes, and starts the test."""
    datasets = [
        folder
        for root in data_roots()
        for folder in folders.subfolders(root)
        if str(folder) != run.config.dataset
    ]
    if not datasets:
        widgets.empty_state(
            _(
                "There is no other data set on this server yet. Bring one in, then "
                "it can be chosen here."
            ),
            widgets.DATASETS,
            _("Data sets"),
        )
        return
    names = widgets.folder_names(map(str, datasets))
    folder = st.selectbox(
        _("Folder"),
        datasets,
        # What nobody chose is not read: it may be large, and fit no model of this kind.
        index=0 if len(datasets) == 1 else None,
        placeholder=_("Choose a folder"),
        format_func=lambda path: names[str(path)],
        # The key keeps the choice when another folder appears in the list.
        key=f"folder-there-{run.id}",
    )
    if folder is None:
        return
    with errors_shown():
        if load_index(folder) is None:
            st.caption(_("Not checked yet: its images are checked before the test."))
        segments = run.config.segments
        mapping = {} if segments else _ask_for_classes(run, folder)
        ready = _has_masks(str(folder)) if segments else any(mapping.values())
        if not ready and segments:
            st.caption(
                _(
                    "It has no segmentation masks: choose a folder with images and "
                    "masks of the same names."
                )
            )
        elif not ready:
            st.caption(
                _("Say which finding there counts as which finding of this model.")
                if run.config.multi_label
                else _("Say which class there counts as which class of this model.")
            )
        if st.button(_("Test it there"), type="primary", disabled=not ready):
            external_validation.submit(run, folder, mapping, widgets.store())
            st.rerun()


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def _has_masks(folder: str) -> bool:
    return bool(image_masks(Path(folder)))


def _lead_to_model(test: Run) -> None:
    st.info(_("This is an external test already; its model can be tested on others."))
    model = external_validation.model_run(test, widgets.store())
    if model is not None and st.button(
        _("Evaluate {title}", title=plain(model.title)), icon=":material/query_stats:"
    ):
        _evaluate(model)


def _evaluate(run: Run) -> None:
    # The page's own choices would win over the address.
    for key in ("run", "view"):
        st.session_state.pop(key, None)
    st.switch_page(widgets.EVALUATE, query_params={"run": run.id})


def _ask_for_classes(run: Run, folder: Path) -> dict[str, str]:
    classes = external_validation.classes_there(run, folder)
    class_names = run.model_facts.class_names
    guessed = external_validation.match_classes(class_names, classes)
    mapping = {}
    places: list[DeltaGenerator] = []
    for name in classes:
        # Row by row: on a phone, columns stand below each other.
        places = places or st.columns(min(len(classes), _IN_A_ROW))
        mapping[name] = places.pop(0).selectbox(
            _("{name} counts as", name=plain(name)),
            ["", *class_names],
            index=["", *class_names].index(guessed[name]),
            format_func=lambda known: known or _("left out"),
            key=f"class-there-{folder}-{name}",
        )
    return mapping


@st.fragment(run_every=1.0)
def _watch_tests(run: Run) -> None:
    tests = external_validation.external_tests(run, widgets.store())
    if not any(test.status.state.active for test in tests):
        # Before anything is drawn: a button would be gone before it could be pressed.
        st.rerun()
    _show_tests(tests)


def _show_tests(tests: list[Run]) -> None:
    for test in tests[:_LISTED]:
        with st.container(border=True), errors_shown():
            _show_test(test)
    if len(tests) > _LISTED:
        st.caption(
            ngettext(
                "{count} earlier test is among the runs.",
                "{count} earlier tests are among the runs.",
                len(tests) - _LISTED,
            )
        )


def _show_test(test: Run) -> None:
    status = test.status
    where = plain(widgets.folder_name(test.config.dataset))
    running = status.state is RunStatus.RUNNING
    state = _("Testing") if running else _(STATE_TITLES[status.state])
    st.markdown(
        _(
            "**{dataset}** :gray[{state}, submitted {when}]",
            dataset=where,
            state=state,
            when=ago(status.created),
        )
    )
    if status.state.active:
        show_progress(test)
        if st.button(_("Stop"), icon=":material/stop_circle:", key=f"stop-{test.id}"):
            queue.stop(test)
            st.rerun()
    elif status.state is RunStatus.DONE:
        st.markdown(plain(_result(test)))
        st.caption(plain(str(run_cache.copies(test))))
        if st.button(
            _("Open the result"), icon=":material/query_stats:", key=f"open-{test.id}"
        ):
            _evaluate(test)
    else:
        if status.failure:
            st.error(plain(translate(status.failure.message)), icon=":material/error:")
        if st.button(_("Resume"), icon=":material/resume:", key=f"resume-{test.id}"):
            queue.resume(test, widgets.store())
            st.rerun()


def _result(test: Run) -> str:
    """Accuracy, Dice of a segmentation, mean AUC of findings; with interval and n."""
    if test.config.segments:
        dice = dice_of_classes(segmentation_cache.evaluation(test))
        return _("Mean Dice of {dice}", dice=dice)
    if test.config.multi_label:
        return mean_sentence(findings_of(test).evaluation)
    accuracy = run_cache.evaluation(test).accuracy.with_n
    return _("Accuracy {accuracy}", accuracy=accuracy)


def show_progress(test: Run) -> None:
    """How far a test that waits or works is."""
    status = test.status
    share = status.done / status.total if status.total else 0.0
    left = status.seconds_left
    text = plain(translate(status.message))
    if left and left >= 1:
        time_left = _("About {duration} left.", duration=duration(left))
        text = f"{text} {time_left}"
    st.progress(min(share, 1.0), text)
