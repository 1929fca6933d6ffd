"""Pictures in, every class's probability out, and where the network looked."""

from __future__ import annotations

import streamlit as st

from medmodel.core.errors import MedModelError
from medmodel.reports import plots
from medmodel.runs import run_index, run_table
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.consent import ask_consent
from pages._shared.common.image_view import SIDE, show_picture
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation.evaluation_view import evaluated
from pages._shared.prediction.assurance_view import (
    calibrated_scores,
    may_show_scores,
    show_set,
    show_similar,
)
from pages._shared.prediction.case_table import choose_case
from pages._shared.prediction.cases import (
    MOST_IMAGES,
    Case,
    pixels_of,
    refused,
    test_samples,
    uploaded,
)
from pages._shared.prediction.prediction_cache import scores_of, starting, warm
from pages._shared.prediction.prediction_view import (
    bar_order,
    show_pictures,
    show_scores,
)
from pages._shared.prediction.scan_view import choose_frame
from pages._shared.prediction.several_models_view import Answer, places, show_heatmaps
from pages._shared.prediction.verdict_view import show_verdict

SAMPLES = "sample-pictures"
OTHERS = "other-runs"
MOST_MODELS = 4
# So many models also say how sure they are; more are for a glance.
_CLOSELY = 2
FILES = "uploaded-pictures"


def get_cases(run: Run) -> list[Case]:
    """The pictures to look at: uploaded ones, else samples if they were asked for."""
    files = st.file_uploader(
        "Pictures: drop, choose or paste one or many",
        accept_multiple_files=True,
        key=FILES,
        on_change=lambda: st.session_state.pop(SAMPLES, None),
    )
    if len(files) > MOST_IMAGES:
        st.warning(
            f"{len(files)} pictures were dropped; the first {MOST_IMAGES} are shown. "
            "Drop the others afterwards."
        )
    first = run.model_facts.preprocessing
    cases = uploaded(files[:MOST_IMAGES], first)
    if not files and st.session_state.get(SAMPLES):
        cases = test_samples(run, first)
        st.info(
            f"{len(cases)} images from this run's test split, whose labels are known.",
            icon=":material/science:",
        )
    return cases


def show_refused() -> None:
    """One sentence for each file that could not be read."""
    sentences = [plain(case.reason) for case in refused()]
    if sentences:
        st.warning("\n".join(f"* {x}" for x in sentences[:4]))
    if len(sentences) > 4:
        with st.expander(f"{len(sentences) - 4} more files could not be read"):
            st.markdown("\n".join(f"* {x}" for x in sentences[4:]))


def show_empty(run: Run) -> None:
    """What will be here, and one click that shows it."""
    with st.container(border=True):
        st.markdown(
            "**No picture yet.** Here will stand the probability of every class, the "
            "picture beside what the model sees of it, and where the network looked."
        )
        if st.button("Try 3 images from this run's test split", type="primary"):
            st.session_state[SAMPLES] = True
            st.rerun()


def other_runs(run: Run) -> list[Run]:
    """The models that answer beside the first one, as many as were asked for."""
    entries = run_index.finished(widgets.store())
    found = {e.run.id: e.run for e in entries if e.run.id != run.id}
    if not found:
        return []
    names = run_table.distinct_names(entries)
    # A run may have been deleted since, or become the first one.
    kept = [run_id for run_id in st.session_state.get(OTHERS, []) if run_id in found]
    st.session_state[OTHERS] = kept
    chosen = st.multiselect(
        "Beside it",
        list(found),
        format_func=names.__getitem__,
        max_selections=MOST_MODELS - 1,
        placeholder=f"Up to {MOST_MODELS - 1} other models",
        key=OTHERS,
    )
    return [found[run_id] for run_id in chosen]


def show_model_line(run: Run) -> None:
    """How good the chosen model was on its test split, in one line."""
    try:
        found = evaluated(run)
    except MedModelError:
        st.caption("This model was not tested on a test split.")
        return
    st.caption(
        f"On its own test split: accuracy {plain(found.accuracy)}, "
        f"n \\= {found.images:,}; always guessing {plain(found.majority)} gives "
        f"{found.baseline.value:.3f}."
    )


def show_case(runs: list[Run], cases: list[Case]) -> None:
    """The chosen picture through one model, or several side by side."""
    names = [name for run in runs for name in run.model_facts.class_names]
    colours = plots.class_colours(list(dict.fromkeys(names)))
    waiting = "Asking the model …"
    if starting():
        waiting = "Waking the model: some seconds the first time …"
    with st.spinner(waiting):
        scores = [scores_of(run, cases) for run in runs]
    chosen = 0
    if len(cases) > 1:
        table, _ = calibrated_scores(runs[0], scores[0])
        chosen = choose_case(runs[0], cases, table, refused())
    case = choose_frame(cases[chosen])
    if case is not cases[chosen]:
        chosen, scores = 0, [scores_of(run, [case]) for run in runs]
    if case.label:
        st.markdown(f"Label in the data set: **{plain(case.label)}**")
    shown: list[str] = []
    believed: list[Answer] = []
    for column, run, rows in zip(places(len(runs)), runs, scores, strict=True):
        with column:
            if len(runs) > 1:
                st.markdown(f":gray[{plain(run.title)}]")
            if not may_show_scores(run, case):
                continue
            (told, *_), meaning = calibrated_scores(run, rows[[chosen]])
            order = bar_order(run, told, shown)
            shown = shown or [run.model_facts.class_names[i] for i in order]
            show_scores(run, case, told, colours, order)
            st.caption(meaning)
            if len(runs) <= _CLOSELY:
                show_verdict(run, case)
                show_set(run, case)
            believed.append(Answer(run.title, run, case, told))
    if len(runs) > 1 and believed:
        show_heatmaps(believed)
    elif believed:
        show_pictures(run, case, believed[0].scores)
    else:
        with st.container(width=SIDE):
            show_picture(pixels_of(case), f"{case.name}, {case.about}", "The picture")
    if len(runs) > 1:
        st.markdown(f":gray[{plain(runs[0].title)}]")
    show_similar(runs[0], case)


def show() -> None:
    widgets.page_header(
        "Diagnose", "Drop a picture and see what a trained model makes of it."
    )
    if not ask_consent("diagnose"):
        return
    models, pictures = st.columns(2, gap="large")
    with models:
        run = widgets.pick_run()
    if run is None:
        widgets.empty_state(
            "No model yet. When a run has ended, it answers here about your pictures.",
            widgets.TRAIN,
            "Train a model",
        )
        return
    warm(run)
    with pictures:
        cases = get_cases(run)
    with models:
        show_model_line(run)
        others = other_runs(run) if cases else []
    show_refused()
    if cases:
        show_case([run, *others], cases)
    else:
        show_empty(run)


with errors_shown():
    show()
