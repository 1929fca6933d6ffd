"""Testing a finished model on another folder with the same classes."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medmodel import audit, external, folders
from medmodel.config import data_roots
from medmodel.datasets import index_dataset, load_index
from medmodel.predictor import shared
from medmodel.runs import Run
from pages._shared import widgets
from pages._shared.widgets import errors_shown
from pages._shared.words import plain


def show_external_test(run: Run) -> None:
    """Chooses the folder and its classes, starts the test, links to the result."""
    own = external.tested_elsewhere(run)
    if own:
        st.info("This is an external test already; choose its model to test another.")
        return
    st.markdown(
        "How good is it **elsewhere**? Every readable image of another folder becomes "
        "a test image. The result is a run of its own, to evaluate and to compare."
    )
    _show_attempt(run)
    found = [
        folder
        for root in data_roots()
        for folder in folders.subfolders(root)
        if str(folder) != run.config.dataset and load_index(folder) is not None
    ]
    if not found:
        widgets.empty_state(
            "No other data set was checked yet. Open one once, then it can be chosen "
            "here.",
            widgets.DATASETS,
            "Data sets",
        )
        return
    folder = st.selectbox(
        "Folder", found, format_func=lambda path: widgets.folder_name(str(path))
    )
    with errors_shown():
        mapping = _ask_for_classes(run, folder)
        ready = any(mapping.values())
        attempt = external.attempt_of(run)
        busy = attempt is not None and attempt.working
        if st.button("Test it there", type="primary", disabled=busy or not ready):
            asked = {name: own for name, own in mapping.items() if own}
            external.start(
                run,
                folder,
                asked,
                widgets.store(),
                lambda images: shared().ask(run.id, images).scores,
            )
            audit.record("external_test", run=run.id, dataset=str(folder))
            st.rerun()


def _ask_for_classes(run: Run, folder: Path) -> dict[str, str]:
    index = load_index(folder) or index_dataset(folder)
    own = run.model_facts.class_names
    guessed = external.guessed_mapping(own, index.classes)
    found = {}
    columns = st.columns(min(len(index.classes), 4))
    for at, name in enumerate(index.classes):
        found[name] = columns[at % len(columns)].selectbox(
            f"{plain(name)} counts as",
            ["", *own],
            index=["", *own].index(guessed[name]),
            format_func=lambda known: known or "left out",
            key=f"class-there-{folder}-{name}",
        )
    return found


@st.fragment(run_every=1.0)
def _show_attempt(run: Run) -> None:
    attempt = external.attempt_of(run)
    if attempt is None:
        return
    if attempt.working:
        share = attempt.done / attempt.total if attempt.total else 0.0
        said = f"{attempt.done:,} of {attempt.total:,} images"
        st.progress(share, said if attempt.total else "Checking the images …")
    elif attempt.error:
        st.error(plain(attempt.error), icon=":material/error:")
    elif st.button("Open the result", icon=":material/query_stats:", type="primary"):
        for key in ("run", "view"):
            st.session_state.pop(key, None)
        st.switch_page(widgets.EVALUATE, query_params={"run": attempt.run})
