"""Lines and masks of a batch of images that a segmentation has outlined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medmodel.batch import masks, outlines
from medmodel.batch.decoding import ImageFacts
from medmodel.batch.outlines import OutlineRow, PixelScale
from medmodel.batch.table import ImageRow
from medmodel.imaging.mask_export import png_mask
from medmodel.imaging.mask_values import class_map
from medmodel.imaging.measurement.shapes import PixelSize
from medmodel.runs.status import ModelFacts


def append(
    path: Path,
    facts: ModelFacts,
    images: Sequence[ImageFacts],
    rows: Sequence[ImageRow],
    scores: np.ndarray,
) -> None:
    """Adds the lines of some images to the table, and their masks beside it.

    Args:
        path: The table.
        facts: Of the model.
        images: What is known of each.
        rows: Of each what its line says before its numbers.
        scores: float32 (n, side, side, classes) of those that could be read, in order.

    Raises:
        OSError: The disk is full or fails.
    """
    readable = [fact for fact in images if not fact.problem]
    names, values = facts.class_names[1:], np.array(facts.mask_values, np.uint8)
    numbers, contents = [], []
    for fact, of_image in zip(readable, scores, strict=True):
        scale = _scale(fact)
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


def _scale(fact: ImageFacts) -> PixelScale | None:
    if fact.pixel_size is None:
        return None
    height, width, source = fact.pixel_size
    return PixelScale(PixelSize(height, width), source)
