"""An image, alone or with its saliency map: zoom, pan, slider, full screen, window.

All of it happens in the browser, see `assets/viewer.js`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import streamlit as st

from medmodel.core.environment import asset_text
from medmodel.imaging.images import Pixels, png_bytes, thumbnail
from medmodel.language import N_, _
from pages._shared.common.image_view import SIDE, data_uri, media_url
from pages._shared.common.widgets import at_least_high

HEIGHT = 300
"""Pixels of tools, images and one line below them on a projector's screen."""
Area = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the image."""
_TEXTS = {
    "viewer": N_("Image viewer"),
    "tools": N_("View"),
    "images": N_("Images"),
    "keys": N_("Images. + and - zoom, arrow keys move, 0 resets, F is full screen."),
    "in": N_("Zoom in"),
    "out": N_("Zoom out"),
    "reset": N_("Reset zoom"),
    "layout": N_("Layout"),
    "beside": N_("Side by side"),
    "slider": N_("Slider"),
    "full": N_("Full screen"),
    "divider": N_("Slider between image and saliency map"),
    "window": N_("Window"),
    "center": N_("Centre"),
    "width": N_("Width"),
    "adjusted": N_("Adjusted"),
    "back": N_("Double click: back to the first window"),
    "drag": N_(
        "Drag with the right button, or with Shift: right is wider, down is a higher "
        "centre."
    ),
    "eyes": N_(
        "For your eyes only: the model sees the window of its training, whatever is "
        "chosen here."
    ),
    "lost": N_(
        "The values of this image have not arrived, so its window cannot "
        "be changed. Reload the page and drop the image again."
    ),
}


@dataclass(frozen=True)
class Layer:
    """One image of the viewer.

    Args:
        title: What stands in its corner.
        caption: What stands below it.
        alt: What a screen reader says.
        pixels: The image.
        area: Where on the whole image it lies; None for all over it.
        for_a_moment: It gives way to another one soon, perhaps before a browser has
            asked for its file, so it travels within the page.
        warning: What must be read together with it, at its foot: few words, since they
            have one line in an image of 150 pixels.
    """

    title: str
    caption: str
    alt: str
    pixels: Pixels
    area: Area | None = None
    for_a_moment: bool = False
    warning: str = ""


@dataclass(frozen=True)
class NamedWindow:
    """A window to choose; both numbers None for a lookup table."""

    name: str
    center: float | None
    width: float | None
    shape: str = "LINEAR"


@dataclass(frozen=True)
class WindowedValues:
    """What the browser needs to draw the first layer through any window.

    Args:
        source: Address of `StoredValues.compressed`.
        width: Of the stored values, in pixels.
        height: Likewise.
        slope: Of `StoredValues`.
        intercept: Likewise.
        inverted: Whether large values are dark.
        unit: Of the values, "HU" for CT; else "".
        low: The smallest value.
        high: The largest.
        least: Step by which centre and width change, above 0.
        presets: The first is that of the file; the second is none of a lookup table.
    """

    source: str
    width: int
    height: int
    slope: float
    intercept: float
    inverted: bool
    unit: str
    low: float
    high: float
    least: float
    presets: Sequence[NamedWindow]


class Measurer(Protocol):
    """What measures shapes that are drawn on the viewer's image."""

    def take(self, drawn: Any) -> None:
        """Keeps what the browser says was drawn."""

    def facts(self) -> dict[str, Any]:
        """What `assets/measure.js` is told: shapes, their numbers, texts."""


def show_viewer(
    layers: Sequence[Layer],
    size: tuple[int, int],
    key: str,
    values: WindowedValues | None = None,
    aligned: bool = True,
    measurer: Measurer | None = None,
) -> None:
    """Shows one image, or two whose zoom and place move in step; see `viewer_facts`.

    Args:
        layers: As there.
        size: Likewise.
        key: Likewise.
        values: Likewise.
        aligned: Likewise.
        measurer: What measures shapes that are drawn on the image.
    """
    component = st.components.v2.component(
        "viewer",
        html=asset_text("viewer.html"),
        css=asset_text("viewer.css", "measure.css"),
        js=asset_text("measure.js", "viewer.js", "viewer_component.js"),
    )
    waiting = any(layer.for_a_moment for layer in layers)
    name = f"viewer-{key}{'-waiting' * waiting}"

    def take_shapes() -> None:
        if measurer:
            measurer.take(st.session_state[name].get("drawn"))

    measuring = {"measure": measurer.facts() if measurer else None}
    with at_least_high(HEIGHT):
        component(
            data=viewer_facts(layers, size, key, values, aligned) | measuring,
            key=name,
            on_drawn_change=take_shapes,
        )


def viewer_parts() -> dict[str, str]:
    """What another component needs to show the viewer within it, beside `viewer.js`."""
    return {"html": asset_text("viewer.html"), "css": asset_text("viewer.css")}


def viewer_facts(
    layers: Sequence[Layer],
    size: tuple[int, int],
    key: str,
    values: WindowedValues | None = None,
    aligned: bool = True,
) -> dict[str, Any]:
    """What `assets/viewer.js` draws.

    Args:
        layers: The image, and its saliency map where there is one.
        size: Width and height of the whole image in pixels.
        key: Of the image: what was looked at how stays as long as it does.
        values: Of a scan, which is then windowed in the browser.
        aligned: Whether a place of one layer is the same place of the other.
    """
    return {
        "id": key,
        "size": size,
        "layers": [_facts(x, size, f"{key}-{i}") for i, x in enumerate(layers)],
        "aligned": aligned,
        "window": asdict(values) if values else None,
        "texts": {name: _(text) for name, text in _TEXTS.items()},
    }


def _facts(layer: Layer, size: tuple[int, int], place: str) -> dict[str, Any]:
    pixels = thumbnail(layer.pixels, 2 * SIDE)
    source = (
        data_uri(pixels)
        if layer.for_a_moment
        else media_url(png_bytes(pixels), "image/png", place)
    )
    return {
        "title": layer.title,
        "warning": layer.warning,
        "caption": layer.caption,
        "alt": layer.alt,
        "source": source,
        "place": layer.area or (0, 0, *size),
    }
