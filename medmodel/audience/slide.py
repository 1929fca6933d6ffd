"""What the presenter shows, as data that a projector and a phone draw alike."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from medmodel.language import _, present_language

State = Literal["empty", "busy", "full", "failed"]

MOST_POINTS = 400
"""Points of a curve as shown: about as many as a projector has room for."""


@dataclass(frozen=True)
class Bar:
    """One bar of a list.

    Args:
        name: What it stands for.
        share: Its length, from 0 to 1.
        text: Its value as people read it.
        colour: A CSS colour as `#rrggbb`; "" for the accent colour.
        low: Lower end of an interval, from 0 to 1; None for no interval.
        high: Upper end of it.
    """

    name: str
    share: float
    text: str
    colour: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Args:
        name: What it shows.
        x: Places, in order.
        y: Values; not-a-number where there is none.
        text: The last value as people read it.
        thin: Whether it steps back behind the others.
        dotted: Whether it is a dotted beginning of the first curve, without a name.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    text: str = ""
    thin: bool = False
    dotted: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves over one pair of axes.

    Args:
        title: What is shown.
        x_title: Name of the horizontal axis.
        curves: The curves, at most four.
        per_cent: Whether values are shown in per cent.
        share: Whether they lie in [0, 1].
        marked: Place of the best value on the horizontal axis; None for none.
    """

    title: str
    x_title: str
    curves: tuple[Curve, ...]
    per_cent: bool = False
    share: bool = False
    marked: float | None = None


@dataclass(frozen=True)
class Image:
    """One image, shown only where the presenter allows it.

    Args:
        title: What stands above it.
        alt: What a screen reader says.
        png: The file.
    """

    title: str
    alt: str
    png: bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file: its name below the audience address."""
        return hashlib.sha256(self.png).hexdigest()


@dataclass(frozen=True)
class Slide:
    """One thing, large: what the projector shows.

    Args:
        step: Where in the demo this is, in one word.
        title: The answer, or what is looked at.
        sentence: What there is to know, in one sentence or two.
        state: Whether there is something to show.
        progress: Share of the work that is done, from 0 to 1; None where none is.
        bars: Values by name.
        charts: Curves.
        images: Images of the data set or of patients.
        notes: What limits the answer, each one sentence.
    """

    step: str
    title: str
    sentence: str = ""
    state: State = "full"
    progress: float | None = None
    bars: tuple[Bar, ...] = ()
    charts: tuple[Chart, ...] = ()
    images: tuple[Image, ...] = ()
    notes: tuple[str, ...] = ()

    def for_phones(self, with_images: bool) -> Slide:
        """What of it leaves this machine; what is held back is said.

        Args:
            with_images: Whether the presenter allowed its images on phones. What went
                wrong may name a file, and a file's name a person: never on phones.
        """
        slide = self
        if slide.state == "failed":
            sentence = _("What went wrong is told on the projector only.")
            slide = replace(slide, sentence=sentence, notes=())
        if slide.images and not with_images:
            note = _("The images are shown on the projector only.")
            slide = replace(slide, images=(), notes=(*slide.notes, note))
        return slide

    def facts(self, inline: bool = False) -> dict[str, Any]:
        """JSON values that `assets/slide.js` draws.

        Args:
            inline: Whether images travel within, as data URIs, rather than by name.
        """
        return {
            "lang": present_language().replace("_", "-"),
            "step": self.step,
            "title": self.title,
            "sentence": self.sentence,
            "state": self.state,
            "progress": _number(self.progress),
            "progressTitle": _("Progress"),
            "bars": [_bar(bar) for bar in self.bars],
            "charts": [_chart(chart) for chart in self.charts],
            "images": [_image(image, inline) for image in self.images],
            "notes": list(self.notes),
        }


def thinned(
    x: Sequence[float], y: Sequence[float], most: int = MOST_POINTS
) -> tuple[list[float], list[float]]:
    """At most so many points of a curve: the extremes of equal stretches, in order.

    Values that are not numbers are left out; the first and the last value stay.
    """
    places = [i for i, value in enumerate(y) if math.isfinite(value)]
    if len(places) > most:
        stretches = (most - 2) // 2
        chosen = {places[0], places[-1]}
        for part in range(stretches):
            start, end = (len(places) * at // stretches for at in (part, part + 1))
            chosen.add(min(places[start:end], key=y.__getitem__))
            chosen.add(max(places[start:end], key=y.__getitem__))
        places = sorted(chosen)
    return [x[i] for i in places], [y[i] for i in places]


def _number(value: float | None) -> float | None:
    finite = value is not None and math.isfinite(value)
    return float(f"{value:.5g}") if finite else None


def _share(value: float | None) -> float | None:
    number = _number(value)
    return None if number is None else min(max(number, 0.0), 1.0)


def _bar(bar: Bar) -> dict[str, Any]:
    return {
        "name": bar.name,
        "share": _share(bar.share) or 0.0,
        "text": bar.text,
        "colour": bar.colour,
        "low": _share(bar.low),
        "high": _share(bar.high),
    }


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "title": chart.title,
        "xTitle": chart.x_title,
        "perCent": chart.per_cent,
        "share": chart.share,
        "marked": _number(chart.marked),
        "curves": [_curve(curve) for curve in chart.curves],
    }


def _curve(curve: Curve) -> dict[str, Any]:
    x, y = thinned(curve.x, curve.y)
    return {
        "name": curve.name,
        "text": curve.text,
        "thin": curve.thin,
        "dotted": curve.dotted,
        "x": [_number(value) for value in x],
        "y": [_number(value) for value in y],
    }


def _image(image: Image, inline: bool) -> dict[str, Any]:
    source = f"image/{image.digest}"
    if inline:
        source = f"data:image/png;base64,{base64.b64encode(image.png).decode()}"
    return {"title": image.title, "alt": image.alt, "source": source}
