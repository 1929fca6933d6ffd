"""Segmentation run: its images with their masks, checked, split and prepared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from medmodel.core import samples
from medmodel.core.config import TrainConfig
from medmodel.core.errors import DataError
from medmodel.data.datasets import Index
from medmodel.data.prepared import Prepared, prepare
from medmodel.data.segmentation.pairs import Masks, image_masks
from medmodel.data.segmentation.prepared_masks import PreparedMasks, prepare_masks
from medmodel.language import _
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.tables.split import SPLIT_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

BACKGROUND = "background"


def index_with_masks(index: Index) -> tuple[Index, Masks]:
    """The images of a data set that have masks, and these.

    Args:
        index: The data set as it was checked.

    Raises:
        DataError: No readable image has a mask.
    """
    masks = image_masks(index.folder)
    files = index.table["path"].map(samples.file_of)
    table = index.table[files.isin(list(masks))].reset_index(drop=True)
    with_masks = replace(index, table=table)
    if not len(with_masks.readable):
        raise DataError(
            _(
                "{name} has no image with a segmentation mask that can be read: put "
                "the masks into a folder masks beside the folder images, each called "
                "as its image.",
                name=index.folder.name,
            )
        )
    return with_masks, masks


def prepare_pixels(
    index: Index, masks: Masks, config: TrainConfig, reporter: StatusWriter
) -> tuple[Prepared, PreparedMasks]:
    """Pixels and masks of all readable images, decoded once for all runs.

    Args:
        index: As from `index_with_masks`, like the masks.
        masks: See there.
        config: Settings of the run.
        reporter: Told about progress.

    Raises:
        DataError: No image, or not every mask, can be read.
        Cancelled: Somebody asked to stop.
        OSError: The disk is full or fails.
    """
    table = index.readable.sort_values("path", ignore_index=True)
    preprocessing = config.preprocessing(config.size)
    prepared = prepare(index.folder, table[["path"]], preprocessing, reporter.job)
    prepared_masks = prepare_masks(
        index.folder, prepared, shapes_of(table), masks, preprocessing, reporter.job
    )
    return prepared, prepared_masks


def shapes_of(table: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Path of each image of an index -> its height and width in pixels."""
    sizes = zip(table["path"], table["height"], table["width"], strict=True)
    return {path: (int(height), int(width)) for path, height, width in sizes}


def class_names(values: list[int]) -> list[str]:
    """What the outputs of a segmentation are called, the background first.

    Args:
        values: Class values of the masks, ascending, without 0.
    """
    if len(values) == 1:
        return [BACKGROUND, "lesion"]
    return [BACKGROUND, *(f"value {value}" for value in values)]


def labelled_by_masks(
    index: Index, prepared: Prepared, masks: PreparedMasks, classes: list[str]
) -> Index:
    """The index with what each image's mask holds in place of its class.

    A split that is drawn then spreads images with lesions as evenly as those without.

    Args:
        index: As from `index_with_masks`.
        prepared: Its prepared images.
        masks: Their masks.
        classes: Names, the background first.
    """
    numbers = masks.class_numbers
    labels = {
        path: _held(numbers[mask], classes)
        for path, mask in zip(prepared.table["path"], masks.pixels, strict=True)
    }
    table = index.table[index.table["path"].isin(list(labels))]
    return replace(index, table=table.assign(label=table["path"].map(labels)))


def _held(mask: np.ndarray, classes: list[str]) -> str:
    present = np.unique(mask)
    return " + ".join(classes[n] for n in present if n) or classes[0]


def with_splits(prepared: Prepared, split: pd.DataFrame) -> Prepared:
    """The prepared images with what their split says; "" where they take no part.

    Args:
        prepared: Pixels of all images.
        split: As from `read_split`.
    """
    columns = [name for name in SPLIT_COLUMNS if name in split]
    table = prepared.table[["path"]].merge(split[columns], on="path", how="left")
    return replace(prepared, table=table.fillna(""))
