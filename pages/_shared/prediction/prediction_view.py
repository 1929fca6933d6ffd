"""Probability bars, model input and heat map of one image through one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from medmodel.core.errors import MedModelError, value_or_problem
from medmodel.evaluation.calibration.temperature_scaling import (
    Temperature,
    stored_temperature,
)
from medmodel.imaging.images import model_input_area
from medmodel.imaging.untrusted import DataFile
from medmodel.language import N_, _, ngettext, translate
from medmodel.predictor import METHODS, ExplainOptions, methods_of
from medmodel.reports import plots
from medmodel.runs.run import Run
from pages._shared.common.answer import show_answer
from pages._shared.common.charts import show_figure
from pages._shared.common.glossary import meaning
from pages._shared.common.image_view import SIDE, show_image
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case, pixels_of, size_of
from pages._shared.prediction.image_viewer import Layer, show_viewer
from pages._shared.prediction.map_regions_view import (
    choose_threshold,
    find_regions,
    is_cut,
    show_regions,
)
from pages._shared.prediction.measurements import CaseMeasurer, show_downloads
from pages._shared.prediction.prediction_cache import Answer, heatmap_of, is_explained
from pages._shared.prediction.scan_view import opened_scan, windowed_values

_FIRST_CLASSES = 8
_MAP = N_("Saliency map")
NO_OUTLINE = N_("Not a lesion's outline")
"""Within the map: what stands below it may lie below the first screen."""
# About as long as the map's own caption, so that nothing below moves.
_EXPLAINING = N_(
    "The heat map is being computed. Until it is there, this is the image without it."
)


def show_probabilities(
    answer: Answer, colours: Mapping[str, str], order: NDArray[np.intp]
) -> None:
    """The predicted class in words, then a bar for every class; see `show_bars_of`."""
    show_prediction(answer)
    show_bars_of(answer, colours, order)


def show_prediction(answer: Answer) -> None:
    """The predicted class with its probability, large."""
    show_answer(answer.predicted_sentence)
    if answer.decision:
        st.caption(plain(answer.decision))


def show_bars_of(
    answer: Answer, colours: Mapping[str, str], order: NDArray[np.intp]
) -> None:
    """A bar for every class.

    Args:
        answer: The model's answer to the image.
        colours: One for each class.
        order: Positions of the classes from the top, shape `(classes,)`.
    """
    probabilities = answer.probabilities
    _show_bars(
        answer,
        order[:_FIRST_CLASSES],
        colours,
        f"bars-{answer.run.id}-{answer.case.key}",
    )
    rest = order[_FIRST_CLASSES:]
    if len(rest):
        together = plots.per_cent(float(probabilities[rest].sum()))
        title = ngettext(
            "{count} more class, {share} together",
            "{count} more classes, {share} together",
            len(rest),
            share=together,
        )
        with st.expander(plain(title)):
            _show_bars(
                answer, rest, colours, f"bars-{answer.run.id}-{answer.case.key}-rest"
            )


def calibration_sentence(temperature: Temperature | None) -> str:
    """What the probabilities mean, given what the model is calibrated with."""
    if temperature is None:
        return _(
            "A model's score for each class on this image; not calibrated: "
            "80 % does not mean right in 80 of 100 such cases."
        )
    return _(
        "A model's score for each class on this image; calibrated on "
        "{images:,} validation images (temperature {temperature:.2f}): of such "
        "cases with 80 %, about 80 of 100 should be right.",
        images=temperature.images,
        temperature=temperature.value,
    )


def say_uncalibrated(runs: Sequence[Run]) -> None:
    """Says that scores are those before calibration, where Diagnose shows others."""
    temperatures = (value_or_problem(stored_temperature, run)[0] for run in runs)
    if any(temperature is not None for temperature in temperatures):
        st.caption(
            _(
                "Scores as the models give them, before calibration, like all "
                "numbers here; Diagnose shows calibrated ones."
            )
        )


def bar_order(answer: Answer, example: Sequence[str] = ()) -> NDArray[np.intp]:
    """Positions of the classes from the top: by probability, or as in another model.

    Args:
        answer: The model's answer.
        example: The other model's classes in the order of its bars.

    Returns:
        Positions, shape `(classes,)`. As in the example where both models have the
        same few classes, so that bars stand side by side.
    """
    classes = answer.classes
    if set(classes) == set(example) and len(classes) <= _FIRST_CLASSES:
        return np.array([classes.index(name) for name in example], np.intp)
    return np.argsort(-answer.probabilities, kind="stable")


@st.fragment
def show_original(case: Case) -> None:
    """The image alone in the viewer, as uploaded or as it lies in the data set.

    What is drawn on it is measured without the rest of the page.
    """
    try:
        image = viewed(case)
        show_viewer(**image, measurer=CaseMeasurer(case, image["size"]))
        show_downloads(case, image["size"])
    except MedModelError as error:
        st.error(plain(translate(str(error))))


def show_unanswered(case: Case, reason: str) -> None:
    """The image of which the model said nothing, below the reason.

    Args:
        case: The image.
        reason: Why there is no answer, one sentence.
    """
    st.error(plain(translate(reason)), icon=":material/error:")
    with st.columns([2, 1.4], gap="medium")[0]:
        show_original(case)


def viewed(case: Case) -> dict[str, Any]:
    """The image as the arguments of `show_viewer`.

    Raises:
        ImageError: The file cannot be read any more.
    """
    values = None
    if case.windowed:
        scan = opened_scan(case)
        pixels, size = scan.decoded.pixels, (scan.width, scan.height)
        values = windowed_values(scan.decoded, f"values-{case.key}")
    else:
        pixels, size = pixels_of(case), size_of(case)
    of_dataset = isinstance(case.source, DataFile)
    title = _("As in the data set") if of_dataset else _("As uploaded")
    caption = f"{case.name}, {case.file.text}"
    layer = Layer(title, caption, _("The image"), pixels)
    return {"layers": [layer], "size": size, "key": case.key, "values": values}


def show_model_input(answer: Answer) -> None:
    """What the model sees of the image."""
    pixels = answer.pixels
    size = _("{width} × {height} pixels", width=pixels.shape[1], height=pixels.shape[0])
    colour = _("grey") if pixels.shape[2] == 1 else _("colour")
    st.markdown(_("**Model input**"), help=meaning("preprocessing"))
    automatic = answer.preprocessing.window == "auto"
    window = translate(answer.case.seen) if automatic else ""
    caption = ", ".join(filter(None, [size, colour, window]))
    show_image(pixels, caption, _("The image as the model sees it"))


@st.fragment
def show_saliency(answer: Answer) -> None:
    """The image and its saliency map in one viewer; only this part reruns.

    Below them what the model sees of the image, and the map's controls.
    """
    place = st.container()
    left, right = st.columns(2, gap="medium")
    with left:
        show_model_input(answer)
    with right:
        position, opacity, options = _saliency_controls(answer)
        threshold = choose_threshold(answer.run)
    with place, errors_shown():
        image = viewed(answer.case)
        slot = st.empty()
        heatmap = _heatmap(answer, position, options, slot, image)
        enlarged = plots.enlarged(answer.pixels, SIDE)
        name = answer.classes[position]
        layer = Layer(
            _(_MAP),
            plots.heatmap_caption(heatmap, name),
            _("Heat map for {name} laid over the image", name=name),
            plots.overlay(enlarged, heatmap, opacity / 100),
            warning=_(NO_OUTLINE),
        )
        size = image["size"]
        regions = find_regions(answer, heatmap, threshold, size)
        measurer = CaseMeasurer(answer.case, size, regions)
        with slot:
            show_viewer(**with_map(answer, image, layer), measurer=measurer)
        show_downloads(answer.case, size)
        show_regions(answer, regions, threshold, size)
        if options.randomised:
            learned = heatmap_of(answer, position, ExplainOptions(options.method))
            st.markdown(shuffled_words(heatmap, learned))


def _saliency_controls(answer: Answer) -> tuple[int, int, ExplainOptions]:
    """Which class's map is shown, its opacity in per cent, and how it is made."""
    run, classes, probabilities = answer.run, answer.classes, answer.probabilities
    position = st.selectbox(
        _("Finding shown") if run.config.multi_label else _("Class shown"),
        [int(i) for i in np.argsort(-probabilities, kind="stable")],
        format_func=lambda i: (
            f"{classes[i]} ({plots.per_cent(float(probabilities[i]))})"
        ),
        key=f"evidence-{answer.run.id}-{answer.case.key}",
        help=meaning("heat map, saliency map"),
    )
    opacity = st.slider(
        _("Opacity of the saliency map"),
        0,
        100,
        60,
        5,
        format="%d %%",
        key=f"opacity-{run.id}",
        persist_state="session",
    )
    method = st.selectbox(
        _("Method"),
        methods_of(run.model_facts),
        format_func=lambda name: _(METHODS[name]),
        key=f"method-{run.id}",
        persist_state="session",
        help=_(
            "Grad-CAM and HiResCAM read the last layers that still know a "
            "place. Occlusion hides one square after the other. Integrated "
            "gradients add up what each pixel does on the way from black to "
            "the image."
        ),
    )
    if not run.model_facts.heatmap_layers:
        st.caption(_("This model gives no gradients: its maps are made by occlusion."))
    shuffled = bool(run.model_facts.heatmap_layers) and st.toggle(
        _("With shuffled weights"),
        key=f"shuffled-{run.id}",
        help=_(
            "A test of the map: it must change when all that the network has "
            "learned is shuffled. A map that stays shows the image, not what "
            "was learned."
        ),
    )
    return position, opacity, ExplainOptions(method, shuffled)


