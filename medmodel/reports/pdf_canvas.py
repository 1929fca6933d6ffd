"""Pages of paper as PDF: text in any script, tables and small drawings, as vectors.

Arabic and Hebrew words run from right to left, each stretch of them by itself in a line
from left to right. The same content makes the same bytes. Letters come from DejaVu
Sans, which is embedded; Chinese, Japanese and Korean ones from the fonts that PDF
readers bring along. What neither has is drawn as a box.
"""

from __future__ import annotations

import functools
import io
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.core.environment import REPOSITORY
from medmodel.language import _
from medmodel.language.right_to_left import as_drawn

WIDTH, HEIGHT, MARGIN = 595.0, 842.0, 34.0
"""Of an A4 page, in points of 1/72 inch."""
LINE_HEIGHT = 1.32
"""Of a paragraph, by the size of its letters."""
INK, PALE, LINE = "#1c2730", "#55636e", "#c9d3da"
_FONT = REPOSITORY / "assets" / "fonts" / "DejaVuSans.ttf"
_MISSING = "□"
_loading = threading.Lock()
_EAST = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_OPENING, _CLOSING = "“‘（《「『【〔", "。，、；：？！）”’》」』】〕…"
_UNSEEN = re.compile(
    "[\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)
"""What says how letters join or run, and has no form of its own."""
_BLANKS = str.maketrans(dict.fromkeys("\t\n\v\f\r\x85\u2028\u2029", " "))
"""What parts words and has no form of its own, either."""
_UNIT = re.compile(rf"\s*(?:[{_OPENING}]*[{_EAST}]|[^\s{_EAST}]+)[{_CLOSING}]*")
"""What stays on one line: a word, or a Chinese character with its punctuation."""


class PdfCanvas:
    """A page that is written from top to bottom, and more of them where asked for.

    Args:
        title: What the file calls itself.

    Attributes:
        y: Where the next thing begins, in points from the lower edge.
        boxes: Whether a letter that no font has was drawn as a box.
    """

    def __init__(self, title: str) -> None:
        from reportlab.pdfgen.canvas import Canvas

        _fonts()
        self._file = io.BytesIO()
        # Without "invariant" the clock would be in the file.
        self._canvas = Canvas(self._file, (WIDTH, HEIGHT), invariant=1)
        self._canvas.setTitle(title)
        self._canvas.setCreator("MedModel")
        self.y = HEIGHT - MARGIN
        self.boxes = False

    def done(self) -> bytes:
        """The file."""
        self._canvas.save()
        return self._file.getvalue()

    def text(
        self, x: float, y: float, text: str, size: float = 8.5, colour: str = INK
    ) -> None:
        """One line whose baseline is at `y`."""
        self._canvas.setFillColor(colour)
        for font, part in _parts(text):
            self.boxes |= _MISSING in part
            self._canvas.setFont(font, size)
            self._canvas.drawString(x, y, part)
            x += _width(font, part, size)

    def centred(
        self, x: float, y: float, text: str, size: float = 7, colour: str = INK
    ) -> None:
        """One line around `x`."""
        self.text(x - text_width(text, size) / 2, y, text, size, colour)

    def paragraph(self, text: str, size: float = 8.5, colour: str = INK) -> None:
        """Lines over the page's width, and the place below them."""
        for line in wrapped(text, WIDTH - 2 * MARGIN, size):
            self.y -= size * LINE_HEIGHT
            self.text(MARGIN, self.y, line, size, colour)
        self.y -= size * 0.4

    def heading(self, text: str, x: float = MARGIN, size: float = 10.5) -> None:
        """A heading at the present height; what follows begins below it."""
        self.y -= size * 1.4
        self.text(x, self.y, text, size)
        self.y -= size * 0.35

    def frame(self, x: float, y: float, width: float, height: float, ink: str) -> None:
        """An empty rectangle."""
        self._canvas.setStrokeColor(ink)
        self._canvas.setLineWidth(0.8)
        self._canvas.rect(x, y, width, height, stroke=1, fill=0)

    def need(self, height: float) -> None:
        """Goes on on a new page where so much does not fit on this one."""
        if self.y - height < MARGIN:
            self._canvas.showPage()
            self.y = HEIGHT - MARGIN

    def image(self, png: bytes, x: float, top: float, side: float) -> float:
        """An image whose longer side is `side`; returns its height."""
        from reportlab.lib.utils import ImageReader

        image = ImageReader(io.BytesIO(png))
        width, height = image.getSize()
        scale = side / max(width, height)
        size = width * scale, height * scale
        self._canvas.drawImage(image, x, top - size[1], *size)
        return float(size[1])

    def cell(
        self, x: float, y: float, width: float, height: float, depth: float
    ) -> None:
        """A rectangle, the darker blue the nearer `depth` is to 1."""
        shade = [1 - depth * (1 - part) for part in (0.0, 0.45, 0.70)]
        self._canvas.setFillColorRGB(*shade)
        self._canvas.setStrokeColor("#ffffff")
        self._canvas.setLineWidth(0.5)
        self._canvas.rect(x, y, width, height, stroke=1, fill=1)

    def table(
        self,
        x: float,
        rows: Sequence[Sequence[str]],
        widths: Sequence[float],
        size: float = 7.5,
    ) -> None:
        """Rows under a heading row; what is too long for its column is shortened."""
        step = size * 1.5
        for at, row in enumerate(rows):
            self.y -= step
            place = x
            for cell, width in zip(row, widths, strict=True):
                shown = shortened(cell, width - 4, size)
                self.text(place, self.y, shown, size, PALE if at == 0 else INK)
                place += width
            self._canvas.setStrokeColor(LINE)
            self._canvas.setLineWidth(0.4)
            low = self.y - size * 0.35
            self._canvas.line(x, low, x + sum(widths), low)
        self.y -= size * 0.6

    def unit_square(
        self, x: float, y: float, side: float, x_title: str, y_title: str
    ) -> Square:
        """Axes from 0 to 1 whose lower left corner lies at `(x, y)`."""
        self.frame(x, y, side, side, LINE)
        for tick in (0, 0.5, 1):
            self.centred(x + side * tick, y - 8, f"{tick:g}", 6, PALE)
            label = f"{tick:g}"
            shift = text_width(label, 6) + 3
            self.text(x - shift, y + side * tick - 2, label, 6, PALE)
        self.centred(x + side / 2, y - 17, x_title, 7, PALE)
        self._canvas.saveState()
        self._canvas.translate(x - 17, y + side / 2)
        self._canvas.rotate(90)
        self.centred(0, 0, y_title, 7, PALE)
        self._canvas.restoreState()
        return Square(self._canvas, x, y, side)


class Square:
    """Axes on a page; see `Paper.unit_square`."""

    def __init__(self, canvas: Any, x: float, y: float, side: float) -> None:
        self._canvas, self._x, self._y, self._side = canvas, x, y, side

    def line(
        self,
        xs: NDArray[np.float64],
        ys: NDArray[np.float64],
        colour: str,
        dotted: bool = False,
    ) -> None:
        """A line through points in [0, 1], each of shape `(n,)`."""
        self._canvas.setStrokeColor(colour)
        self._canvas.setLineWidth(0.6 if dotted else 1.2)
        self._canvas.setDash([1.5, 2] if dotted else [])
        self._canvas.drawPath(self._path(xs, ys))
        self._canvas.setDash([])

    def band(
        self,
        xs: NDArray[np.float64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        colour: str,
    ) -> None:
        """A band between two lines, each of shape `(n,)`."""
        self._canvas.setFillColor(colour)
        self._canvas.setFillAlpha(0.15)
        outline = np.concatenate([xs, xs[::-1]]), np.concatenate([low, high[::-1]])
        self._canvas.drawPath(self._path(*outline), stroke=0, fill=1)
        self._canvas.setFillAlpha(1)

    def dot(self, x: float, y: float, low: float, high: float, colour: str) -> None:
        """A point with its interval."""
        place, bottom, top = (
            self._x + self._side * x,
            *(self._y + self._side * end for end in (low, high)),
        )
        self._canvas.setStrokeColor(colour)
        self._canvas.setLineWidth(0.8)
        self._canvas.line(place, bottom, place, top)
        self._canvas.setFillColor(colour)
        self._canvas.circle(place, self._y + self._side * y, 2, stroke=0, fill=1)

    def _path(self, xs: NDArray[np.float64], ys: NDArray[np.float64]) -> Any:
        path = self._canvas.beginPath()
        for at, (x, y) in enumerate(zip(xs, ys, strict=True)):
            step = path.lineTo if at else path.moveTo
            step(self._x + self._side * float(x), self._y + self._side * float(y))
        return path


def box_sentence() -> str:
    """What a box on the page means."""
    return _("□ is a letter that this PDF has no font for; the HTML report has it.")


def text_width(text: str, size: float) -> float:
    """Width of a line in points."""
    return sum(_width(font, part, size) for font, part in _parts(text))


def shortened(text: str, width: float, size: float) -> str:
    """The text, or as much of it as fits with an ellipsis."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def wrapped(text: str, width: float, size: float) -> Iterable[str]:
    """Lines that fit; between words where there are any, else within one.

    Chinese and Japanese have no blanks: a line may end after any of their characters,
    but none begins with a full stop or ends with an opening bracket.
    """
    line = ""
    for unit in _UNIT.findall(text):
        word = unit.strip()
        longer = f"{line}{' ' if word != unit else ''}{word}" if line else word
        if text_width(longer, size) <= width:
            line = longer
            continue
        if line:
            yield line
        while text_width(word, size) > width:
            fits = len(word) - 1
            while fits > 1 and text_width(word[:fits], size) > width:
                fits -= 1
            yield word[:fits]
            word = word[fits:]
        line = word
    if line:
        yield line


def _width(font: str, text: str, size: float) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(stringWidth(text, font, size))


def _parts(text: str) -> list[tuple[str, str]]:
    """The text as (font, characters) of each font, in order."""
    fonts = _fonts()
    runs_of_font: list[tuple[str, str]] = []
    for letter in _UNSEEN.sub("", as_drawn(text.translate(_BLANKS))):
        if ord(letter) not in fonts:
            # A form of an Arabic letter, or a compatible one, is drawn as the letter.
            compatible = unicodedata.normalize("NFKC", letter)
            letter = compatible if len(compatible) == 1 else letter
        code = ord(letter)
        font = "DejaVu" if code in fonts else _eastern(code)
        if not font:
            font, letter = "DejaVu", _MISSING
        if runs_of_font and runs_of_font[-1][0] == font:
            runs_of_font[-1] = font, runs_of_font[-1][1] + letter
        else:
            runs_of_font.append((font, letter))
    return runs_of_font


def _eastern(code: int) -> str:
    """The reader's own font for a character of Chinese, Japanese or Korean."""
    if 0x3040 <= code <= 0x30FF:
        return "HeiseiKakuGo-W5"
    if 0xAC00 <= code <= 0xD7A3:
        return "HYGothic-Medium"
    if 0x4E00 <= code <= 0x9FFF or 0x3000 <= code <= 0x303F or 0xFF00 <= code <= 0xFFEF:
        return "STSong-Light"
    return ""


@functools.cache
def _fonts() -> frozenset[int]:
    """Makes the fonts known, once; the characters that DejaVu Sans has."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont

    with _loading:
        font = TTFont("DejaVu", str(_FONT))
        pdfmetrics.registerFont(font)
        for name in ("STSong-Light", "HeiseiKakuGo-W5", "HYGothic-Medium"):
            pdfmetrics.registerFont(UnicodeCIDFont(name))
        return frozenset(font.face.charToGlyph)
