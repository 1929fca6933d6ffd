"""Images of a segmentation's batch with their contours; each closely."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.batch import masks, outlines
from medmodel.core import samples
from medmodel.core.errors import MedModelError
from medmodel.data.folders import safe_folder
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.images import png_bytes
from medmodel.imaging.untrusted import DataFile, open_image
from medmodel.language import _, translate
from medmodel.reports import plots
from medmodel.reports.contours import Colour, contour_colours, draw_contours
from medmodel.runs.run import Run
from medmodel.runs.status import ModelFacts
from pages._shared.batch.image_order import pick_order, pick_shown
from pages._shared.common.thumbnails import SIDE
from pages._shared.common.words import plain
from pages._shared.prediction.cases import dataset_case
from pages._shared.prediction.measurement_words import number
from pages._shared.prediction.ood_view import may_show_answer
from pages._shared.prediction.segmentation_answer import outlined
from pages._shared.prediction.segmentation_view import (
    largest_regions,
    show_contours,
    show_numbers,
)

_AT_ONCE = 4


def choose_outlined(batch: Run, rows: pd.DataFrame) -> pd.DataFrame:
    """The images in the order that the user chooses.

    Args:
        batch: The batch.
        rows: As from `outlines.described`.
    """
    order = pick_order(
        batch,
        outlines.ORDERS,
        _(
            "Strangest: unlike the training data, then farthest from it. Largest: by "
            "the outlined area. Without an outline: these, then the smallest areas."
        ),
    )
    classes = outlines.outlined_classes(rows)
    name = pick_shown(batch, _("Class"), classes, _("All classes"))
    return outlines.ordered(rows, order, name)


def outlined_images(
    batch: Run, model: Run | None, rows: pd.DataFrame
) -> list[bytes | str]:
    """A PNG of each image with its contours; a sentence where there is none.

    Of images that are unlike the training data no contour is drawn.

    Args:
        batch: The batch.
        model: The model's run; None where it is gone, and with it the contours.
        rows: Some of the batch.
    """
    folder = safe_folder(batch.config.dataset)
    facts = model.model_facts if model else None

    def small(row: Any) -> bytes | str:
        place = None
        if facts and row.unlike_training != 1:
            place = int(row.mask_start), int(row.mask_bytes)
        try:
            return _small_image(
                *(batch.folder, folder, row.path, int(row.frame), place),
                _values(facts) if facts else (),
                facts.preprocessing.axis if facts else "axial",
            )
        except MedModelError as error:
            return str(error)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        images = list(threads.map(small, rows.itertuples()))
    # Those threads belong to no session: they speak English.
    return [image if isinstance(image, bytes) else translate(image) for image in images]


def _values(facts: ModelFacts) -> tuple[tuple[int, Colour], ...]:
    """Value in masks and colour of each class but the background."""
    colours = contour_colours(facts.class_names[1:])
    return tuple(zip(facts.mask_values[1:], colours.values(), strict=True))


@lru_cache(maxsize=1000)
def _small_image(
    batch: Path,
    folder: Path,
    path: str,
    frame: int,
    place: tuple[int, int] | None,
    values: tuple[tuple[int, Colour], ...],
    axis: samples.Axis,
) -> bytes:
    options = DecodeOptions(frame=frame if frame else -1, axis=axis)
    source = DataFile(folder, path)
    pixels = open_image(source, "", options, longest_side=2 * SIDE).decoded.pixels
    areas = [(np.zeros(pixels.shape[:2], bool), (0, 0, 0))]
    if place is not None:
        mask = masks.read(batch, *place)
        areas = [(mask == value, colour) for value, colour in values]
    return png_bytes(plots.framed(draw_contours(pixels, areas, 2 * SIDE)))


def outline_words(row: Any) -> str:
    """What stands below an image, as Markdown.

    Args:
        row: Of a table as from `outlines.described`, by the names of its columns.
    """
    if row["unlike_training"] == 1:
        return "**" + _("Unlike the training data") + "**"
    if not row["outlined"]:
        return _("No outline")
    sizes = outlines.sizes(pd.DataFrame([row]))
    return _(
        "{classes}: {area} {unit}², longest {longest} {unit}",
        classes=plain(row["outlined"]),
        area=number(float(sizes.area.iloc[0])),
        longest=number(float(sizes.longest.iloc[0])),
        unit=sizes.unit,
    )


def outline_alt(row: Any) -> str:
    """What a screen reader says of an image."""
    if row["unlike_training"] == 1:
        return _("Image that is unlike the training data")
    if not row["outlined"]:
        return _("Image without an outline")
    return _("Image with an outline of {classes}", classes=row["outlined"])


def look_closer_at_outline(batch: Run, model: Run, path: str) -> None:
    """The image in its viewer with contours, and what they measure.

    Raises:
        MedModelError: The image cannot be read, or the model not be asked.
    """
    folder = safe_folder(batch.config.dataset)
    case = dataset_case(folder, path, "", model.model_facts.preprocessing)
    with st.spinner(_("Asking the model …")):
        answer = outlined(model, case)
    if not may_show_answer(answer):
        return
    regions = largest_regions(answer)
    show_contours(answer, regions)
    show_numbers(answer, regions)
