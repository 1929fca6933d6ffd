"""Content of a case's structured report: TID 1500 with the model's answer and shapes.

Reference: PS3.16 TID 1500 (measurement report), TID 1501 (measurement group), TID 1410
(planar ROI measurements), TID 4019 (algorithm identification).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel import __version__
from medmodel.imaging.dicom.value_units import ACTIVITY, HOUNSFIELD, SUV
from medmodel.reports.case.dicom_source import NAME

if TYPE_CHECKING:
    from pydicom import Dataset

SCHEME = "99MEDMODEL"
"""Coding scheme of what no standard has a code for."""
SINGLE_FRAME = tuple(f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("1", "2", "4", "7"))
"""CR, CT, MR and secondary capture: a reference may name no frame of theirs, even where
a file has several."""
_LONGEST_MEANING = 64
UNITS = {
    "px": ("{pixels}", "pixels"),
    "mm": ("mm", "millimeter"),
    "mm2": ("mm2", "square millimeter"),
    "deg": ("deg", "degree"),
    "1": ("1", "no units"),
    HOUNSFIELD: ("[hnsf'U]", "Hounsfield unit"),
    SUV: ("g/ml{SUVbw}", "Standardized Uptake Value body weight"),
    ACTIVITY: ("Bq/ml", "Becquerels/milliliter"),
}
"""Unit of a number -> its code in UCUM and what that means; any other has none."""


@dataclass(frozen=True)
class ReportedShape:
    """What was drawn on the image, and its numbers.

    Args:
        name: What its owner calls it.
        kind: line, ellipse, polygon or angle.
        points: As in `shapes.Shape`, in pixels of the image as it is shown.
        numbers: Name of a number -> value and unit, a key of `UNITS`.
    """

    name: str
    kind: str
    points: Sequence[Sequence[float]]
    numbers: dict[str, tuple[float, str]]


@dataclass(frozen=True)
class DicomFacts:
    """What a report says as DICOM.

    Args:
        model: What the model is called.
        model_hash: SHA-256 of its file, hexadecimal.
        predicted: The predicted class; "" where it is withheld, or the highest scores
            are equal.
        scores: Class -> probability, from 0 to 1.
        shapes: What was measured.
        shown_size: Width and height of the image as it is shown, in pixels.
        text: What the reader wrote; "" for nothing.
        created: Seconds since 1970.
        identified: Whether patient and study are named, and the image is referred to
            as an archive knows it; else all of them stay empty or are made anew.
        tie: That the highest scores are equal, as a sentence; else "".
    """

    model: str
    model_hash: str
    predicted: str
    scores: dict[str, float]
    shapes: Sequence[ReportedShape]
    shown_size: Sequence[int]
    text: str
    created: float
    identified: bool = False
    tie: str = ""


def measurement_report(image: Dataset, frame: int, facts: DicomFacts) -> Any:
    """The report's content tree.

    Args:
        image: As `dicom_source.reported_image` gives it.
        frame: Which of its frames, from 0; -1 for a file of one.
        facts: What the report says.
    """
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(
                observer_type=codes.DCM.Device,
                observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                    uid=_uid(facts.model_hash),
                    name=_short(facts.model),
                    manufacturer_name=NAME,
                    model_name=NAME,
                ),
            )
        ),
        procedure_reported=_code("procedure", "Reading of one image by a model"),
        imaging_measurements=_groups(image, frame, facts),
        title=codes.DCM.ImagingMeasurementReport,
    )


def _groups(image: Dataset, frame: int, facts: DicomFacts) -> list[Any]:
    """The model's answer about the whole image, then each shape."""
    from highdicom import sr

    multiple = image.NumberOfFrames > 1 and image.SOPClassUID not in SINGLE_FRAME
    frames = [max(frame, 0) + 1] if multiple else None
    algorithm = sr.AlgorithmIdentification(
        name=_short(facts.model),
        version=__version__,
        parameters=[f"SHA-256 of the model: {facts.model_hash}"],
    )
    source = sr.SourceImageForMeasurementGroup(
        image.SOPClassUID, image.SOPInstanceUID, frames
    )
    answer = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking("Whole image"),
        source_images=[source],
        algorithm_id=algorithm,
        measurements=[
            sr.Measurement(_code("score", _short(f"Model score: {c}")), p, _unit("1"))
            for c, p in facts.scores.items()
        ],
        qualitative_evaluations=_evaluations(facts),
    )
    texts = [
        (_code("tie", "No single predicted class"), facts.tie),
        (_code("text", "Reader's text"), facts.text),
    ]
    for name, value in texts:
        if value:
            answer[0].ContentSequence.append(
                sr.TextContentItem(
                    name=name,
                    value=value,
                    relationship_type=sr.RelationshipTypeValues.CONTAINS,
                )
            )
    shapes = [
        _shape_group(image, frames, each, facts.shown_size) for each in facts.shapes
    ]
    return [answer, *shapes]


