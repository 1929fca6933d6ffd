"""The map of a data set as a Plotly figure: a coloured point for every image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medmodel.reports import plots

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_GROUPS = 8
"""Groups with a colour of their own; more cannot be told apart by colour."""
OTHER = "other"
HEIGHT = 460


def shown_groups(groups: Sequence[str]) -> list[str]:
    """The names that get a colour, the commonest first, ties by name; then `OTHER`."""
    counts = Counter(groups)
    names = sorted(counts, key=lambda name: (-counts[name], name))
    if len(names) <= MOST_GROUPS:
        return names
    return [*names[: MOST_GROUPS - 1], OTHER]


def members(groups: Sequence[str]) -> list[tuple[str, NDArray[np.intp]]]:
    """Name and rows of each trace of the figure, in its order."""
    names = shown_groups(groups)
    position = {name: at for at, name in enumerate(names)}
    last = len(names) - 1
    codes = np.array([position.get(group, last) for group in groups], np.intp)
    return [(name, np.flatnonzero(codes == at)) for at, name in enumerate(names)]


def map_figure(places: NDArray[np.float32], groups: Sequence[str]) -> Figure:
    """One WebGL trace per group, drawn so that 20,000 points move at once.

    Args:
        places: Shape `(n, 2)`, as of `EmbeddingMap`.
        groups: A name for each point, which gives its colour.
    """
    from plotly.graph_objects import Scattergl

    figure = plots.figure(HEIGHT)
    traces = members(groups)
    colours = plots.class_colours([name for name, _ in traces])
    size = 7 if len(places) <= 2000 else 4
    for name, rows in traces:
        figure.add_trace(
            Scattergl(
                x=places[rows, 0],
                y=places[rows, 1],
                mode="markers",
                name=plots.literal(f"{name} ({len(rows):,})"),
                marker={"size": size, "color": colours[name], "opacity": 0.75},
                hoverinfo="name",
            )
        )
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "y": -0.02, "itemsizing": "constant"},
        dragmode="lasso",
    )
    # Distances along an axis mean nothing by themselves.
    figure.update_xaxes(visible=False, range=[-1.05, 1.05])
    figure.update_yaxes(visible=False, range=[-1.05, 1.05])
    return figure
