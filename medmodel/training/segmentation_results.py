"""Writes how a segmentation outlines validation and test images, at their own size."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medmodel.core import samples
from medmodel.core.errors import DataError
from medmodel.data.datasets import load_index
from medmodel.data.folders import safe_folder
from medmodel.data.segmentation.mask_files import read_mask
from medmodel.data.segmentation.pairs import Masks, image_masks
from medmodel.evaluation.segmentation.overlap import overlap, surface_distance
from medmodel.imaging.mask_values import class_map
from medmodel.imaging.measurement.pixel_spacing import pixel_spacing
from medmodel.imaging.untrusted import DataFile
from medmodel.inference import prediction
from medmodel.inference.prediction import LoadedModel
from medmodel.language import _
from medmodel.runs.tables import segmentation
from medmodel.training.context import TrainingContext

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 32
"""Images between two reports of progress."""


@dataclass(frozen=True)
class MaskedImages:
    """Images of a data set with their masks, to be outlined by a model.

    Args:
        folder: The data set's.
        table: Of its index: `height`, `width` and `format` of each image by its path.
        masks: Path of each image's file -> paths of its masks.
        values: Value in these masks of each class of the model, the background first.
        samples: Columns `path`, `patient` and `split` of the images.
        pixels: uint8 (n, size, size, channels) of each of them, as the model sees it.
    """

    folder: Path
    table: pd.DataFrame
    masks: Masks
    values: Sequence[int]
    samples: pd.DataFrame
    pixels: np.ndarray


def write_segmentation(context: TrainingContext) -> None:
    """Writes segmentation.csv for validation and test with the model as saved.

    The same functions answer for uploads: the table proves what Diagnose will say.

    Raises:
        DataError: An image or its mask cannot be read any more.
    """
    folder = safe_folder(context.config.dataset)
    index = load_index(folder)
    if index is None:
        raise DataError(_("{name} was not checked.", name=folder.name))
    images = MaskedImages(
        folder,
        index.table.set_index("path"),
        image_masks(folder),
        context.mask_values,
        context.prepared.table,
        context.prepared.pixels,
    )
    rows = np.concatenate([context.rows("val"), context.rows("test")])
    # Not asked whether to stop: what a stopped run has learned is tested, too.
    progress = functools.partial(context.reporter.progress, "evaluating")
    loaded = prediction.load(context.run)
    table = list(outlined_rows(loaded, images, rows, progress))
    segmentation.write_segmentation(context.run, table)


def outlined_rows(
    loaded: LoadedModel,
    images: MaskedImages,
    rows: np.ndarray,
    progress: Callable[[int, int], None],
) -> Iterator[list[Any]]:
    """Lines of segmentation.csv, one for each image and class.

    Args:
        loaded: The model.
        images: With their masks.
        rows: Which of the images.
        progress: Told (images done, all).

    Raises:
        ImageError: A mask cannot be read any more.
    """
    for start in range(0, len(rows), CHUNK):
        progress(start, len(rows))
        chosen = rows[start : start + CHUNK]
        scores = prediction.predict(loaded, images.pixels[chosen])
        for row, of_image in zip(chosen, scores, strict=True):
            yield from _rows_of_image(loaded, images, images.samples.loc[row], of_image)
    progress(len(rows), len(rows))


def _rows_of_image(
    loaded: LoadedModel, images: MaskedImages, sample: pd.Series, scores: np.ndarray
) -> Iterator[list[Any]]:
    path, facts = str(sample["path"]), images.table.loc[sample["path"]]
    shape = int(facts["height"]), int(facts["width"])
    masks = images.masks[samples.file_of(path)]
    truth = read_mask(images.folder, path, masks, shape)
    answer = class_map(scores, shape, loaded.facts.preprocessing.fit)
    spacing = None
    if facts["format"] in ("DICOM", "NIfTI"):
        spacing = pixel_spacing(DataFile(images.folder, path), path, shape)
    for number, name in enumerate(loaded.facts.class_names[1:], start=1):
        areas = truth == images.values[number], answer == number
        values = [path, sample["patient"], sample["split"], name]
        yield [*values, *_numbers(*areas, spacing)]


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