def with_map(
    answer: Answer, image: Mapping[str, Any], map_layer: Layer
) -> dict[str, Any]:
    """The image and, where the model saw it, the map: arguments of `show_viewer`."""
    preprocessing = answer.preprocessing
    width, height = image["size"]
    area = model_input_area(width, height, preprocessing.size, preprocessing.fit)
    layers = [*image["layers"], replace(map_layer, area=area)]
    return {**image, "layers": layers, "aligned": not is_cut(answer)}


def _heatmap(
    answer: Answer,
    position: int,
    options: ExplainOptions,
    slot: DeltaGenerator,
    image: Mapping[str, Any],
) -> NDArray[np.float32]:
    """The heat map; until it is there the slot shows the image without it.

    Where it cannot be made, the image stays alone.
    """
    if not is_explained(answer, position, options):
        alt = _("The image, not explained yet")
        layer = Layer(
            _(_MAP),
            _(_EXPLAINING),
            alt,
            plots.enlarged(answer.pixels, SIDE),
            for_a_moment=True,
        )
        measurer = CaseMeasurer(answer.case, image["size"])
        with slot:
            show_viewer(**with_map(answer, image, layer), measurer=measurer)
    try:
        return heatmap_of(answer, position, options)
    except MedModelError:
        measurer = CaseMeasurer(answer.case, image["size"])
        with slot:
            show_viewer(**image, measurer=measurer)
        raise


