"""One image through a network, step by step, and a convolution to play with."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.imaging.convolution import KERNELS, as_grey, correlate
from medmodel.imaging.images import Pixels, png_bytes
from medmodel.language import _
from medmodel.predictor import Layer, shared
from medmodel.reports import plots
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.consent import ask_consent
from pages._shared.common.image_view import show_image
from pages._shared.common.legible import legible, one_of
from pages._shared.common.model_choice import any_model, pick_model
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.prediction.cases import (
    Case,
    pixels_of,
    prepared,
    test_samples,
    uploaded,
)

_SIDE = 160
_MOST_PARTS = 8
_WORDS = {
    "scale": (
        _("Scaling"),
        r"x' = s\,x + t",
        _(
            "Whole numbers from 0 to 255 become small numbers around 0: "
            "networks learn faster from those. It is part of the model, so it "
            "cannot be forgotten."
        ),
    ),
    "convolution": (
        _("Convolution"),
        (
            r"y_{i,j,k} = f\Big(b_k + \sum_{c}\sum_{m}\sum_{n} "
            r"w_{m,n,c,k}\;x_{si+m,\;sj+n,\;c}\Big)"
        ),
        _(
            "A small window of weights slides over the image with step s; each "
            "kind of window makes one map. Often written as a convolution, it "
            "is a cross-correlation: the window is not turned round, the sum "
            "runs over **all channels** c, and there is a bias b for each map. "
            "In the textbook's network f is ReLU, f(z) = max(0, z); elsewhere "
            "it may come later."
        ),
    ),
    "depthwise convolution": (
        _("Depthwise convolution"),
        r"y_{i,j,c} = b_c + \sum_{m}\sum_{n} w_{m,n,c}\;x_{si+m,\;sj+n,\;c}",
        _("The same within each channel alone: much cheaper."),
    ),
    "maximum pooling": (
        _("Maximum pooling"),
        r"y_{i,j,c} = \max_{0 \le m,n < p} x_{pi+m,\;pj+n,\;c}",
        _(
            "Of every p × p field the largest number is kept, channel by "
            "channel: half the side, a quarter of the numbers, no weights."
        ),
    ),
    "average pooling": (
        _("Average pooling"),
        r"y_{i,j,c} = \frac{1}{p^2}\sum_{m,n} x_{pi+m,\;pj+n,\;c}",
        _("The mean of every field."),
    ),
    "average over the area": (
        _("Average over the area"),
        r"y_c = \frac{1}{HW}\sum_{i,j} x_{i,j,c}",
        _("One number for each map: how much of it was seen anywhere."),
    ),
    "maximum over the area": (
        _("Maximum over the area"),
        r"y_c = \max_{i,j} x_{i,j,c}",
        _("One number for each map: how clearly it was seen somewhere."),
    ),
    "flatten": (
        _("Flatten"),
        "y_{(iW + j)C + c} = x_{i,j,c}",
        _("All numbers in one row."),
    ),
    "dense": (
        _("Dense"),
        r"y_k = f\Big(b_k + \sum_{d} w_{d,k}\,x_d\Big)",
        _("Every number counts for every output, each with its own weight."),
    ),
}
_LAST = (
    _("Last layer and softmax"),
    (
        r"z_k = b_k + \sum_d w_{d,k}\,x_d \qquad p_k = "
        r"\frac{e^{z_k}}{\sum_{j=1}^{K} e^{z_j}}"
    ),
    _(
        "One sum for each class, made positive and divided by their total, "
        "so that they add up to 1. That makes them scores between 0 and 1, "
        "**not yet trustworthy probabilities**: whether 80 % means right "
        "in 80 of 100 cases is another question (calibration), and an "
        "image of something else entirely gets scores as well."
    ),
)


def show_convolution(case: Case) -> None:
    """Nine weights to change; the answer is there at once, without a model."""
    st.markdown(_("#### A convolution by hand"))
    pixels = plots.enlarged(pixels_of(case), _SIDE)
    grey = pixels.mean(axis=2) / 255
    grey = grey[:: max(1, len(grey) // _SIDE), :: max(1, grey.shape[1] // _SIDE)]
    left, middle, right = st.columns(3, gap="medium")
    with middle:
        name = st.selectbox(
            _("Start from"), list(KERNELS), format_func=_, key="kernel-name"
        )
        weights = st.data_editor(
            np.array(KERNELS[name], float),
            key=f"kernel-{name}",
            hide_index=True,
            column_config={str(i): st.column_config.NumberColumn("") for i in range(3)},
        )
        relu = st.toggle(_("ReLU: below 0 becomes 0"), key="kernel-relu")
    answer = correlate(grey, np.nan_to_num(np.asarray(weights, float)))
    if relu:
        answer = np.maximum(answer, 0)
    with left:
        _show_small(as_grey(grey), _("The image in grey"), _("The image in grey"))
    with right:
        text = _(
            "Numbers from {low:.2f} (black) to {high:.2f} (white)",
            low=float(answer.min()),
            high=float(answer.max()),
        )
        _show_small(as_grey(answer), text, _("What the convolution makes of it"))
    st.latex(
        r"y_{i,j} = \sum_{m=0}^{2}\sum_{n=0}^{2} w_{m,n}\,x_{i+m,\;j+n}",
        width="content",
    )
    st.caption(
        _(
            "Without a border of zeros the image loses one pixel on each side: "
            "{width} × {height} becomes {new_width} × {new_height}.",
            width=grey.shape[1],
            height=grey.shape[0],
            new_width=answer.shape[1],
            new_height=answer.shape[0],
        )
    )


def show_layers(run: Run, case: Case) -> None:
    """Every layer's name, formula, and what it makes of the image."""
    image = prepared(case, run.model_facts.preprocessing)
    st.markdown(_("#### 1. Preprocessing"))
    left, right = st.columns(2, gap="medium")
    with left:
        show_image(pixels_of(case), f"{case.name}, {case.file.text}", _("The image"))
    with right:
        facts = run.model_facts.preprocessing
        how = {"pad": _("black borders"), "crop": _("cut to the centre")}.get(
            facts.fit, _("stretched")
        )
        colour = _("grey") if facts.channels == 1 else _("three colours")
        show_image(
            image,
            _(
                "{size} × {size} pixels, {how}, {colour}",
                size=facts.size,
                how=how,
                colour=colour,
            ),
            _("Prepared"),
        )
    with st.spinner(_("Asking the model …")):
        layers = _layers(run, case, image)
    explained: set[str] = set()
    for layer in layers:
        last = layer.number == layer.of
        title, formula, text = _LAST if last else _WORDS[layer.kind]
        st.markdown(f"#### {layer.number + 1}. {title} :gray[{plain(layer.name)}]")
        if last or layer.kind not in explained:
            explained.add(layer.kind)
            st.latex(formula, width="content")
            st.markdown(text)
        shape = " × ".join(map(str, layer.shape))
        st.caption(
            plain(
                _(
                    "Output {shape}, from {low:.2f} to {high:.2f}; {weights:,} weights",
                    shape=shape,
                    low=layer.low,
                    high=layer.high,
                    weights=layer.weights,
                )
            )
        )
        _show_answer(run, layer, last)


