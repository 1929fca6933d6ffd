"""What a segmentation outlines on a patient's images over time, and its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from medmodel.evaluation.clinical.outline_series import OutlineVisit, outline_visits
from medmodel.evaluation.clinical.recist import MOST_LESIONS, REPEATABILITY
from medmodel.evaluation.clinical.time_line import size_visits
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.images import Pixels, png_bytes
from medmodel.imaging.measurement.mask_regions import mask_regions, region_count
from medmodel.imaging.measurement.measuring import Measured
from medmodel.imaging.measurement.pixel_spacing import pixel_measures
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.language import _, format_date
from medmodel.reports import plots
from medmodel.reports.contours import contour_colours, draw_contours
from medmodel.reports.follow_up_figure import series_figure, size_figure
from medmodel.runs.run import Run
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import table_button
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain
from pages._shared.prediction import measurement_words
from pages._shared.prediction.cases import Case, pixels_of
from pages._shared.prediction.measurement_words import number
from pages._shared.prediction.ood_view import is_unlike_training
from pages._shared.prediction.segmentation_answer import Outlined, outlined
from pages._shared.prediction.segmentation_view import dice_sentence
from pages._shared.reading.follow_up_view import doubling_words, percent, span_words
from pages._shared.reading.outline_targets import show_targets

_SIDE = 240
"""Longer side of an image with its contours, in pixels."""


@dataclass(frozen=True)
class OutlinedImage:
    """One image of the time line.

    Args:
        day: When it was taken.
        name: Of its file.
        unlike: Whether it is unlike the training data: then nothing of it is told.
        pixels: Of the class.
        regions: How many connected ones there are.
        diameters: Longest one of each of the largest regions in pixels and in mm, (n,
            2), the largest region first; in mm not-a-number where that is not known.
        pixel_mm2: Area of a pixel; None where it is not known.
        size: What the user measured, in mm; None where nothing was measured.
    """

    day: date
    name: str
    unlike: bool
    pixels: int
    regions: int
    diameters: NDArray[np.float64]
    pixel_mm2: float | None
    size: float | None = None


def show_outline_time_line(
    run: Run, dated: Sequence[tuple[date, Case, float | None]]
) -> None:
    """Areas and diameters over time, and what follows from them.

    Args:
        run: The segmentation.
        dated: Images with their dates and measured sizes, in the order of dates.

    Raises:
        MedModelError: An image cannot be read, or the model not be asked.
    """
    with st.spinner(_("Asking the model …")):
        answers = [outlined(run, case) for _day, case, _size in dated]
    names = run.model_facts.class_names
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = names[1]
        if len(names) > 2:
            name = st.selectbox(_("Class"), names[1:], key=f"time-line-class-{run.id}")
        error = _ask_repeatability()
    place = names.index(name)
    images = [
        _outlined_image(answer, place, day, size)
        for answer, (day, _case, size) in zip(answers, dated, strict=True)
    ]
    told = [image for image in images if not image.unlike]
    unit = unit_of(told)
    visits = _visits(told, unit, error)
    for sentence in outline_sentences(name, visits, unit):
        st.markdown(f"**{plain(sentence)}**")
    _show_images(answers, place, images)
    _show_figures(visits, unit, error)
    _show_scale(answers, images, unit)
    _show_measured(images, error)
    if unit == "mm":
        days = [image.day for image in told]
        show_targets(days, [im.diameters[:, 1].tolist() for im in told], error)
    _show_table(name, images, visits, unit)
    st.caption(plain(dice_sentence(run)), help=meaning("Dice", "segmentation"))


def _ask_repeatability() -> float:
    percent = st.slider(
        _("Repeatability of a diameter in %"),
        *(0, 30, round(100 * REPEATABILITY)),
        key="time-line-error",
    )
    return float(percent) / 100


def _outlined_image(
    answer: Outlined, place: int, day: date, size: float | None
) -> OutlinedImage:
    across, down = _pixel(answer.case, answer.classes.shape)
    known = across.in_mm and across.length is not None and down.length is not None
    scale = PixelSize(down.length or 1.0, across.length or 1.0) if known else None
    pixels, regions, diameters = _regions(answer, place, scale)
    return OutlinedImage(
        day,
        answer.case.name,
        is_unlike_training(answer),
        pixels,
        regions,
        diameters,
        scale.row * scale.column if scale else None,
        size,
    )


def _regions(
    answer: Outlined, place: int, scale: PixelSize | None
) -> tuple[int, int, NDArray[np.float64]]:
    """Pixels, regions and diameters as of an `OutlinedImage`.

    Kept: of a large image they take half a second each time a slider moves.
    """
    cache: dict[object, tuple[int, int, NDArray[np.float64]]] = (
        st.session_state.setdefault("time-line-regions", {})
    )
    key = _key(answer, place)
    if key not in cache:
        area = answer.area(place)
        diameters = [
            (
                region.diameters(PixelSize(1.0, 1.0))[0],
                region.diameters(scale)[0] if scale else np.nan,
            )
            for region in mask_regions(area, MOST_LESIONS)
        ]
        cache[key] = (
            int(np.count_nonzero(area)),
            region_count(area),
            np.array(diameters).reshape(-1, 2),
        )
    return cache[key]


def _key(answer: Outlined, place: int) -> tuple[object, ...]:
    """What tells a class of an answer from others of this session."""
    changed = answer.run.model_path.stat().st_mtime_ns
    return answer.run.id, changed, answer.case.key, place


def _pixel(case: Case, shape: tuple[int, ...]) -> tuple[Measured, Measured]:
    """Lines of one pixel across and down, measured once for each image."""
    cache: dict[str, tuple[Measured, Measured]] = st.session_state.setdefault(
        "time-line-pixels", {}
    )
    if case.key not in cache:
        options = DecodeOptions("auto", case.frame, case.axis)
        size = shape[0], shape[1]
        cache[case.key] = pixel_measures(case.source, case.name, size, options)
    return cache[case.key]


def unit_of(images: Sequence[OutlinedImage]) -> str:
    """In mm where the size of a pixel is known of all images, else in px."""
    return "mm" if all(image.pixel_mm2 is not None for image in images) else "px"


def _visits(
    images: Sequence[OutlinedImage], unit: str, error: float
) -> list[OutlineVisit]:
    in_mm = unit == "mm"
    areas = [im.pixels * (im.pixel_mm2 or 1.0) if in_mm else im.pixels for im in images]
    diameters = [image.diameters[:, int(in_mm)].tolist() for image in images]
    return outline_visits([im.day for im in images], areas, diameters, error)


def outline_sentences(
    name: str, visits: Sequence[OutlineVisit], unit: str
) -> list[str]:
    """The change from the first to the last image in words.

    Args:
        name: The class.
        visits: Of the images that may be told of, in order.
        unit: mm or px.
    """
    if len(visits) < 2:
        return [_("Fewer than two of these images resemble the training data.")]
    first, last = visits[0], visits[-1]
    values: dict[str, Any] = {
        "name": name,
        "unit": unit,
        "span": span_words(first.day, last.day),
        "first": number(first.area),
        "last": number(last.area),
    }
    if last.area_change is None:
        text = _("{name}: outlined area {first} to {last} {unit}² in {span}.", **values)
    else:
        text = _(
            "{name}: outlined area {first} to {last} {unit}² ({change:+.0f} %) in "
            "{span}.",
            change=100 * last.area_change,
            **values,
        )
    sentences = [text]
    if first.longest is not None and last.longest is not None:
        values |= {"first": number(first.longest), "last": number(last.longest)}
        values["change"] = 100 * (last.longest_change or 0.0)
        text = (
            _(
                "Longest diameter of the largest outline: {first} to {last} {unit} "
                "({change:+.0f} %), a change within the error of measuring.",
                **values,
            )
            if last.within_error
            else _(
                "Longest diameter of the largest outline: {first} to {last} {unit} "
                "({change:+.0f} %).",
                **values,
            )
        )
        sentences.append(text)
    return sentences


def _show_images(
    answers: Sequence[Outlined], place: int, images: Sequence[OutlinedImage]
) -> None:
    """The images beside each other, each with its contours and its date."""
    with st.container(horizontal=True, gap="small"):
        for answer, image in zip(answers, images, strict=True):
            day = format_date(image.day)
            with st.container(width=_SIDE, gap="xxsmall"):
                words, alt = image.name, _("Image of {day} with its contours", day=day)
                if image.unlike:
                    words = _("Unlike the training data")
                    alt = _("Image that is unlike the training data")
                st.image(
                    _drawn(answer, place, image.unlike),
                    width=_SIDE,
                    caption=plain(f"{day} · {words}"),
                    alt=alt,
                )


def _drawn(answer: Outlined, place: int, plainly: bool) -> bytes:
    cache: dict[object, bytes] = st.session_state.setdefault("time-line-drawn", {})
    key = (*_key(answer, place), plainly)
    if key not in cache:
        colours = contour_colours(answer.names[1:])
        area = answer.area(place) & (not plainly)
        pixels: Pixels = pixels_of(answer.case)
        colour = colours[answer.names[place]]
        drawing = draw_contours(pixels, [(area, colour)], 2 * _SIDE)
        cache[key] = png_bytes(plots.framed(drawing))
    return cache[key]


def _show_figures(visits: Sequence[OutlineVisit], unit: str, error: float) -> None:
    if len(visits) < 2:
        return
    days = [visit.day for visit in visits]
    left, right = st.columns(2, gap="medium")
    with left:
        areas = [visit.area for visit in visits]
        drawing = series_figure(days, areas, _("Outlined area in {unit}²", unit=unit))
        show_figure(drawing, "time-line-area", _("Outlined area over time"))
    with right:
        longest = [visit.longest for visit in visits]
        title = _("Longest diameter in {unit}", unit=unit)
        drawing = series_figure(days, longest, title, error)
        show_figure(drawing, "time-line-longest", _("Longest diameter over time"))
    st.caption(
        _(
            "Area of all outlines, and longest diameter of the largest one. Bars of a "
            "diameter are the repeatability that is set above; how exactly the model "
            "outlines is not in them. Where nothing is outlined the model may have "
            "overlooked what is there. Whether outlines of two dates are the same "
            "lesion is not checked. Arithmetic, and no more."
        ),
        help=meaning("repeatability", "doubling time"),
    )


def _show_scale(
    answers: Sequence[Outlined], images: Sequence[OutlinedImage], unit: str
) -> None:
    if unit == "px":
        st.caption(
            _(
                "In pixels, as not every file says how large a pixel is: changes hold "
                "only where all images have the same scale."
            )
        )
        return
    scales = [
        _pixel(answer.case, answer.classes.shape)[0]
        for answer, image in zip(answers, images, strict=True)
        if not image.unlike
    ]
    for sentence in measurement_words.sentences(scales):
        st.caption(plain(sentence))


def _show_measured(images: Sequence[OutlinedImage], error: float) -> None:
    """The sizes that the user typed or took from drawings, where there are some."""
    if not any(image.size is not None for image in images):
        return
    days, sizes = [im.day for im in images], [im.size for im in images]
    st.markdown(_("**Measured by you**"))
    drawing = size_figure(size_visits(days, sizes, error), error)
    show_figure(drawing, "time-line-size", _("Size over time"))


def outline_table(
    name: str,
    images: Sequence[OutlinedImage],
    visits: Sequence[OutlineVisit],
    unit: str,
) -> pd.DataFrame:
    """One row for each image, as people read it.

    Args:
        name: The class.
        images: All, in order.
        visits: Of those that may be told of.
        unit: mm or px.
    """
    by_day = {visit.day: visit for visit in visits}
    return pd.DataFrame(
        [_cells(name, image, by_day.get(image.day), unit) for image in images]
    )


def _cells(
    name: str, image: OutlinedImage, visit: OutlineVisit | None, unit: str
) -> dict[str, str]:
    unlike = _("unlike the training data")
    longest = visit.longest if visit else None
    return {
        _("Date"): format_date(image.day),
        _("Image"): image.name,
        _("Area of {name} in {unit}²", name=name, unit=unit): number(visit.area)
        if visit
        else unlike,
        _("Area since the first"): percent(visit.area_change if visit else None),
        _("Outlines"): f"{image.regions:,}" if visit else "–",
        _("Longest diameter in {unit}", unit=unit): "–"
        if longest is None
        else number(longest),
        _("Diameter since the first"): percent(visit.longest_change if visit else None),
        _("Within the error"): _("yes") if visit and visit.within_error else "",
        _("Volume doubles in days"): doubling_words(
            visit.doubling_days if visit else None
        ),
        _("Size in mm"): "–" if image.size is None else f"{image.size:.1f}",
    }


def _show_table(
    name: str,
    images: Sequence[OutlinedImage],
    visits: Sequence[OutlineVisit],
    unit: str,
) -> None:
    table = outline_table(name, images, visits, unit)
    show_table(table, hide_index=True, alt=_("The images in the order of their dates"))
    table_button(table, "time-line")
