"""The points of a map as its chart in the browser takes them, and what it selects."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.language import _
from medmodel.reports.map_groups import members
from medmodel.reports.plots import class_colours

_LARGEST = 65535


def chart_data(places: NDArray[np.float32], groups: Sequence[str]) -> dict[str, Any]:
    """What the chart draws: coordinates of 16 bits, a group for each, its colour.

    Args:
        places: Shape `(n, 2)`, each coordinate in [-1, 1].
        groups: A name for each point.
    """
    traces = members(groups)
    codes = np.zeros(len(places), np.uint8)
    for code, (_name, rows) in enumerate(traces):
        codes[rows] = code
    colours = class_colours([name for name, _rows in traces])
    steps = np.rint((np.asarray(places) + 1) / 2 * _LARGEST)
    packed = np.clip(steps, 0, _LARGEST).astype("<u2").tobytes()
    other = _("other")
    shown = [
        {
            "name": f"{name or other} ({len(rows):,})",
            "colour": colours[name],
        }
        for name, rows in traces
    ]
    version = hashlib.sha256(packed + codes.tobytes() + repr(shown).encode())
    return {
        "version": version.hexdigest(),
        "count": len(places),
        "places": base64.b64encode(packed).decode(),
        "codes": base64.b64encode(codes.tobytes()).decode(),
        "groups": shown,
    }


def selected_rows(
    places: NDArray[np.float32], groups: Sequence[str], selection: Mapping[str, Any]
) -> NDArray[np.intp]:
    """The points within an outline, but those of hidden groups.

    Args:
        places: Shape `(n, 2)`, each coordinate in [-1, 1].
        groups: A name for each point.
        selection: `outline`, the corners as `[x, y]`, and `hidden`, positions of
            groups in the legend.
    """
    outline = selection.get("outline", [])
    if len(outline) < 3:
        return np.zeros(0, np.intp)
    from skimage.measure import points_in_poly

    chosen = points_in_poly(np.asarray(places, float), np.asarray(outline, float))
    hidden = set(selection.get("hidden", []))
    for code, (_name, rows) in enumerate(members(groups)):
        if code in hidden:
            chosen[rows] = False
    return np.flatnonzero(chosen)
