"""Small drawings as SVG text, for documents that must stand alone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIDE, _LEFT, _BELOW = 260, 48, 44


@dataclass(frozen=True)
class Line:
    """A line within the unit square.

    Args:
        x: In [0, 1], shape `(n,)`.
        y: In [0, 1], shape `(n,)`.
        colour: As in CSS.
        dotted: Whether it is only there to compare with.
        dots: Whether its points are marked.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    dotted: bool = False
    dots: bool = False


def unit_square(
    lines: Sequence[Line], title: str, x_title: str, y_title: str, band: str = ""
) -> str:
    """A figure with both axes from 0 to 1.

    Args:
        lines: Drawn in this order.
        title: What it shows; also for those who cannot see it.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        band: Points of a polygon behind the lines, as from `band_points`.
    """
    width, height = _SIDE + _LEFT + 12, _SIDE + _BELOW + 12
    shown = html.escape(title)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{shown}" font-family="sans-serif" font-size="12">',
        f"<title>{shown}</title>",
        f'<rect x="{_LEFT}" y="12" width="{_SIDE}" height="{_SIDE}" fill="none" '
        'stroke="#d5dde3"/>',
    ]
    if band:
        parts.append(f'<polygon points="{band}" fill="#0f5c8c" opacity="0.15"/>')
    parts += [_drawn(line) for line in lines]
    for tick in (0, 0.5, 1):
        x, y = _place(tick, tick)
        parts += [
            f'<text x="{x}" y="{_SIDE + 28}" text-anchor="middle">{tick:g}</text>',
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>',
        ]
    middle = 12 + _SIDE / 2
    parts += [
        f'<text x="{_LEFT + _SIDE / 2}" y="{_SIDE + 48}" text-anchor="middle">'
        f"{html.escape(x_title)}</text>",
        f'<text x="12" y="{middle}" text-anchor="middle" '
        f'transform="rotate(-90 12 {middle})">{html.escape(y_title)}</text></svg>',
    ]
    return "".join(parts)


def band_points(
    x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> str:
    """The outline of a band, each of shape `(n,)`, for `unit_square`."""
    return _points(np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]]))


def _drawn(line: Line) -> str:
    dash = ' stroke-dasharray="3 4"' if line.dotted else ""
    width = 1 if line.dotted else 2
    colour = html.escape(line.colour)
    drawn = (
        f'<polyline points="{_points(line.x, line.y)}" fill="none" '
        f'stroke="{colour}" stroke-width="{width}"{dash}/>'
    )
    if line.dots:
        places = [_place(x, y) for x, y in zip(line.x, line.y, strict=True)]
        drawn += "".join(
            f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>' for x, y in places
        )
    return drawn


def _points(xs: NDArray[np.float64], ys: NDArray[np.float64]) -> str:
    places = (_place(x, y) for x, y in zip(xs, ys, strict=True))
    return " ".join(f"{x},{y}" for x, y in places)


def _place(x: float, y: float) -> tuple[float, float]:
    return round(_LEFT + _SIDE * float(x), 1), round(12 + _SIDE * (1 - float(y)), 1)
