"""Measurements of the images of a session: kept in memory, gone when it ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from medmodel.core.errors import MedModelError
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.measurement.map_regions import MapRegion
from medmodel.imaging.measurement.measuring import KnownLength, Measured, measure
from medmodel.imaging.measurement.shapes import Shape, length, shape_of
from medmodel.imaging.measurement.spacing import Spacing
from medmodel.language import N_, _, translate
from pages._shared.common.downloads import csv_text, noted
from pages._shared.prediction import measurement_words
from pages._shared.prediction.cases import Case

MOST_SHAPES = 50
_LONGEST_NAME = 40
_LONGEST_LENGTH = 1e6
_TEXTS = {
    "tools": N_("Measure"),
    "list": N_("Measurements"),
    "line": N_("Line: length"),
    "ellipse": N_("Ellipse: diameters, area and values inside"),
    "polygon": N_("Polygon: area and values inside"),
    "angle": N_("Angle"),
    "place": N_(
        "Arrow keys move the cross, with Shift by 10 pixels; Enter places a point, "
        "Enter again at the same place ends a polygon, Escape cancels."
    ),
    "point": N_(
        "{name}, point {number} of {count}. Arrow keys move it, Delete removes the "
        "measurement."
    ),
    "pick": N_("Select {name}"),
    "name": N_("Name of the measurement"),
    "remove": N_("Delete {name}"),
    "calibrate": N_("Calibrate"),
    "calibrated": N_("Calibrated: {length} mm"),
    "known": N_("True length of this line in mm"),
    "set": N_("Set"),
    "undo": N_("Undo calibration"),
}
_NAMES = {
    "line": N_("Line {number}"),
    "ellipse": N_("Ellipse {number}"),
    "polygon": N_("Polygon {number}"),
    "angle": N_("Angle {number}"),
}


@dataclass(frozen=True)
class Drawn:
    """A shape with its name; points in pixels of the image as it is shown."""

    id: str
    name: str
    shape: Shape


@dataclass
class Drawing:
    """What was drawn on one image, and what it measures.

    Args:
        shapes: In the order in which they were drawn.
        known: Id of the line whose length the user knows, and that length in mm.
        numbers: By shape and calibration.
    """

    shapes: list[Drawn] = field(default_factory=list)
    known: tuple[str, float] | None = None
    numbers: dict[tuple[Shape, KnownLength | None], Measured] = field(
        default_factory=dict
    )

    @property
    def known_length(self) -> KnownLength | None:
        """The line that calibrates the image; None if there is none."""
        for drawn in self.shapes:
            if self.known and drawn.id == self.known[0]:
                return KnownLength(drawn.shape, self.known[1])
        return None

    def measured(self) -> list[tuple[Drawn, Measured]]:
        """Each shape that was measured, with its numbers."""
        known = self.known_length
        pairs = [
            (drawn, self.numbers.get((drawn.shape, known))) for drawn in self.shapes
        ]
        return [(drawn, numbers) for drawn, numbers in pairs if numbers is not None]


def drawing_of(case: Case) -> Drawing:
    """What was drawn on an image in this session."""
    drawings: dict[str, Drawing] = st.session_state.setdefault("drawings", {})
    return drawings.setdefault(case.key, Drawing())


@dataclass(frozen=True)
class CaseMeasurer:
    """Measures what is drawn on an image; a `Measurer` of the viewer.

    Args:
        case: The image.
        size: Its width and height as it is shown, in pixels.
        regions: Of the saliency map, outlined beside what was drawn.
    """

    case: Case
    size: tuple[int, int]
    regions: tuple[MapRegion, ...] = ()

    def take(self, drawn: Any) -> None:
        """Keeps what the browser says was drawn, as far as it can be."""
        if not isinstance(drawn, dict) or drawn.get("image") != self.case.key:
            return
        drawing = drawing_of(self.case)
        sent = drawn.get("shapes")
        shapes = [_drawn(fields) for fields in sent] if isinstance(sent, list) else []
        drawing.shapes = [shape for shape in shapes if shape][:MOST_SHAPES]
        drawing.known = _known(drawn.get("known"), drawing.shapes)

    def facts(self) -> dict[str, Any]:
        """What `assets/measure.js` is told: shapes, their numbers, texts."""
        drawing, error = drawing_of(self.case), ""
        try:
            self._measure(drawing)
        except MedModelError as failure:
            error = translate(str(failure))
        measured = drawing.measured()
        known = drawing.known
        return {
            "shapes": [_fields(drawn) for drawn in drawing.shapes],
            "known": {"id": known[0], "millimetres": known[1]} if known else None,
            "numbers": {drawn.id: _numbers(drawn, each) for drawn, each in measured},
            "sentences": measurement_words.sentences(each for _id, each in measured),
            "error": error,
            "regions": [region.outline.points for region in self.regions],
            "texts": {name: _(text) for name, text in _TEXTS.items()}
            | {"names": {kind: _(text) for kind, text in _NAMES.items()}},
        }

    def _measure(self, drawing: Drawing) -> None:
        """Asks for what is new; what is gone is forgotten."""
        known = drawing.known_length
        wanted = [(drawn.shape, known) for drawn in drawing.shapes]
        drawing.numbers = {k: v for k, v in drawing.numbers.items() if k in wanted}
        new = list(dict.fromkeys(k for k in wanted if k not in drawing.numbers))
        if not new:
            return
        case = self.case
        options = DecodeOptions("auto", case.frame, case.axis)
        shapes = [shape for shape, _known in new]
        measured = measure(
            case.source, case.name, options, shapes, self.size, known=known
        )
        drawing.numbers |= dict(zip(new, measured, strict=True))


def _drawn(fields: Any) -> Drawn | None:
    if not isinstance(fields, dict):
        return None
    shape = shape_of(fields.get("kind"), fields.get("points"))
    name, key = fields.get("name"), fields.get("id")
    if shape is None or not isinstance(name, str) or not isinstance(key, str):
        return None
    return Drawn(key[:_LONGEST_NAME], name[:_LONGEST_NAME], shape)


def _known(fields: Any, shapes: Sequence[Drawn]) -> tuple[str, float] | None:
    """The line of a known length, where it is one of the lines and has a length."""
    if not isinstance(fields, dict):
        return None
    millimetres = fields.get("millimetres")
    if isinstance(millimetres, bool) or not isinstance(millimetres, int | float):
        return None
    for drawn in shapes:
        if drawn.id == fields.get("id") and drawn.shape.kind == "line":
            long = length(drawn.shape, Spacing().size) > 0
            if long and 0 < millimetres <= _LONGEST_LENGTH:
                return drawn.id, float(millimetres)
    return None


def _fields(drawn: Drawn) -> dict[str, Any]:
    shape = drawn.shape
    return {
        "id": drawn.id,
        "kind": shape.kind,
        "name": drawn.name,
        "points": shape.points,
    }


def _numbers(drawn: Drawn, measured: Measured) -> dict[str, Any]:
    return {
        "points": drawn.shape.points,
        "label": measurement_words.label(measured),
        "facts": measurement_words.facts(measured),
    }


def measurement_table(
    case: Case, measurements: Sequence[tuple[Drawn, Measured]], size: tuple[int, int]
) -> pd.DataFrame:
    """One row for each measurement of an image; empty cells for what it has not.

    Args:
        case: The image.
        measurements: See `Drawing.measured`.
        size: Its width and height as it is shown, in pixels, like the points.
    """
    rows = []
    for drawn, measured in measurements:
        unit = "mm" if measured.in_mm else "px"
        values = measured.statistics
        rows.append(
            {
                "image": case.name,
                "frame": _frame_number(case),
                "axis": case.axis if _is_volume(case) else "",
                "name": drawn.name,
                "kind": drawn.shape.kind,
                "unit": unit,
                "pixel_size_from": measured.source,
                "row_spacing": measured.row_spacing,
                "column_spacing": measured.column_spacing,
                "length": measured.length,
                "perimeter": measured.perimeter,
                "longer_diameter": (measured.diameters or (None, None))[0],
                "shorter_diameter": (measured.diameters or (None, None))[1],
                "area": measured.area,
                "angle_degrees": measured.angle,
                "value_unit": measured.value_unit,
                "pixels": values.pixels if values else None,
                "mean": values.mean if values else None,
                "standard_deviation": values.deviation if values else None,
                "minimum": values.minimum if values else None,
                "maximum": values.maximum if values else None,
                "shown_width": size[0],
                "shown_height": size[1],
                "points": json.dumps(drawn.shape.points),
            }
        )
    return pd.DataFrame(rows)


def _is_volume(case: Case) -> bool:
    return case.file.format == "NIfTI"


def _frame_number(case: Case) -> int:
    """From 1; of a volume nobody has moved through, the slice in the middle."""
    first = case.frames // 2 if _is_volume(case) else 0
    return (first if case.frame < 0 else case.frame) + 1


def json_text(table: pd.DataFrame) -> str:
    """The same for machines: a list of objects, points as lists of x and y."""
    rows = table.astype(object)
    records = rows.where(rows.notna(), None).to_dict("records")
    for record in records:
        record["points"] = json.loads(record["points"])
    return json.dumps(records, indent=2, ensure_ascii=False)


def show_downloads(case: Case, size: tuple[int, int]) -> None:
    """Where something was measured: files of it, and how long it is kept."""
    measurements = drawing_of(case).measured()
    if not measurements:
        return
    # Files are made in another thread, which knows nothing of this session.
    table = measurement_table(case, measurements, size)
    files = {"csv": ("text/csv", csv_text), "json": ("application/json", json_text)}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for kind, (mime, as_text) in files.items():
            st.download_button(
                _("Measurements ({kind})", kind=kind.upper()),
                noted(partial(as_text, table), "export", what="measurements", images=1),
                file_name=f"measurements.{kind}",
                mime=mime,
                icon=":material/download:",
                key=f"measurements-{kind}-{case.key}",
                on_click="ignore",
            )
        st.caption(_("Measurements are gone when this session ends: download them."))
