"""Lines and masks of a batch of images that a segmentation has outlined."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from medmodel.batch import masks, outlines
from medmodel.batch.decoding import ImageFacts
from medmodel.batch.outlines import OutlineRow, PixelScale
from medmodel.batch.table import ImageRow
from medmodel.core import samples
from medmodel.core.errors import DataError, ImageError
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.mask_export import png_mask
from medmodel.imaging.mask_values import class_map
from medmodel.imaging.measurement.pixel_spacing import pixel_measures
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.imaging.untrusted import DataFile
from medmodel.runs.status import ModelFacts

_AT_ONCE = 4
"""Files whose headers are read for the size of their pixels."""


def append(
    path: Path,
    folder: Path,
    facts: ModelFacts,
    images: Sequence[ImageFacts],
    rows: Sequence[ImageRow],
    scores: np.ndarray,
) -> None:
    """Adds the lines of some images to the table, and their masks beside it.

    Args:
        path: The table.
        folder: Where the images lie.
        facts: Of the model.
        images: What is known of each.
        rows: Of each what its line says before its numbers.
        scores: float32 (n, side, side, classes) of those that could be read, in order.

    Raises:
        OSError: The disk is full or fails.
    """
    readable = [fact for fact in images if not fact.problem]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        scales = threads.map(
            lambda fact: pixel_scale(folder, fact, facts.preprocessing.axis), readable
        )
    names, values = facts.class_names[1:], np.array(facts.mask_values, np.uint8)
    numbers, contents = [], []
    for fact, of_image, scale in zip(readable, scores, scales, strict=True):
        shape = fact.height, fact.width
        classes = class_map(of_image, shape, facts.preprocessing.fit)
        numbers.append((scale, outlines.class_outlines(classes, len(names), scale)))
        contents.append(png_mask(values[classes]))
    places = masks.append(path.parent, contents)
    outlined = iter(zip(numbers, places, strict=True))
    lines = []
    for row in rows:
        if row.problem:
            lines.append(OutlineRow(row))
            continue
        (scale, of_classes), place = next(outlined)
        lines.append(OutlineRow(row, scale, place, of_classes))
    outlines.append(path, names, lines)


def pixel_scale(
    folder: Path, fact: ImageFacts, axis: samples.Axis
) -> PixelScale | None:
    """How large the pixels of an image are; None where its file does not say.

    Args:
        folder: Where it lies.
        fact: What is known of it.
        axis: Along which the model cuts volumes.
    """
    if not fact.scan:
        return None
    file, part = samples.split(fact.path)
    if part is not None and part.kind != "frame":
        axis = part.kind
    options = DecodeOptions("auto", fact.frame, axis)
    source, size = DataFile(folder, samples.join(file)), (fact.height, fact.width)
    try:
        across, down = pixel_measures(source, file, size, options)
    except (ImageError, DataError):  # gone or changed since it was decoded
        return None
    if not across.in_mm or across.length is None or down.length is None:
        return None
    return PixelScale(PixelSize(down.length, across.length), across.source)
