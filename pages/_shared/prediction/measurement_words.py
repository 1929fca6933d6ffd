"""What is said of measurements: numbers with their units, and whose millimetres."""

from __future__ import annotations

from collections.abc import Iterable

from medmodel.imaging.measurement.measuring import Measured, Statistics
from medmodel.language import N_, _

UNITS = {
    "HU": "HU",
    "SUV (body weight)": N_("SUV (body weight)"),
    "Bq/mL": "Bq/mL",
    "grey levels": N_("grey levels"),
    "": "",
}
"""Units of values, see `Measured.value_unit`."""


def number(value: float) -> str:
    """About as exact as a drawn shape can be."""
    return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.1f}"


def label(measured: Measured) -> str:
    """What stands beside a shape on the image."""
    if measured.angle is not None:
        return f"{number(measured.angle)}°"
    if measured.length is not None:
        return _length(measured.length, measured)
    if measured.area is not None:
        return _area(measured.area, measured)
    return _length(measured.perimeter or 0.0, measured)


def facts(measured: Measured) -> list[str]:
    """All numbers of a shape, each with its name."""
    texts = []
    if measured.length is not None:
        texts.append(_("Length {length}", length=_length(measured.length, measured)))
    if measured.angle is not None:
        texts.append(_("Angle {angle}°", angle=number(measured.angle)))
    if measured.diameters is not None:
        longer, shorter = measured.diameters
        both = f"{number(longer)} × {_length(shorter, measured)}"
        texts.append(_("Diameters {diameters}", diameters=both))
    if measured.area is not None:
        texts.append(_("Area {area}", area=_area(measured.area, measured)))
    if measured.perimeter is not None:
        length = _length(measured.perimeter, measured)
        texts.append(_("Perimeter {length}", length=length))
    if measured.crosses_itself:
        return [*texts, _("The outline crosses itself: no area, no values.")]
    if measured.statistics is not None:
        return texts + _values(measured.statistics, measured.value_unit)
    if measured.area is not None:
        texts.append(_("No pixel with a value inside."))
    return texts or [_("A leg of the angle has no length.")]


def _values(values: Statistics, unit: str) -> list[str]:
    mean = number(values.mean)
    if unit:
        mean = f"{mean} {_(UNITS[unit])}"
    return [
        _("Mean {value}", value=mean),
        _("SD {value}", value=number(values.deviation)),
        _("Minimum {value}", value=number(values.minimum)),
        _("Maximum {value}", value=number(values.maximum)),
        _("n = {pixels:,} pixels", pixels=values.pixels),
    ]


def _length(value: float, measured: Measured) -> str:
    if measured.in_mm:
        return _("{length} mm", length=number(value))
    return _("{length} px", length=number(value))


def _area(value: float, measured: Measured) -> str:
    if measured.in_mm:
        return _("{area} mm²", area=number(value))
    return _("{area} px²", area=number(value))


def sentences(measurements: Iterable[Measured]) -> list[str]:
    """Who says how large pixels are: one sentence for each source of a length."""
    long = [m for m in measurements if m.angle is None]
    return list(dict.fromkeys(_sentence(measured) for measured in long))


def _sentence(measured: Measured) -> str:
    spacing = {
        "row": f"{measured.row_spacing:.4g}",
        "column": f"{measured.column_spacing:.4g}",
    }
    ratio = f"{measured.row_spacing / measured.column_spacing:.4g}"
    match measured.source:
        case "hand":
            return _(
                "Calibrated by hand: {row} mm from row to row, {column} mm from "
                "column to column.",
                **spacing,
            )
        case "pixel spacing":
            return _(
                "In mm by the file's pixel spacing: {row} mm from row to row, "
                "{column} mm from column to column.",
                **spacing,
            )
        case "uncalibrated":
            return _(
                "In mm by the file's pixel spacing ({row} mm from row to row, "
                "{column} mm from column to column). The file does not say whether "
                "magnification was corrected for.",
                **spacing,
            )
        case "detector":
            return _(
                "In mm at the detector plane, by the imager pixel spacing ({row} mm "
                "from row to row, {column} mm from column to column): in the "
                "patient, lengths are smaller.",
                **spacing,
            )
        case "magnification":
            return _(
                "In mm, estimated: imager pixel spacing divided by the file's "
                "estimated magnification factor ({row} mm from row to row, {column} "
                "mm from column to column).",
                **spacing,
            )
        case "ultrasound":
            return _(
                "In mm by the ultrasound region's calibration: {row} mm from row to "
                "row, {column} mm from column to column.",
                **spacing,
            )
        case "affine":
            return _(
                "In mm by the volume's affine: {row} mm from row to row, {column} mm "
                "from column to column.",
                **spacing,
            )
        case "voxel size":
            return _(
                "In mm by the header's voxel sizes, as it has neither sform nor "
                "qform: {row} mm from row to row, {column} mm from column to column.",
                **spacing,
            )
    return f"{_withheld(measured)} {_of_unequal_sides(measured, ratio)}".rstrip()


def _withheld(measured: Measured) -> str:
    """Why lengths are in pixels."""
    if measured.source == "outside":
        return _(
            "In pixels: not wholly within one calibrated region of this ultrasound "
            "image."
        )
    if measured.source == "disagreement":
        return _(
            "In pixels: the volume's header contradicts itself on the size of its "
            "voxels (sform, qform, voxel sizes)."
        )
    return _("In pixels: the file does not say how large a pixel is in the patient.")


def _of_unequal_sides(measured: Measured, ratio: str) -> str:
    if measured.row_spacing == measured.column_spacing:
        return ""
    return _(
        "A pixel is {ratio} times as high as wide; the unit is its width.", ratio=ratio
    )
