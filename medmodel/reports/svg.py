"""Line charts within the unit square, as the template `unit_square.svg` draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medmodel.core.errors import DataError
from medmodel.evaluation.calibration.calibration_metrics import reliability_diagram
from medmodel.evaluation.metrics.curves import (
    ThresholdCurve,
    precision_recall_curve,
    roc_curve,
)
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _

Point = tuple[float, float]
_LEFT, _TOP, _SIDE = 48, 12, 260
"""Where the frame lies in the template, in pixels."""


@dataclass(frozen=True)
class Line:
    """A line within the unit square.

    Args:
        x: In [0, 1], shape `(n,)`.
        y: In [0, 1], shape `(n,)`.
        colour: As in CSS.
        dotted: Whether it is only there to compare with.
        marked: Whether its points are marked.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    dotted: bool = False
    marked: bool = False

    @property
    def points(self) -> list[Point]:
        """Its points in pixels."""
        return _pixels(self.x, self.y)


@dataclass(frozen=True)
class UnitSquare:
    """A figure with both axes from 0 to 1.

    Args:
        lines: Drawn in this order.
        title: What it shows; also for those who cannot see it.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        band: A polygon behind the lines, as from `band_points`.
    """

    lines: Sequence[Line]
    title: str
    x_title: str
    y_title: str
    band: Sequence[Point] = ()


Figure = tuple[UnitSquare | None, str]
"""A drawing with its caption, or a sentence why there is none."""
_DIAGONAL = Line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "#8a8a8a", dotted=True)


def curve_squares(
    data: Predictions, position: int, name: str, colour: str
) -> Iterator[Figure]:
    """ROC and precision–recall curve of a class, or why it has none.

    Args:
        data: One split.
        position: The class.
        name: What the curves are called after.
        colour: As in CSS.
    """
    try:
        roc = roc_curve(data, position)
        precision = precision_recall_curve(data, position)
    except DataError as error:
        yield None, str(error)
        return
    yield _roc_square(roc, name, colour)
    yield _precision_recall_square(precision, name, colour)


def _roc_square(curve: ThresholdCurve, name: str, colour: str) -> Figure:
    line = Line(curve.x, curve.y, colour)
    band = band_points(curve.band_x, curve.low, curve.high)
    axes = (_("1 − specificity"), _("Sensitivity"))
    title = _("ROC of {name}", name=name)
    square = UnitSquare([_DIAGONAL, line], title, *axes, band)
    return square, _("{name}: ROC curve", name=name)


def _precision_recall_square(curve: ThresholdCurve, name: str, colour: str) -> Figure:
    line = Line(curve.x, curve.y, colour)
    band = band_points(curve.band_x, curve.low, curve.high)
    title = _("Precision–recall curve of {name}", name=name)
    square = UnitSquare([line], title, _("Recall"), _("Precision"), band)
    return square, _("{name}: precision–recall curve", name=name)


def reliability_square(
    data: Predictions, title: str, position: int | None = None
) -> Figure:
    """The reliability diagram; images of each point stand in its caption.

    Args:
        data: One split.
        title: What it shows.
        position: A class, or None for the predicted class.
    """
    bins = [b for b in reliability_diagram(data, position) if b.count]
    x = np.array([b.mean_score for b in bins])
    y = np.array([b.share.value for b in bins])
    lines = [_DIAGONAL, Line(x, y, "#0072B2", marked=True)]
    square = UnitSquare(lines, title, _("Score"), _("Observed frequency"))
    return square, _(
        "{title}; images: {counts}",
        title=title,
        counts=", ".join(f"{b.count:,}" for b in bins),
    )


def band_points(
    x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> list[Point]:
    """The outline of a band in pixels, each of shape `(n,)`, for `UnitSquare`."""
    return _pixels(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]))


def _pixels(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> list[Point]:
    left = (_LEFT + _SIDE * xs).round(1).tolist()
    top = (_TOP + _SIDE * (1 - ys)).round(1).tolist()
    return list(zip(left, top, strict=True))
