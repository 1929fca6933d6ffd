"""Scans and grey of many bits in the image viewer: frames, and windows to choose.

The window is for the eye alone: a model always sees the window of its training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from medmodel.core.preprocessing import TISSUES
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.stored_values import store_values
from medmodel.imaging.untrusted import OpenedImage, open_image
from medmodel.imaging.windows import WINDOWS, Window
from medmodel.language import N_, _
from pages._shared.common.image_view import SIDE, media_url
from pages._shared.prediction.cases import Case, at_frame
from pages._shared.prediction.image_viewer import NamedWindow, WindowedValues

OWN = N_("As the file asks")
RANGE = N_("Middle 99 % of values")
ALL = N_("All values")
_AXES = {"axial": N_("axial"), "coronal": N_("coronal"), "sagittal": N_("sagittal")}
LONGEST_SIDE = 2 * SIDE
"""Pixels up to which values are sent to the browser; of more, means of blocks."""


def choose_frame(case: Case) -> Case:
    """The frame or slice to look at, chosen where the file holds several."""
    if case.frames < 2:
        return case
    volume = case.file.format == "NIfTI"
    start = case.frames // 2 if volume else 0
    start = start if case.frame < 0 else case.frame
    number = st.slider(
        _("Slice of {slices}, {axis}", slices=case.frames, axis=_(_AXES[case.axis]))
        if volume
        else _("Frame of {frames}", frames=case.frames),
        1,
        case.frames,
        start + 1,
        key=f"frame-{case.key}",
        help=_("The model is asked about this slice alone.")
        if volume
        else _("The model is asked about this frame alone."),
    )
    return case if number == start + 1 else at_frame(case, number - 1)


def opened_scan(case: Case) -> OpenedImage:
    """One frame with the scanner's values; the last one looked at is kept.

    Raises:
        ImageError: The file cannot be read.
    """
    opened = st.session_state.get("opened-scan")
    if opened is None or opened[0] != case.key:
        options = DecodeOptions("file", case.frame, case.axis, values=True)
        image = open_image(case.source, case.name, options, LONGEST_SIDE)
        opened = st.session_state["opened-scan"] = (case.key, image)
    scan: OpenedImage = opened[1]
    return scan


def windowed_values(frame: DecodedImage, place: str) -> WindowedValues | None:
    """The values as the browser windows them; None for colours.

    Args:
        frame: With values, if it has any.
        place: Where on the page they are shown, see `media_url`.
    """
    if frame.values is None:
        return None
    values: Any = frame.values
    stored = store_values(values)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    high = max(high, low + 1e-6)
    height, width = values.shape
    return WindowedValues(
        source=media_url(stored.compressed(), "application/gzip", place),
        width=width,
        height=height,
        slope=stored.slope,
        intercept=stored.intercept,
        inverted=frame.inverted,
        unit="HU" if frame.modality == "CT" else "",
        low=low,
        high=high,
        least=1.0 if high - low > 50 else (high - low) / 200,
        presets=_presets(frame),
    )


def _presets(frame: DecodedImage) -> list[NamedWindow]:
    """Windows by name, first that of the file, or what it is shown with."""
    values: Any = frame.values
    if frame.many_bits and frame.window is not None:
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        whole = NamedWindow(_(ALL), (low + high) / 2, high - low, "LINEAR_EXACT")
        return [NamedWindow(_(RANGE), *frame.window), whole]
    bottom, top = (float(x) for x in np.nanpercentile(values, [0.5, 99.5]))
    most = Window((bottom + top) / 2, max(top - bottom, 1e-6))
    own = NamedWindow(_(OWN), None, None)
    if frame.window is not None:
        own = NamedWindow(_(OWN), *frame.window)
    named = WINDOWS if frame.modality in ("CT", "") else {}
    titles = [(_title(name, window), window) for name, window in named.items()]
    others = [(_(RANGE), most), *titles]
    return [own, *(NamedWindow(name, *window) for name, window in others)]


def _title(name: str, window: Window) -> str:
    return _(
        "{window} ({center:g} / {width:g} HU)",
        window=_(TISSUES[name]),
        center=window.center,
        width=window.width,
    )
