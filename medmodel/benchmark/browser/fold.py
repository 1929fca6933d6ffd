"""Row on what stands whole on the first screen of a projector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.staged_pages import PROJECTOR, settled, staged
from medmodel.benchmark.servers import browser

CHART = ".js-plotly-plot"
ELEMENTS: dict[str, dict[str, str]] = {
    "a run": {"loss": f"{CHART} >> nth=0", "accuracy": f"{CHART} >> nth=1"},
    "Train": {"Train": "[data-testid='stBaseButton-primary'] >> nth=0"},
    "Evaluate": {
        **{
            f"metric {at + 1}": f"[data-testid='stMetric'] >> nth={at}" for at in (0, 3)
        },
        "confusion matrix": CHART,
    },
    "Compare": {"verdict": "[data-testid='stHtml'] p", "intervals": CHART},
    "Diagnose": {
        "answer": "[data-testid='stHtml'] p",
        "image": "img[alt='The image']",
        "saliency map": "img[alt*='laid over the image']",
        "bars": CHART,
    },
    "Reader study": {
        "image": "[data-testid='stImage'] img",
        "question": "[data-testid='stRadio'] >> nth=0",
        "Commit": "[data-testid='stBaseButton-primary'] >> nth=0",
    },
    "Follow-up": {"sum of diameters": CHART},
}
"""Page -> what it is for, by name: a selector."""
_OPENED = {"Reader study": "Begin", "Follow-up": "Show an example"}
"""Page -> what is pressed on it before it has anything to show."""
_WAIT = 60_000
Box = dict[str, float]
"""`x`, `y`, `width` and `height` of an element in pixels."""


def fold() -> list[Measurement]:
    """Elements of seven pages that are cut, or missing, within 1280 × 720 pixels."""
    cut = []
    with staged() as stage, browser() as chromium:
        for name, elements in ELEMENTS.items():
            page = chromium.new_context(viewport=PROJECTOR).new_page()
            page.goto(stage.pages[name])
            settled(page)
            if name == "Diagnose":
                _diagnose(page, next(stage.dataset.rglob("*.png")))
            if name in _OPENED:
                page.get_by_text(_OPENED[name]).first.click(timeout=_WAIT)
                settled(page)
            cut += [f"{name}: {each}" for each in elements_cut(page, elements)]
            page.context.close()
    total = sum(map(len, ELEMENTS.values()))
    note = f"of {total} elements; cut: {', '.join(cut) or 'none'}"
    return [at_most("fold", len(cut), 0, "elements", note)]


def elements_cut(page: Any, elements: dict[str, str]) -> list[str]:
    """Names of the elements that do not stand whole, or below the disclaimer."""
    note = page.get_by_role("note").first.bounding_box()
    cut = []
    for name, selector in elements.items():
        found = page.locator(selector).first
        place = found.bounding_box() if found.count() else None
        if place is None or not is_whole(place) or overlap(place, note):
            cut.append(name)
    return cut


def is_whole(place: Box) -> bool:
    """Whether a box lies within the projector's screen, to the pixel."""
    right, lower = place["x"] + place["width"], place["y"] + place["height"]
    inside = place["x"] >= -0.5 and place["y"] >= -0.5
    return (
        inside
        and right <= PROJECTOR["width"] + 0.5
        and (lower <= PROJECTOR["height"] + 0.5)
    )


def overlap(one: Box, other: Box | None) -> bool:
    """Whether two boxes share more than a pixel's edge."""
    return other is not None and all(
        one[start] + one[length] > other[start] + 0.5
        and other[start] + other[length] > one[start] + 0.5
        for start, length in (("x", "width"), ("y", "height"))
    )


def _diagnose(page: Any, image: Path) -> None:
    page.get_by_role("button", name="I understand").click(timeout=_WAIT)
    page.locator("input[type=file]").first.set_input_files(str(image), timeout=_WAIT)
    page.locator("img[alt*='laid over the image']").wait_for(timeout=2 * _WAIT)
    settled(page)
