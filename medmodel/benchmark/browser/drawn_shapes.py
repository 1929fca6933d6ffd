"""Row on measuring: shapes of known size, drawn in the viewer at five zooms."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import nibabel
import numpy as np

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.staged_pages import PROJECTOR
from medmodel.benchmark.servers import browser
from medmodel.core.environment import asset_text
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.images import decode, png_bytes
from medmodel.imaging.measurement.measuring import Measured, measure
from medmodel.imaging.measurement.shapes import PixelSize, Shape, shape_of
from medmodel.imaging.measurement.shapes import angle as angle_of
from medmodel.imaging.measurement.shapes import area as area_of
from medmodel.imaging.measurement.shapes import length as length_of

ZOOMS = (1, 2, 4, 8, 16)
SIZE = 256, 192
"""Width and height of the image in pixels, as it is shown."""
_EACH = 4
"""Shapes of each kind at each zoom, in each image."""
_SQUARE = PixelSize(1.0, 1.0)
_TEXTS = ("viewer", "tools", "images", "keys", "layout", "in", "out", "reset", "full")
_MEASURE_TEXTS = ("tools", "list", "line", "ellipse", "polygon", "angle", "place")
_MORE_TEXTS = ("point", "pick", "name", "remove", "calibrate", "calibrated", "known")
_SHOW = """async ({ source, data }) => {
  const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const setStateValue = (_, drawn) => { window.drawn = drawn; };
  module.default({ parentElement: document.body, data, setStateValue });
  const { viewer } = document.querySelector(".mm-viewer");
  viewer.fill();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
_LOOK = """({ zoom, x, y }) => {
  const { viewer } = document.querySelector(".mm-viewer"), view = viewer.state;
  viewer.measure.drawing.shapes.length = 0;
  viewer.measure.changed();
  Object.assign(view, { zoom, x, y });
  viewer.draw();
  const box = document.querySelector(".mm-pane").getBoundingClientRect();
  return { x: view.x, y: view.y, scale: view.scale,
           left: box.left, top: box.top, width: box.width, height: box.height };
}"""


class View(NamedTuple):
    """What part of the image is seen, and where on the screen."""

    x: float
    y: float
    scale: float
    left: float
    top: float
    width: float
    height: float

    def on_screen(self, point: tuple[float, float]) -> tuple[int, int]:
        """The nearest pixel of the screen, which is all that a mouse reaches."""
        x = self.left + self.width / 2 + (point[0] - self.x) * self.scale
        y = self.top + self.height / 2 + (point[1] - self.y) * self.scale
        return round(x), round(y)

    def inner(self) -> tuple[float, float, float, float]:
        """Left, top, width and height in pixels of the image, a margin left out."""
        wide = min(self.width / self.scale, SIZE[0]) * 0.9
        high = min(self.height / self.scale, SIZE[1]) * 0.9
        return self.x - wide / 2, self.y - high / 2, wide, high


def drawn_shapes() -> list[Measurement]:
    """Pixels by which lengths, areas and angles of drawn shapes are off, at worst."""
    errors: dict[str, list[float]] = {"length": [], "area": [], "angle": []}
    files = _files()
    with browser() as chromium:
        page = chromium.new_page(viewport=PROJECTOR)
        page.set_content(_page())
        arguments = {
            "source": asset_text("measure.js", "viewer.js", "viewer_component.js"),
            "data": _data(),
        }
        page.evaluate(_SHOW, arguments)
        for zoom in ZOOMS:
            for wanted, drawn in _draw_all(page, zoom):
                for measured in _measured(files, drawn):
                    name, error = _error(wanted, measured)
                    errors[name].append(error)
    worst = {name: max(values) for name, values in errors.items()}
    count = sum(map(len, errors.values()))
    note = (
        f"length {worst['length']:.2f}, area as the side of a square "
        f"{worst['area']:.2f}, angle as an arc at its shorter leg "
        f"{worst['angle']:.2f} px at worst of {count} measurements at zooms of "
        f"{', '.join(map(str, ZOOMS))}, in an image of {SIZE[0]} × {SIZE[1]} px that "
        "fills the screen, and in one whose rows are twice as far apart as its columns"
    )
    return [at_most("measure", max(worst.values()), 1, "px", note)]


def _page() -> str:
    style = asset_text("viewer.css", "measure.css")
    return f"<style>{style}</style>{asset_text('viewer.html')}"


def _grey(rows: int) -> Any:
    random = np.random.default_rng(0)
    return random.integers(40, 90, (rows, SIZE[0], 1), np.uint8)


def _data() -> dict[str, Any]:
    image = base64.b64encode(png_bytes(_grey(SIZE[1]))).decode()
    layer = {
        "title": "",
        "caption": "",
        "alt": "",
        "source": f"data:image/png;base64,{image}",
        "place": (0, 0, *SIZE),
    }
    texts = dict.fromkeys((*_MEASURE_TEXTS, *_MORE_TEXTS, "set", "undo"), "")
    names = dict.fromkeys(("line", "ellipse", "polygon", "angle"), "")
    nothing: dict[str, Any] = {"shapes": [], "known": None, "numbers": {}}
    return {
        "id": "drawn",
        "size": SIZE,
        "layers": [layer],
        "aligned": True,
        "window": None,
        "texts": dict.fromkeys(_TEXTS, ""),
        "measure": nothing
        | {"sentences": [], "error": "", "texts": texts | {"names": names}},
    }


def _draw_all(page: Any, zoom: int) -> Iterator[tuple[Shape, Shape]]:
    """Each shape that was meant, and what the viewer tells Python of it."""
    random = np.random.default_rng(zoom)
    for _ in range(_EACH):
        middle = random.uniform(0.3, 0.7, 2) * SIZE
        x, y = map(float, middle)
        for wanted in _shapes(random, View(**_look(page, zoom, x, y))):
            view = View(**_look(page, zoom, x, y))
            _draw(page, view, wanted)
            (fields,) = page.evaluate("() => window.drawn.shapes")
            drawn = shape_of(fields["kind"], fields["points"])
            assert drawn is not None
            yield wanted, drawn


def _look(page: Any, zoom: int, x: float, y: float) -> dict[str, float]:
    look: dict[str, float] = page.evaluate(_LOOK, {"zoom": zoom, "x": x, "y": y})
    return look


def _shapes(random: np.random.Generator, view: View) -> list[Shape]:
    """One of each kind, about as large as what is seen."""
    left, top, wide, high = view.inner()
    centre = np.array([left + wide / 2, top + high / 2])

    def around(count: int) -> list[tuple[float, float]]:
        turns = (np.arange(count) + random.uniform(0, 0.6, count)) * 2 * np.pi / count
        radii = random.uniform(0.5, 1, count)[:, None] * (wide / 2, high / 2)
        places = centre + radii * np.column_stack([np.cos(turns), np.sin(turns)])
        return [(float(x), float(y)) for x, y in places]

    return [
        Shape("line", tuple(around(2))),
        Shape("ellipse", tuple(around(2))),
        Shape("polygon", tuple(around(5))),
        Shape("angle", tuple(around(3))),
    ]


def _draw(page: Any, view: View, shape: Shape) -> None:
    page.click(f"[data-tool={shape.kind}]")
    places = [view.on_screen(point) for point in shape.points]
    if shape.kind in ("line", "ellipse"):
        page.mouse.move(*places[0])
        page.mouse.down()
        page.mouse.move(*places[1], steps=3)
        page.mouse.up()
        return
    for place in places + places[:1] * (shape.kind == "polygon"):
        page.mouse.click(*place)


def _files() -> dict[str, bytes]:
    """A PNG, and a volume whose slice is widened to be shown, by name."""
    voxels = _grey(SIZE[1] // 2)[..., 0].T[..., None].repeat(2, axis=2)
    oblong = nibabel.Nifti1Image(voxels.astype(np.int16), np.diag([1, 2, 1, 1]))
    files = {"drawn.png": png_bytes(_grey(SIZE[1])), "drawn.nii": oblong.to_bytes()}
    for name, content in files.items():
        decode(content, name)  # whatever reads it is imported then
    return files


def _measured(files: dict[str, bytes], drawn: Shape) -> list[Measured]:
    return [
        measure(content, name, DecodeOptions(), [drawn], SIZE)[0]
        for name, content in files.items()
    ]


def _error(wanted: Shape, measured: Measured) -> tuple[str, float]:
    """What was measured, and by how many pixels it is off."""
    if measured.length is not None:
        return "length", abs(measured.length - length_of(wanted, _SQUARE))
    if measured.area is not None:
        true = math.sqrt(area_of(wanted, _SQUARE))
        return "area", abs(math.sqrt(measured.area) - true)
    assert measured.angle is not None
    difference = measured.angle - (angle_of(wanted, _SQUARE) or 0.0)
    first, vertex, second = wanted.points
    leg = min(math.dist(first, vertex), math.dist(second, vertex))
    return "angle", abs(math.radians(difference)) * leg
