"""One picture and what a model makes of it: bars, what it saw, where it looked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from medmodel.core.errors import MedModelError
from medmodel.evaluation.calibration import stored_temperature
from medmodel.imaging.images import Pixels
from medmodel.predictor import METHODS, ExplainOptions
from medmodel.reports import plots
from medmodel.runs.run import Run
from pages._shared.common.charts import show_figure
from pages._shared.common.image_view import SIDE, show_picture
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case, pixels_of, prepared
from pages._shared.prediction.prediction_cache import heatmap_of, is_explained
from pages._shared.prediction.scan_view import show_scan

_FIRST_CLASSES = 8
# About as long as the map's own caption, so that nothing below moves.
_EXPLAINING = (
    "The heat map is being computed. Until it is there, this is the picture without it."
)


def show_scores(
    run: Run,
    case: Case,
    scores: NDArray[np.float32],
    colours: Mapping[str, str],
    order: NDArray[np.intp],
) -> None:
    """The first choice in words, then a bar for every class.

    Args:
        run: The model's run.
        case: The picture.
        scores: Probabilities, shape `(classes,)`.
        colours: One for each class.
        order: Positions of the classes from the top, shape `(classes,)`.
    """
    first = int(scores.argmax())
    # The sign stays beside its number where a line ends.
    share = plots.per_cent(float(scores[first])).replace(" ", "\N{NO-BREAK SPACE}")
    name = run.model_facts.class_names[first]
    st.markdown(f"### Model's first choice: {plain(name)} ({plain(share)})")
    key = f"bars-{run.id}-{case.key}"
    _show_bars(run, order[:_FIRST_CLASSES], scores, colours, key)
    rest = order[_FIRST_CLASSES:]
    if len(rest):
        together = plots.per_cent(float(scores[rest].sum()))
        title = f"{len(rest)} more classes, {together} together"
        with st.expander(plain(title)):
            _show_bars(run, rest, scores, colours, f"{key}-rest")


def say_uncalibrated(runs: Sequence[Run]) -> None:
    """Says that scores are those before calibration, where Diagnose shows others."""
    if any(stored_temperature(run) is not None for run in runs):
        st.caption(
            "Scores as the models give them, before calibration, like all numbers "
            "here; Diagnose shows calibrated ones."
        )


def bar_order(
    run: Run, scores: NDArray[np.float32], example: Sequence[str]
) -> NDArray[np.intp]:
    """Positions of the classes from the top: by score, or as in another model.

    Args:
        run: The model's run.
        scores: Probabilities, shape `(classes,)`.
        example: The other model's classes in the order of its bars.

    Returns:
        Positions, shape `(classes,)`. As in the example where both models have the
        same few classes, so that bars stand side by side.
    """
    classes = run.model_facts.class_names
    if set(classes) == set(example) and len(classes) <= _FIRST_CLASSES:
        return np.array([classes.index(name) for name in example], np.intp)
    return np.argsort(-scores, kind="stable")


def show_pictures(run: Run, case: Case, scores: NDArray[np.float32]) -> None:
    """The picture as uploaded, what the model sees, and its heat map."""
    seen = prepared(case, run.model_facts.preprocessing)
    left, middle, right = st.columns(3, gap="medium")
    with left:
        title = "As in the data set" if case.label else "As uploaded"
        if case.scan:
            show_scan(case, title)
        else:
            st.markdown(f"**{title}**")
            show_picture(pixels_of(case), f"{case.name}, {case.about}", "The picture")
    with middle:
        size = f"{seen.shape[1]} × {seen.shape[0]} pixels"
        colour = "grey" if seen.shape[2] == 1 else "colour"
        st.markdown("**What the model sees**")
        automatic = run.model_facts.preprocessing.window == "auto"
        window = case.seen if automatic else ""
        caption = ", ".join(filter(None, [size, colour, window]))
        show_picture(seen, caption, "The picture as the model sees it")
    with right:
        _show_heatmap(run, case, seen, scores)


@st.fragment
def _show_heatmap(
    run: Run, case: Case, seen: Pixels, scores: NDArray[np.float32]
) -> None:
    """The overlay with its two controls; only this part reruns when they move."""
    st.markdown("**Where it looked**")
    picture = st.container()
    # Of the map's size from the beginning: controls below must not move under a hand.
    slot = picture.empty()
    classes = run.model_facts.class_names
    position = st.selectbox(
        "Evidence for",
        [int(i) for i in np.argsort(-scores, kind="stable")],
        format_func=lambda i: f"{classes[i]} ({plots.per_cent(float(scores[i]))})",
        key=f"evidence-{run.id}-{case.key}",
    )
    opacity = st.slider(
        "Opacity of the heat map",
        0,
        100,
        60,
        5,
        format="%d %%",
        key=f"opacity-{run.id}",
        persist_state="session",
    )
    method = st.selectbox(
        "Method",
        list(METHODS),
        format_func=lambda name: METHODS[name],
        key=f"method-{run.id}",
        persist_state="session",
        help="Grad-CAM and HiResCAM read the last layers that still know a place. "
        "Occlusion hides one square after the other. Integrated gradients add up what "
        "each pixel does on the way from black to the picture.",
    )
    shuffled = st.toggle(
        "With shuffled weights",
        key=f"shuffled-{run.id}",
        help="A test of the map: it must change when all that the network has learned "
        "is shuffled. A map that stays shows the picture, not what was learned.",
    )
    with picture, errors_shown():
        how = ExplainOptions(method, shuffled)
        if not is_explained(run, case, position, how):
            _hold(slot, seen)
        heat = _heat(run, case, position, how, slot)
        laid = plots.overlay(plots.enlarged(seen, SIDE), heat, opacity / 100)
        with slot:
            show_picture(
                laid,
                plots.heatmap_caption(heat, classes[position]),
                f"Heat map for {classes[position]} laid over the picture",
            )
        if shuffled:
            learned = heatmap_of(run, case, position, ExplainOptions(method))
            st.markdown(shuffled_words(heat, learned))


def _hold(slot: DeltaGenerator, seen: Pixels) -> None:
    with slot:
        show_picture(seen, _EXPLAINING, "The picture, not explained yet", True)


def _heat(
    run: Run, case: Case, position: int, how: ExplainOptions, slot: DeltaGenerator
) -> NDArray[np.float32]:
    try:
        return heatmap_of(run, case, position, how)
    except MedModelError:
        slot.empty()
        raise


def shuffled_words(shuffled: NDArray[np.float32], learned: NDArray[np.float32]) -> str:
    """How much the map of shuffled weights is like that of the trained model."""
    from scipy.stats import spearmanr

    begin = "The map with **shuffled weights**"
    if not np.ptp(learned):
        return f"{begin}. The trained model's is empty: there is nothing to compare."
    if not np.ptp(shuffled):
        return f"{begin} is empty: what the trained model shows, it has learned."
    alike = spearmanr(learned[::2, ::2].ravel(), shuffled[::2, ::2].ravel())[0]
    return (
        f"{begin}: its rank correlation with that of the trained model is {alike:.2f}. "
        "Near 0, the map shows what was learned; near 1, only the picture."
    )


def _show_bars(
    run: Run,
    order: NDArray[np.intp],
    scores: NDArray[np.float32],
    colours: Mapping[str, str],
    key: str,
) -> None:
    names = [run.model_facts.class_names[i] for i in order]
    numbers = [plots.per_cent(float(scores[i])) for i in order]
    show_figure(
        plots.probability_bars(names, scores[order], colours),
        key=key,
        alt="; ".join(f"{n}: {v}" for n, v in zip(names, numbers, strict=True)),
        download=False,
    )
