"""Diagnose with a segmentation: contours on the image, measured, and masks to save."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from medmodel.core.errors import MedModelError, PredictionError
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.measurement.map_regions import MapRegion
from medmodel.imaging.measurement.mask_regions import MaskRegion, mask_regions
from medmodel.imaging.measurement.measuring import Measured
from medmodel.imaging.measurement.pixel_spacing import pixel_measures
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.language import _, ngettext, translate
from medmodel.reports.segmentation.facts import dice_of_classes
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.evaluation import segmentation_cache
from pages._shared.prediction import measurement_words
from pages._shared.prediction.cases import Case
from pages._shared.prediction.image_viewer import show_viewer
from pages._shared.prediction.mask_downloads import show_mask_downloads
from pages._shared.prediction.measurements import CaseMeasurer
from pages._shared.prediction.ood_view import (
    familiarity_below,
    may_show_answer,
    show_neighbours,
)
from pages._shared.prediction.prediction_view import show_original, viewed
from pages._shared.prediction.scan_view import choose_frame
from pages._shared.prediction.segmentation_answer import Outlined, outlined

MOST_REGIONS = 20


def dice_sentence(run: Run) -> str:
    """What the model is worth: its mean Dice on test images, and which are copies."""
    try:
        evaluation = segmentation_cache.evaluation(run)
    except MedModelError as error:
        return _(
            "How well this model does on test images is not known. {reason}",
            reason=translate(str(error)),
        )
    sentence = _("Model: mean Dice of {dice}.", dice=dice_of_classes(evaluation))
    copies = run_cache.copies(run)
    return f"{sentence} {copies}" if copies.paths or copies.unknown else sentence


def show_outlined(run: Run, cases: Sequence[Case]) -> None:
    """The chosen image with its contours, what they measure, and the mask to save."""
    left, right = st.columns([2, 1.4], gap="medium")
    with right:
        case = choose_frame(_pick_case(cases))
        try:
            with st.spinner(_("Asking the model …")):
                answer = outlined(run, case)
        except PredictionError as error:
            st.error(plain(translate(str(error))), icon=":material/error:")
            with left:
                show_original(case)
            return
        shown = may_show_answer(answer)
        if resembles := familiarity_below(answer):
            st.markdown(plain(resembles), help=meaning("out-of-distribution (OOD)"))
    regions = largest_regions(answer)
    with left, errors_shown():
        if shown:
            show_contours(answer, regions)
        else:
            show_original(case)
    with right:
        if shown:
            show_numbers(answer, regions)
        st.caption(plain(dice_sentence(run)), help=meaning("Dice", "segmentation"))
        if shown:
            show_mask_downloads(answer)
    show_neighbours(answer)


def _pick_case(cases: Sequence[Case]) -> Case:
    if len(cases) == 1:
        return cases[0]
    # Places, not cases: of these Streamlit would compare the pixels.
    place = st.selectbox(
        _("Image"),
        range(len(cases)),
        format_func=lambda place: cases[place].name,
        key="outlined-case",
    )
    return cases[place]


def largest_regions(answer: Outlined) -> list[tuple[str, MaskRegion]]:
    """The largest regions of each class, with its name."""
    return [
        (name, region)
        for number, name in enumerate(answer.names)
        if number
        for region in mask_regions(answer.area(number), MOST_REGIONS)
    ][:MOST_REGIONS]


def show_contours(answer: Outlined, regions: list[tuple[str, MaskRegion]]) -> None:
    """The image in its viewer, with the contours of regions."""
    image = viewed(answer.case)
    outlines = tuple(o for _name, region in regions for o in _outlines(region))
    measurer = CaseMeasurer(answer.case, image["size"], outlines)
    show_viewer(**image, measurer=measurer)


def _outlines(region: MaskRegion) -> list[MapRegion]:
    """What the viewer draws: the contour, and one around each hole."""
    box = (0.0, 0.0, 0.0, 0.0)
    return [
        MapRegion(contour, box, region.longest, region.perpendicular)
        for contour in region.contours
    ]


def show_numbers(answer: Outlined, regions: list[tuple[str, MaskRegion]]) -> None:
    """Area and diameters of regions, and whose millimetres these are."""
    if not regions:
        st.markdown(_("**No outline.** The model assigns every pixel to background."))
        return
    across, down = _pixel(answer.case, answer.classes.shape)
    unit = "mm" if across.in_mm else "px"
    size = PixelSize(down.length or 1.0, across.length or 1.0)
    st.markdown(
        plain(_largest_sentence(regions, size, unit)),
        help=_(
            "The longest diameter, and the longest at right angles to it, between the "
            "outer edges of pixels."
        ),
    )
    show_table(
        pd.DataFrame(
            [_row(name, region, size) for name, region in regions],
            columns=[
                _("Class"),
                _("Area, {unit}²", unit=unit),
                _("Diameters, {unit}", unit=unit),
            ],
        ),
        hide_index=True,
        alt=_("Area and diameters of each region"),
    )
    for sentence in measurement_words.sentences([across]):
        st.caption(plain(sentence))


def _largest_sentence(
    regions: list[tuple[str, MaskRegion]], size: PixelSize, unit: str
) -> str:
    """How many regions there are, and the numbers of the largest."""
    name, region = max(regions, key=lambda pair: pair[1].pixels)
    longest, perpendicular = region.diameters(size)
    number = measurement_words.number
    return ngettext(
        "{count} region ({name}): area {area} {unit}², diameters {longest} × "
        "{perpendicular} {unit}.",
        "{count} regions. The largest ({name}): area {area} {unit}², diameters "
        "{longest} × {perpendicular} {unit}.",
        len(regions),
        name=name,
        area=number(region.area(size)),
        longest=number(longest),
        perpendicular=number(perpendicular),
        unit=unit,
    )


def _row(name: str, region: MaskRegion, size: PixelSize) -> list[object]:
    longest, perpendicular = region.diameters(size)
    number = measurement_words.number
    both = f"{number(longest)} × {number(perpendicular)}"
    return [name, number(region.area(size)), both]


def _pixel(case: Case, shape: tuple[int, ...]) -> tuple[Measured, Measured]:
    """Lines of one pixel across and down, measured; kept for the last image."""
    kept = st.session_state.get("outlined-pixel")
    if kept is None or kept[0] != case.key:
        options = DecodeOptions("auto", case.frame, case.axis)
        size = (shape[0], shape[1])
        lines = pixel_measures(case.source, case.name, size, options)
        kept = st.session_state["outlined-pixel"] = (case.key, lines)
    lines_kept: tuple[Measured, Measured] = kept[1]
    return lines_kept
