"""Plotly charts: the one style, class colours, probability bars, confusion matrices.

Nothing here knows whether the page is light or dark: backgrounds are transparent, and
the page's theme colours text and axes.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medmodel.language import N_, _, join_sentences

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe and Ito, Color Universal Design (2008). Their black would vanish on a dark page
# and their yellow on a white one, so grey and yellow come last.
OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8A8A8A",
    "#D9C81A",
)
HEATMAP_CAPTION = N_("Where the network was sensitive, not the outline of a lesion.")
_MOST_NUMBERED = 20
_MATRIX, _NAMES = 372, 136
"""Pixels of a confusion matrix that more classes make no higher while they fit, and of
the names above it."""
BAR_HEIGHT = 34
"""Height of one probability bar in pixels."""


BLACK, WHITE = "#000000", "#ffffff"
_TURN = 0.468
"""Share of Cividis at which it has the same contrast to black and to white."""


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """One colour per class, by its position: the same wherever the class appears.

    From the ninth class on the eight hues return, darker, then lighter, then darker
    still; their names beside them tell them apart.
    """
    shades = (0.0, -0.4, 0.45, -0.65, 0.7)
    return {
        name: _shade(
            OKABE_ITO[position % len(OKABE_ITO)],
            shades[position // len(OKABE_ITO) % len(shades)],
        )
        for position, name in enumerate(classes)
    }


def per_cent(share: float) -> str:
    """A probability as people read it: `87 %`, `< 1 %`, `> 99 %`."""
    if share < 0.01:
        return "< 1 %"
    if share > 0.99:
        return "> 99 %"
    return f"{share * 100:.0f} %"


def measured_share(share: float, digits: int = 0) -> str:
    """A share that was counted: `87 %`; all and none are said only of all and none.

    Args:
        share: In [0, 1]; 0.999 is `> 99 %`, 1 is `100 %`.
        digits: Behind the point; with 1, 0.9997 is `> 99.9 %`.
    """
    edge = 10.0 ** -(digits + 2)
    if 0 < share < edge:
        return f"< {100 * edge:g} %"
    if 1 - edge < share < 1:
        return f"> {100 * (1 - edge):g} %"
    return f"{100 * share:.{digits}f} %"


def error_bars(
    values: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str
) -> dict[str, Any]:
    """Intervals around the values of a trace: its `error_x` or `error_y`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [end - value for end, value in zip(high, values, strict=True)],
        "arrayminus": [value - end for end, value in zip(low, values, strict=True)],
        "color": colour,
    }


def literal(text: str) -> str:
    """Text that Plotly draws as it is: class names may look like HTML."""
    return html.escape(text, quote=False)


def figure(height: int) -> Figure:
    """An empty figure in the style that all figures share.

    Args:
        height: In pixels; the width follows the page.
    """
    from plotly.graph_objects import Figure

    return Figure(
        layout={
            "template": template(),
            "height": height,
        }
    )


def template() -> dict[str, Any]:
    """The one Plotly template."""
    clear = "rgba(0,0,0,0)"
    axis = {"showgrid": False, "zeroline": False, "automargin": True}
    return {
        "layout": {
            "paper_bgcolor": clear,
            "plot_bgcolor": clear,
            "colorway": list(OKABE_ITO),
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "font": {"size": 15},
            "xaxis": axis,
            "yaxis": axis,
            "showlegend": False,
            "hoverlabel": {"font": {"size": 14}},
        }
    }


def probability_bars(
    classes: Sequence[str], scores: NDArray[np.floating], colours: Mapping[str, str]
) -> Figure:
    """Horizontal bars with their numbers, in the given order from the top.

    Args:
        classes: What each bar is called.
        scores: Probabilities in [0, 1], shape `(classes,)`.
        colours: As from `class_colours`.
    """
    drawing = figure(BAR_HEIGHT * len(classes) + 16)
    rows = list(range(len(classes)))
    values = [float(score) for score in scores]
    pairs = list(zip(classes, values, strict=True))
    drawing.add_bar(
        x=values,
        y=rows,
        orientation="h",
        width=0.66,
        marker={"color": [colours[name] for name in classes]},
        text=[per_cent(value) for value in values],
        textposition="outside",
        textfont={"size": 16},
        cliponaxis=False,
        hovertext=[f"{literal(c)}: {v:.4f}" for c, v in pairs],
        hoverinfo="text",
    )
    # Room for the number beside a full bar, however narrow the figure is.
    drawing.update_layout(margin_r=62, minreducedwidth=24)
    drawing.update_xaxes(range=[0, 1], visible=False, fixedrange=True)
    drawing.update_yaxes(
        tickvals=rows,
        ticktext=[literal(shortened(name)) for name in classes],
        tickfont={"size": 16},
        range=[len(classes) - 0.5, -0.5],
        ticks="",
        fixedrange=True,
    )
    return drawing


