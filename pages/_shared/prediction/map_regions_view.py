"""Regions of a saliency map: outlined in the viewer, measured below it.

What they measure is the network's sensitivity, and every sentence here says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.images import model_input_area
from medmodel.imaging.measurement.map_regions import MapRegion, map_regions
from medmodel.imaging.measurement.measuring import Measured, measure
from medmodel.imaging.measurement.shapes import Shape
from medmodel.language import _, ngettext
from medmodel.runs.run import Run
from pages._shared.common.words import plain
from pages._shared.prediction import measurement_words
from pages._shared.prediction.cases import Case
from pages._shared.prediction.measurements import drawing_of
from pages._shared.prediction.prediction_cache import Answer

_Made = TypeVar("_Made")


def choose_threshold(run: Run) -> float | None:
    """Share of the map's maximum from which a region is outlined; None for none."""
    wanted = st.toggle(
        _("Outline regions"),
        key=f"regions-{run.id}",
        persist_state="session",
        help=_(
            "Outlines where the map reaches a share of its maximum, at most three "
            "regions. This measures where the network was sensitive, not a lesion."
        ),
    )
    if not wanted:
        return None
    share = st.slider(
        _("Threshold, share of the map's maximum"),
        10,
        95,
        50,
        5,
        format="%d %%",
        key=f"region-threshold-{run.id}",
        persist_state="session",
    )
    return share / 100


def is_cut(answer: Answer) -> bool:
    """Whether borders are cut off before the model sees an image.

    Where the rest lies on the image is not known here, nor where the map does.
    """
    steps = answer.preprocessing.steps
    return any(step.startswith(("crop", "borders")) for step in steps)


def find_regions(
    answer: Answer,
    heatmap: NDArray[np.float32],
    threshold: float | None,
    size: tuple[int, int],
) -> tuple[MapRegion, ...]:
    """The regions to be outlined; none where the map's place is not known.

    Args:
        answer: The model's answer.
        heatmap: Of one class, (height, width).
        threshold: See `choose_threshold`.
        size: Width and height of the image as it is shown, in pixels.

    Raises:
        ImageError: The machine is too busy.
    """
    if threshold is None or is_cut(answer):
        return ()
    preprocessing = answer.preprocessing
    place = model_input_area(*size, preprocessing.size, preprocessing.fit)
    digest = hashlib.blake2b(heatmap.tobytes()).hexdigest()
    return _latest(
        "regions",
        (digest, threshold, place, size),
        lambda: tuple(map_regions(heatmap, threshold, place, size)),
    )


def show_regions(
    answer: Answer,
    regions: Sequence[MapRegion],
    threshold: float | None,
    size: tuple[int, int],
) -> None:
    """The numbers of each region, and what they are not.

    Raises:
        MedModelError: The image cannot be read any more.
    """
    if threshold is None:
        return
    if is_cut(answer):
        st.caption(
            _(
                "This model's images lose their borders before it sees them, so the "
                "place of its map on the image is not known: no region is outlined."
            )
        )
        return
    if not regions:
        st.caption(_("The map is empty: there is no region to outline."))
        return
    numbers = _measured(answer.case, regions, size)
    lines = [
        f"* {plain(_line(number, each))}" for number, each in enumerate(numbers, 1)
    ]
    st.markdown("\n".join(lines))
    about = ngettext(
        "{count} region where the map reaches {share} % of its maximum. It shows "
        "where the network was sensitive, not the outline of a lesion.",
        "The {count} largest regions where the map reaches {share} % of its maximum. "
        "They show where the network was sensitive, not the outline of a lesion.",
        len(regions),
        share=round(100 * threshold),
    )
    sources = measurement_words.sentences(each[0] for each in numbers)
    st.caption(plain(" ".join([about, *sources])))


def _measured(
    case: Case, regions: Sequence[MapRegion], size: tuple[int, int]
) -> list[list[Measured]]:
    """Of each region: outline, longest and perpendicular diameter, sides of its box."""
    known = drawing_of(case).known_length
    shapes = [shape for region in regions for shape in _shapes(region)]
    options = DecodeOptions("auto", case.frame, case.axis)
    measured = _latest(
        "region-numbers",
        (case.key, tuple(shapes), known),
        lambda: measure(case.source, case.name, options, shapes, size, known),
    )
    each = len(shapes) // len(regions)
    return [measured[start : start + each] for start in range(0, len(measured), each)]


def _shapes(region: MapRegion) -> list[Shape]:
    left, top, width, height = region.box
    corner = (left, top)
    across = Shape("line", (corner, (left + width, top)))
    down = Shape("line", (corner, (left, top + height)))
    return [region.outline, region.longest, region.perpendicular, across, down]


def _line(number: int, measured: Sequence[Measured]) -> str:
    outline, *lines = measured
    longest, perpendicular, across, down = map(measurement_words.label, lines)
    return _(
        "Region {number} of the map: area {area}, longest diameter {longest}, "
        "perpendicular diameter {perpendicular}, bounding box {across} × {down}",
        number=number,
        area=measurement_words.label(outline),
        longest=longest,
        perpendicular=perpendicular,
        across=across,
        down=down,
    )


def _latest(name: str, key: Any, make: Callable[[], _Made]) -> _Made:
    """What was made last for this key; a page is drawn anew for other reasons, too."""
    stored = st.session_state.get(name)
    if stored is None or stored[0] != key:
        stored = st.session_state[name] = (key, make())
    made: _Made = stored[1]
    return made