def _evaluations(facts: DicomFacts) -> list[Any]:
    from highdicom import sr

    if not facts.predicted:
        return []
    predicted = _code("evaluation", "Predicted class")
    return [sr.QualitativeEvaluation(predicted, _code("class", facts.predicted))]


def _shape_group(
    image: Dataset,
    frames: list[int] | None,
    shape: ReportedShape,
    shown_size: Sequence[int],
) -> Any:
    """A shape's numbers, each inferred from its place on the image."""
    from highdicom import sr

    source = sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, frames)
    # As it is shown an image may be larger, so that its pixels are square.
    points = graphic_data(shape) * ((image.Columns, image.Rows) / np.array(shown_size))
    graphic_type = "ELLIPSE" if shape.kind == "ellipse" else "POLYLINE"
    place = sr.CoordinatesForMeasurement(graphic_type, points, source)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(shape.name),
        source_images=[
            sr.SourceImageForMeasurementGroup(
                image.SOPClassUID, image.SOPInstanceUID, frames
            )
        ],
        measurements=[
            sr.Measurement(
                name=NUMBERS[number](),
                value=float(f"{value:.6g}"),
                unit=_unit(unit),
                referenced_coordinates=[place],
            )
            for number, (value, unit) in shape.numbers.items()
        ],
    )


def graphic_data(shape: ReportedShape) -> NDArray[np.float64]:
    """Points as PS3.3 C.18.6.1.2 wants them, shape `(points, 2)`, columns first.

    Of an ellipse both ends of its longer axis, then both of the shorter one; a polygon
    ends where it began.
    """
    points = np.array(shape.points, np.float64)
    if shape.kind == "polygon":
        return np.concatenate([points, points[:1]])
    if shape.kind != "ellipse":
        return points
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    across, down = (left + right) / 2, (top + bottom) / 2
    horizontal = [(left, down), (right, down)]
    vertical = [(across, top), (across, bottom)]
    wide = right - left >= bottom - top
    axes = horizontal + vertical if wide else vertical + horizontal
    return np.array(axes, np.float64)


def _code(kind: str, meaning: str) -> Any:
    """A concept of ours; the same words always have the same code."""
    from highdicom.sr import CodedConcept

    digest = hashlib.blake2b(f"{kind} {meaning}".encode(), digest_size=6)
    return CodedConcept(digest.hexdigest().upper(), SCHEME, _short(meaning))


def _number(value: str, scheme: str, meaning: str) -> Callable[[], Any]:
    def concept() -> Any:
        from highdicom.sr import CodedConcept

        return CodedConcept(value, scheme, meaning)

    return concept


NUMBERS: dict[str, Callable[[], Any]] = {
    "length": _number("410668003", "SCT", "Length"),
    "perimeter": _number("131191004", "SCT", "Perimeter"),
    "longer_diameter": _number("103339001", "SCT", "Long axis"),
    "shorter_diameter": _number("103340004", "SCT", "Short axis"),
    "area": _number("42798000", "SCT", "Area"),
    "angle": _number("1483009", "SCT", "Angle"),
    "mean": _number("373098007", "SCT", "Mean"),
    "standard_deviation": _number("386136009", "SCT", "Standard Deviation"),
    "minimum": _number("255605001", "SCT", "Minimum"),
    "maximum": _number("56851009", "SCT", "Maximum"),
}
"""Number of a shape -> its concept."""


def _unit(unit: str) -> Any:
    from highdicom.sr import CodedConcept

    value, meaning = UNITS.get(unit, UNITS["1"])
    return CodedConcept(value, "UCUM", meaning)


def _tracking(name: str) -> Any:
    from highdicom.sr import TrackingIdentifier
    from pydicom.uid import generate_uid

    return TrackingIdentifier(uid=generate_uid(), identifier=_short(name))


def _uid(digest: str) -> str:
    """The same model always has the same UID."""
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=[digest]))


def _short(text: str) -> str:
    """As a meaning or name in DICOM may be: 64 characters, one line, no backslash."""
    plain = "".join(c if c.isprintable() and c != "\\" else " " for c in text)
    return plain.strip()[:_LONGEST_MEANING] or "-"