def confusion_figure(classes: Sequence[str], counts: NDArray[np.int64]) -> Figure:
    """A confusion matrix: count and share of its row in every cell.

    Args:
        classes: In the order of rows and columns.
        counts: Shape `(classes, classes)`; rows are labels, columns predicted classes.
    """
    k = len(classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    rows = [literal(shortened(name, 24)) for name in classes]
    columns = [literal(shortened(name, 22 if k < 6 else 14)) for name in classes]
    positions = list(range(k))
    # Eight classes still stand whole on a projector's first screen.
    room = min(_NAMES + k * max(22, 64 - 3 * k), max(_MATRIX, _NAMES + 22 * k))
    drawing = figure(room)
    drawing.add_heatmap(
        z=shares,
        x=positions,
        y=positions,
        zmin=0,
        zmax=1,
        colorscale="Cividis",
        showscale=False,
        xgap=2,
        ygap=2,
        hovertext=_cell_sentences(classes, counts, shares),
        hoverinfo="text",
    )
    if k <= _MOST_NUMBERED:
        _write_cells(drawing, counts, shares)
    drawing.update_xaxes(
        title=_("Predicted class"),
        side="top",
        tickvals=positions,
        ticktext=columns,
        ticks="",
    )
    drawing.update_yaxes(
        title=_("True class"),
        autorange="reversed",
        tickvals=positions,
        ticktext=rows,
        ticks="",
    )
    return drawing


def heatmap_caption(heatmap: NDArray[np.floating], name: str) -> str:
    """What stands below a heat map for the class of that name."""
    if not np.any(heatmap):
        more = _("Here no place spoke for {name}: the map is empty.", name=name)
    else:
        more = _("Yellow: most; violet: little.")
    return join_sentences([_(HEATMAP_CAPTION), more])


def overlay(
    image: NDArray[np.uint8], heatmap: NDArray[np.floating], opacity: float
) -> NDArray[np.uint8]:
    """Lays a heat map over an image; where it is cold the image shows through.

    Args:
        image: uint8 (height, width, 1 or 3).
        heatmap: Values in [0, 1], shape `(h, w)` of any size.
        opacity: 0 gives the image itself, 1 hides it where the map is hottest.

    Returns:
        uint8 (height, width, 3).
    """
    from PIL import Image

    height, width = image.shape[:2]
    heat = Image.fromarray(np.asarray(heatmap, np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    values = np.asarray(heat).clip(0, 1)
    colours = _inferno()[(values * 255).round().astype(np.uint8)]
    weight = (np.float32(opacity) * values)[..., None]
    mixed = image * (1 - weight) + colours * weight
    return np.broadcast_to(mixed, (height, width, 3)).round().astype(np.uint8)


def enlarged(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A small image made larger by whole factors, so that its pixels stay sharp.

    Args:
        image: uint8 (height, width, channels).
        side: Height and width at most, in pixels; larger images stay as they are.
    """
    factor = max(1, side // max(image.shape[:2]))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def framed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image in the middle of a dark square, with a narrow margin.

    Args:
        image: uint8 (height, width, channels).

    Returns:
        uint8 (side, side, channels).
    """
    height, width, channels = image.shape
    longest = max(height, width)
    side = longest + 2 * (longest // 64)
    frame = np.full((side, side, channels), 16, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    frame[top : top + height, left : left + width] = image
    return frame


@lru_cache(maxsize=1)
def _inferno() -> NDArray[np.uint8]:
    """The inferno map as 256 RGB colours, shape `(256, 3)`: even in grey print."""
    from plotly.colors import sequential

    anchors = np.array(
        [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in sequential.Inferno]
    )
    places = np.linspace(0, 255, len(anchors))
    levels = np.arange(256)
    channels = [np.interp(levels, places, anchors[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def _shade(colour: str, towards: float) -> str:
    """Mixes a colour with white (up to 1) or black (down to -1)."""
    goal = 255 if towards > 0 else 0
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    mixed = (round(part + abs(towards) * (goal - part)) for part in parts)
    return "#" + "".join(f"{part:02X}" for part in mixed)


def shortened(name: str, longest: int = 28) -> str:
    """A name without its middle, where it has more than `longest` characters."""
    # Both ends tell classes apart: "T3 with ..." and "... left upper lobe".
    if len(name) <= longest:
        return name
    head = longest * 2 // 3
    return f"{name[:head]}…{name[head + 1 - longest :]}"


def cell_text_colours(shares: NDArray[np.float64]) -> list[str]:
    """Colour of the number in each cell of a heat map in Cividis.

    Black and white alone: where the map is of middle brightness no softer pair has a
    contrast of 4.5 : 1 (WCAG 2.2, 1.4.3).

    Args:
        shares: Of the colour scale, 0 to 1.
    """
    colours: list[str] = np.where(shares.ravel() > _TURN, BLACK, WHITE).tolist()
    return colours


def _write_cells(
    drawing: Figure, counts: NDArray[np.int64], shares: NDArray[np.float64]
) -> None:
    """Numbers into the cells, dark on bright ones and bright on dark ones."""
    k = len(counts)
    rows, columns = np.divmod(np.arange(k * k), k)
    share_too = k <= 8
    drawing.add_scatter(
        x=columns,
        y=rows,
        mode="text",
        text=[
            f"{count}<br>{literal(measured_share(share))}"
            if count and share_too
            else f"{count}"
            for count, share in zip(counts.flat, shares.flat, strict=True)
        ],
        textfont={
            "size": 17 if k <= 4 else 14 if k <= 8 else 11,
            "color": cell_text_colours(shares),
        },
        hoverinfo="skip",
    )


def _cell_sentences(
    classes: Sequence[str], counts: NDArray[np.int64], shares: NDArray[np.float64]
) -> list[list[str]]:
    return [
        [
            _(
                "{images} of {total} {label}<br>predicted class {choice}: {share}",
                images=counts[i, j],
                total=counts[i].sum(),
                label=literal(label),
                choice=literal(choice),
                share=literal(measured_share(shares[i, j])),
            )
            for j, choice in enumerate(classes)
        ]
        for i, label in enumerate(classes)
    ]
