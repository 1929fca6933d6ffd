"""Writes how a segmentation outlines validation and test images, at their own size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from medmodel.core import samples
from medmodel.core.errors import DataError
from medmodel.data.datasets import load_index
from medmodel.data.folders import safe_folder
from medmodel.data.segmentation.mask_files import read_mask
from medmodel.data.segmentation.pairs import image_masks
from medmodel.evaluation.segmentation.overlap import overlap, surface_distance
from medmodel.imaging.mask_values import class_map
from medmodel.imaging.measurement.pixel_spacing import pixel_spacing
from medmodel.imaging.untrusted import DataFile
from medmodel.inference import prediction
from medmodel.language import _
from medmodel.runs import tables
from medmodel.training.context import TrainingContext

CHUNK = 32
"""Images between two reports of progress."""


def write_segmentation(context: TrainingContext) -> None:
    """Writes segmentation.csv for validation and test with the model as saved.

    The same functions answer for uploads: the table proves what Diagnose will say.

    Raises:
        DataError: An image or its mask cannot be read any more.
    """
    tables.write_segmentation(context.run, list(_rows(context)))


def _rows(context: TrainingContext) -> Iterator[list[Any]]:
    folder = safe_folder(context.config.dataset)
    index, masks = load_index(folder), image_masks(folder)
    if index is None:
        raise DataError(_("{name} was not checked.", name=folder.name))
    facts = index.table.set_index("path")
    loaded = prediction.load(context.run)
    rows = np.concatenate([context.rows("val"), context.rows("test")])
    reporter = context.reporter
    for start in range(0, len(rows), CHUNK):
        # Not asked whether to stop: what a stopped run has learned is tested, too.
        reporter.progress("evaluating", start, len(rows))
        chosen = rows[start : start + CHUNK]
        scores = prediction.predict(loaded, context.prepared.pixels[chosen])
        for row, of_image in zip(chosen, scores, strict=True):
            sample = context.prepared.table.loc[row]
            path, fact = str(sample["path"]), facts.loc[sample["path"]]
            shape = int(fact["height"]), int(fact["width"])
            truth = read_mask(folder, path, masks[samples.file_of(path)], shape)
            answer = class_map(of_image, shape, context.preprocessing.fit)
            spacing = None
            if fact["format"] in ("DICOM", "NIfTI"):
                spacing = pixel_spacing(DataFile(folder, path), path, shape)
            for number, name in enumerate(context.classes[1:], start=1):
                areas = truth == context.mask_values[number], answer == number
                values = [sample["path"], sample["patient"], sample["split"], name]
                yield [*values, *_numbers(*areas, spacing)]
    reporter.progress("evaluating", len(rows), len(rows))


def _numbers(
    truth: np.ndarray, answer: np.ndarray, spacing: tuple[float, float] | None
) -> list[str]:
    """The columns of numbers, "" where there is none."""
    result = overlap(truth, answer)
    distance = surface_distance(truth, answer, spacing) if spacing else math.nan
    values = [
        *(result.dice, result.iou, result.lesions, result.found, result.area),
        *(result.predicted_area, math.prod(spacing) if spacing else math.nan),
        *(result.hd95, distance),
    ]
    return ["" if math.isnan(value) else f"{value:.8g}" for value in values]