def _layers(run: Run, case: Case, image: Pixels) -> list[Layer]:
    """A part of the layers and the last one; where there are many, a part is chosen."""
    layers = _asked(run, case, image, 0)
    starts = range(0, layers[-1].of - 1, len(layers) - 1)
    if len(starts) < 2:
        return layers
    step, end = len(layers) - 1, layers[-1].of - 1
    first = one_of(
        _(
            "Layers 2 to {last}, in parts; the last one always stands at the end",
            last=end + 1,
        ),
        list(starts),
        default=0,
        required=True,
        format_func=legible(lambda at: f"{at + 2}–{min(at + step, end) + 1}"),
        key=f"layers-{run.id}",
    )
    return _asked(run, case, image, int(first or 0))


def _asked(run: Run, case: Case, image: Pixels, first: int) -> list[Layer]:
    cached: dict[object, list[Layer]] = st.session_state.setdefault("layers", {})
    key = (run.id, run.model_path.stat().st_mtime_ns, case.digest, first)
    if key not in cached:
        cached[key] = shared().look_inside(run.id, image, first)
        while len(cached) > _MOST_PARTS:
            del cached[next(iter(cached))]
    return cached[key]


def _show_answer(run: Run, layer: Layer, last: bool) -> None:
    if last:
        names = run.model_facts.class_names
        sentences = [
            f"{plain(name)} **{plain(plots.per_cent(float(score)))}**"
            for name, score in zip(names, layer.values, strict=True)
        ]
        st.markdown(" · ".join(sentences))
    elif layer.values.ndim == 3:
        caption = _(
            "{shown} of {maps} maps: those that vary most",
            shown=len(layer.values),
            maps=layer.shape[-1],
        )
        st.image(
            png_bytes(_sheet(layer.values)),
            caption=plain(caption),
            output_format="PNG",
            alt=_("Maps of {layer}", layer=layer.name),
        )


def _sheet(maps: NDArray[np.float32]) -> Pixels:
    """Maps side by side, four in a row, each from its lowest value to its highest."""
    wide = min(4, len(maps))
    blank = np.zeros_like(as_grey(maps[0]))
    tiles = [as_grey(values) for values in maps] + [blank] * (-len(maps) % wide)
    size = max(1, _SIDE // blank.shape[0])
    large = [np.kron(x, np.ones((size, size, 1), np.uint8)) for x in tiles]
    framed = [np.pad(x, ((2, 2), (2, 2), (0, 0))) for x in large]
    rows = [np.hstack(framed[i : i + wide]) for i in range(0, len(framed), wide)]
    return np.vstack(rows)


def _show_small(pixels: Pixels, caption: str, alt: str) -> None:
    st.image(
        png_bytes(plots.framed(plots.enlarged(pixels, 3 * _SIDE))),
        caption=plain(caption),
        output_format="PNG",
        alt=alt,
    )


def show() -> None:
    widgets.page_header(
        _("How the network sees"),
        _("Follow one image through a trained model, from pixels to probabilities."),
    )
    left, right = st.columns([1.6, 1], gap="large")
    with left:
        run = pick_model("network", widest=46)
    if run is None:
        if not any_model():
            widgets.empty_state(
                _(
                    "No model yet. When a run has ended, its layers can be looked at "
                    "here."
                ),
                widgets.TRAIN,
                _("Train a model"),
            )
        return
    if not ask_consent("learn"):
        return
    first = run.model_facts.preprocessing
    with right:
        file = st.file_uploader(_("An image; without one, an image of the test split"))
    cases = uploaded([file] if file else [], first, "network")
    if file and not cases:
        st.warning(_("This file could not be read as an image."))
    cases = cases or test_samples(run, first)
    show_convolution(cases[0])
    show_layers(run, cases[0])


with errors_shown():
    show()
