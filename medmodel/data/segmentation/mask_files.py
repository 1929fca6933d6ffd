"""Reads the segmentation masks of a data set's images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medmodel.core import samples
from medmodel.core.errors import ImageError, os_reason
from medmodel.core.samples import Axis
from medmodel.imaging import images
from medmodel.imaging.mask_values import Mask, decode_mask
from medmodel.language import _


def read_mask(
    folder: Path, sample: str, masks: Sequence[str], shape: tuple[int, int]
) -> Mask:
    """The class values of every pixel of an image.

    Several masks of one image are one: where they overlap, the highest value counts.

    Args:
        folder: The data set's folder.
        sample: The image as `samples` names it, with its slice or frame.
        masks: Paths of its masks, relative to the folder.
        shape: Height and width of the image in pixels.

    Returns:
        uint8 (height, width), 0 for the background.

    Raises:
        ImageError: A mask cannot be read, or has another size than its image.
        OSError: It cannot be opened.
    """
    part = samples.split(sample)[1]
    axis: Axis = part.kind if part and part.kind != "frame" else "axial"
    number = part.number if part else -1
    values = np.zeros(shape, np.uint8)
    for path in masks:
        name = Path(path).name
        content = images.read_data_file(folder, path)
        mask = decode_mask(content, name, axis, number)
        if mask.shape != shape:
            raise ImageError(
                _(
                    "{mask} has {mask_width} × {mask_height} pixels, its image {width} "
                    "× {height}: save the mask at the size of the image.",
                    mask=name,
                    mask_width=mask.shape[1],
                    mask_height=mask.shape[0],
                    width=shape[1],
                    height=shape[0],
                )
            )
        values = np.maximum(values, mask)
    return values


def mask_problem(
    folder: Path, sample: str, masks: Sequence[str], shape: tuple[int, int]
) -> str:
    """Why the masks of an image cannot be used, in one sentence; "" if they can.

    Args:
        folder: As in `read_mask`, like all that follow.
        sample: See there.
        masks: See there.
        shape: See there.
    """
    try:
        read_mask(folder, sample, masks, shape)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return _(
            "{name} cannot be opened: {reason}.",
            name=Path(masks[0]).name,
            reason=os_reason(error),
        )
    return ""