def shuffled_words(shuffled: NDArray[np.float32], learned: NDArray[np.float32]) -> str:
    """How much the map of shuffled weights is like that of the trained model."""
    from scipy.stats import spearmanr

    if not np.ptp(learned):
        return _(
            "The map with **shuffled weights**. The trained model's is empty: there is "
            "nothing to compare."
        )
    if not np.ptp(shuffled):
        return _(
            "The map with **shuffled weights** is empty: what the trained model shows, "
            "it has learned."
        )
    alike = spearmanr(learned[::2, ::2].ravel(), shuffled[::2, ::2].ravel())[0]
    return _(
        "The map with **shuffled weights**: its rank correlation with that of the "
        "trained model is {correlation:.2f}. Near 0, the map shows what was learned; "
        "near 1, only the image.",
        correlation=alike,
    )


def _show_bars(
    answer: Answer, order: NDArray[np.intp], colours: Mapping[str, str], key: str
) -> None:
    names = [answer.classes[i] for i in order]
    numbers = [plots.per_cent(float(answer.probabilities[i])) for i in order]
    show_figure(
        plots.probability_bars(names, answer.probabilities[order], colours),
        key=key,
        alt="; ".join(f"{n}: {v}" for n, v in zip(names, numbers, strict=True)),
        download=False,
    )
