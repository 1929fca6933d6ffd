"""Shapes measured on the pixels of a file, whatever a page shows of them.

The file is read in the sandbox, and only numbers come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medmodel.core.processes import sandbox
from medmodel.imaging import images, untrusted
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.measurement.shapes import (
    Shape,
    angle,
    area,
    crosses_itself,
    diameters,
    inside,
    length,
)
from medmodel.imaging.measurement.spacing import Calibration, Source
from medmodel.imaging.untrusted import DataFile

GREY_LEVELS = "grey levels"
"""Unit of an image that has 8 bits per pixel, colours as their luminance."""


@dataclass(frozen=True)
class Statistics:
    """Values of the pixels whose centres lie inside a shape.

    Args:
        pixels: How many; padding, which has no value, is left out.
        mean: Of them, in the unit of the image's values.
        deviation: Standard deviation of these pixels (divided by their number).
        minimum: The smallest.
        maximum: The largest.
    """

    pixels: int
    mean: float
    deviation: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Measured:
    """What was measured of one shape; None for what it does not have.

    Args:
        source: Who says how large a pixel is.
        in_mm: Whether lengths are in mm; else in widths of a pixel.
        row_spacing: Height of a pixel in that unit.
        column_spacing: Width likewise.
        value_unit: Of the statistics; "" where the file does not say.
        length: Of a line.
        perimeter: Of a polygon.
        diameters: The longer and the shorter one of an ellipse.
        area: Of an ellipse or polygon, in the square of the unit of length.
        angle: In degrees.
        statistics: Of an ellipse or polygon with a pixel inside.
        crosses_itself: Whether a polygon does, which then has neither area nor inside.
    """

    source: Source
    in_mm: bool
    row_spacing: float
    column_spacing: float
    value_unit: str = ""
    length: float | None = None
    perimeter: float | None = None
    diameters: tuple[float, float] | None = None
    area: float | None = None
    angle: float | None = None
    statistics: Statistics | None = None
    crosses_itself: bool = False


@dataclass(frozen=True)
class KnownLength:
    """A line whose length in mm the user knows."""

    line: Shape
    millimetres: float


def measure(
    source: DataFile | bytes,
    name: str,
    options: DecodeOptions,
    shapes: Sequence[Shape],
    shown_size: tuple[int, int],
    known: KnownLength | None = None,
) -> list[Measured]:
    """Measures shapes that were drawn on an image as a page shows it.

    Args:
        source: A file of a data set, or a file's content.
        name: What to call it in messages.
        options: Which image of the file is meant.
        shapes: Points in pixels of the whole image as it is shown, which may be widened
            so that its pixels are square.
        shown_size: Width and height of that in pixels.
        known: What the image is calibrated by; points as those of the shapes.

    Raises:
        ImageError: It cannot be read, or not within the sandbox's limits.
        DataError: A file of a data set cannot be read any more.
    """
    line = [*asdict(known.line).values(), known.millimetres] if known else None
    answer = untrusted.ask(
        f"{__name__}:read",
        source,
        name,
        options=options._asdict(),
        shapes=[[shape.kind, shape.points] for shape in shapes],
        shown_size=shown_size,
        known=line,
    )
    return [_measured(fields) for fields in answer["measured"]]


def _measured(fields: dict[str, Any]) -> Measured:
    statistics, axes = fields["statistics"], fields["diameters"]
    return Measured(
        **fields
        | {"statistics": Statistics(**statistics) if statistics else None}
        | {"diameters": tuple(axes) if axes else None}
    )


def read(
    data: bytes,
    name: str,
    file: tuple[str, str] | None,
    options: dict[str, Any],
    shapes: list[Any],
    shown_size: tuple[int, int],
    known: list[Any] | None,
) -> dict[str, Any]:
    """What the sandbox runs: the fields of each `Measured`.

    Raises:
        ImageError: As `measure`.
        OSError: The file cannot be read.
    """
    data, chosen = untrusted.content(data, file, options)
    chosen = chosen._replace(values=True, square_pixels=False)
    decoded = images.decode(data, name, **chosen._asdict())
    rows, columns = decoded.pixels.shape[:2]
    scale = columns / shown_size[0], rows / shown_size[1]
    calibration, factor, unit = _facts(data, name, decoded, chosen)
    if known:
        line = _shape(known[:2]).scaled(*scale)
        calibration = calibration.by_hand(line, known[2])
    values = _values(decoded)
    measured = [
        measured_on(values, _shape(shape).scaled(*scale), calibration, factor, unit)
        for shape in shapes
    ]
    return {"measured": [asdict(each) for each in measured]}


def _shape(fields: list[Any]) -> Shape:
    return Shape(fields[0], tuple((x, y) for x, y in fields[1]))


def _facts(
    data: bytes, name: str, decoded: DecodedImage, options: DecodeOptions
) -> tuple[Calibration, float, str]:
    """How large pixels are, what values are multiplied by, and their unit then."""
    if decoded.format == "NIfTI":
        calibration = sandbox.function_named(
            "medmodel.imaging.nifti.header:slice_calibration"
        )
        return calibration(data, name, options.axis), 1.0, ""
    if decoded.format == "DICOM":
        facts = sandbox.function_named("medmodel.imaging.dicom.measures:facts")
        return facts(data, name, decoded)  # type: ignore[no-any-return]
    return Calibration(), 1.0, "" if decoded.values is not None else GREY_LEVELS


def _values(decoded: DecodedImage) -> npt.NDArray[Any]:
    """(rows, columns), not-a-number where there is none; of colours the luminance."""
    if decoded.values is not None:
        return decoded.values
    if decoded.pixels.shape[2] == 1:
        return decoded.pixels[..., 0]
    # ITU-R BT.601, as where a model sees colours in grey.
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(decoded.pixels @ weights)


def measured_on(
    values: npt.NDArray[Any],
    shape: Shape,
    calibration: Calibration,
    factor: float = 1.0,
    unit: str = "",
) -> Measured:
    """Measures one shape.

    Args:
        values: (rows, columns), not-a-number where there is none.
        shape: In pixels of `values`.
        calibration: How large its pixels are.
        factor: What values are multiplied by.
        unit: Of the values after that.
    """
    spacing = calibration.of(shape)
    size = spacing.size
    facts: dict[str, Any] = {
        "source": spacing.source,
        "in_mm": spacing.in_mm,
        "row_spacing": size.row,
        "column_spacing": size.column,
    }
    if shape.kind == "line":
        return Measured(**facts, length=length(shape, size))
    if shape.kind == "angle":
        return Measured(**facts, angle=angle(shape, size))
    if shape.kind == "ellipse":
        facts["diameters"] = diameters(shape, size)
    else:
        facts["perimeter"] = length(shape, size)
        if crosses_itself(shape):
            return Measured(**facts, crosses_itself=True)
    statistics = _statistics(values, shape, factor)
    return Measured(
        **facts, value_unit=unit, area=area(shape, size), statistics=statistics
    )


def _statistics(
    values: npt.NDArray[Any], shape: Shape, factor: float
) -> Statistics | None:
    rows, columns, mask = inside(shape, *values.shape)
    inner = values[rows, columns][mask]
    inner = inner[np.isfinite(inner)]
    if not inner.size:
        return None
    return Statistics(
        pixels=int(inner.size),
        mean=factor * float(inner.mean(dtype=np.float64)),
        deviation=factor * float(inner.std(dtype=np.float64)),
        minimum=factor * float(inner.min()),
        maximum=factor * float(inner.max()),
    )
