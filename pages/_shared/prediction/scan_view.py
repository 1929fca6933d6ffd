"""Viewer of a DICOM or NIfTI scan: window presets, centre and width, frames.

The window is for the eye alone: a model always sees the window of its training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from medmodel.core.errors import MedModelError
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.images import Pixels
from medmodel.imaging.untrusted import open_image
from medmodel.imaging.windows import WINDOWS, Window
from pages._shared.common.image_view import show_image
from pages._shared.common.words import plain
from pages._shared.prediction.cases import Case, at_frame

OWN = "As the file asks"
RANGE = "Middle 99 % of values"


def choose_frame(case: Case) -> Case:
    """The frame or slice to look at, chosen where the file holds several."""
    if case.frames < 2:
        return case
    volume = "NIfTI" in case.about
    word = "Slice" if volume else "Frame"
    start = case.frames // 2 if volume else 0
    start = start if case.frame < 0 else case.frame
    number = st.slider(
        f"{word} of {case.frames}" + (f", {case.axis}" if volume else ""),
        1,
        case.frames,
        start + 1,
        key=f"frame-{case.key}",
        help=f"The model is asked about this {word.lower()} alone.",
    )
    return case if number == start + 1 else at_frame(case, number - 1)


def windowed(case: Case) -> tuple[Pixels, str]:
    """The image through the chosen window, with the controls above it.

    Returns:
        The pixels, and the window in words for the caption.

    Raises:
        ImageError: The file cannot be read.
    """
    frame = _frame(case)
    if frame.values is None:
        return frame.pixels, ""
    unit = " HU" if frame.modality == "CT" else ""
    names = [OWN, RANGE, *(WINDOWS if frame.modality in ("CT", "") else ())]
    window = _sliders(frame, names, case.key)
    if window is None:
        return frame.pixels, "lookup table of the file"
    text = f"centre {window.center:g}, width {window.width:g}{unit}"
    return frame.through_window(window), text


def _sliders(frame: DecodedImage, names: list[str], key: str) -> Window | None:
    """The preset, or what the two sliders say after it."""
    low, high = _limits(frame)
    name = st.selectbox("Window", names, format_func=_title, key=f"window-{key}")
    preset = _preset(frame, name)
    if preset is None:
        return None
    step = 1.0 if high - low > 50 else (high - low) / 200
    with st.popover("Adjust centre and width", icon=":material/tune:"):
        center = st.slider(
            "Centre",
            min(low, preset.center),
            max(high, preset.center),
            preset.center,
            step,
            key=f"centre-{key}-{name}",
        )
        width = st.slider(
            "Width",
            min(step, preset.width),
            max(high - low, preset.width, 2 * step),
            preset.width,
            step,
            key=f"width-{key}-{name}",
        )
    if (center, width) == (preset.center, preset.width):
        return preset
    return Window(center, width, "LINEAR_EXACT")


def _preset(frame: DecodedImage, name: str) -> Window | None:
    if name == OWN:
        return frame.window
    if name == RANGE:
        values: Any = frame.values
        low, high = np.nanpercentile(values, [0.5, 99.5])
        return Window(float(low + high) / 2, max(float(high - low), 1e-6))
    return WINDOWS[name]


def _limits(frame: DecodedImage) -> tuple[float, float]:
    values: Any = frame.values
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return low, max(high, low + 1e-6)


def _title(name: str) -> str:
    if name not in WINDOWS:
        return name
    window = WINDOWS[name]
    return f"{name.capitalize()} ({window.center:g} / {window.width:g} HU)"


def _frame(case: Case) -> DecodedImage:
    """The scanner's values of one frame; the last one looked at is kept."""
    opened = st.session_state.get("opened-scan")
    if opened is None or opened[0] != case.key:
        options = DecodeOptions("file", case.frame, case.axis, values=True)
        decoded = open_image(case.source, case.name, options).decoded
        opened = st.session_state["opened-scan"] = (case.key, decoded)
    frame: DecodedImage = opened[1]
    return frame


@st.fragment
def show_scan(case: Case, title: str) -> None:
    """The image with its window; only this part reruns when the window moves."""
    st.markdown(f"**{title}**")
    place = st.container()
    try:
        pixels, window = windowed(case)
    except MedModelError as error:
        st.error(plain(error))
        return
    with place:
        caption = ", ".join(filter(None, [case.name, case.about, window]))
        show_image(pixels, caption, "The image")
    if window:
        st.caption(
            "For your eyes only: the model sees the window of its training, whatever "
            "is chosen here."
        )
