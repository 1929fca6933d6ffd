"""Row on what stands whole on the first screen of a projector."""

from __future__ import annotations

from typing import Any

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.staged_pages import PROJECTOR, settled, staged
from medmodel.benchmark.servers import browser

CHART, TABLE = ".js-plotly-plot", "[data-testid='stDataFrame']"
PRIMARY = "[data-testid='stBaseButton-primary'] >> nth=0"
ANSWER = {
    "answer": "[data-testid='stHtml'] p",
    "image": "img[alt='The image']",
    "saliency map": "img[alt*='laid over the image']",
    "bars": CHART,
}
ELEMENTS: dict[str, dict[str, str]] = {
    "a run": {"loss": f"{CHART} >> nth=0", "accuracy": f"{CHART} >> nth=1"},
    "Train": {"Train": PRIMARY},
    "Evaluate": {
        **{
            f"metric {at + 1}": f"[data-testid='stMetric'] >> nth={at}" for at in (0, 3)
        },
        "confusion matrix": CHART,
    },
    "Compare": {"verdict": "[data-testid='stHtml'] p", "intervals": CHART},
    "Compare of segmentations": {"verdict": "[data-testid='stHtml'] p", "p": TABLE},
    "Diagnose": ANSWER,
    "Diagnose of several findings": ANSWER,
    "Review labels": {
        "image": "[data-testid='stImage'] img",
        "scores": CHART,
        "last class": "text=4 · Several nodules",
    },
    "Reader study": {
        "image": "[data-testid='stImage'] img",
        "question": "[data-testid='stRadio'] >> nth=0",
        "Commit": PRIMARY,
    },
    "Follow-up": {"sum of diameters": CHART},
    "Sweep": {"Compare all recipes": PRIMARY},
    "a sweep": {"winner": "text=Lowest validation loss", "trials": TABLE},
    "Import": {"model file": ".mm-upload"},
    "Batch prediction": {"folder": "[data-testid='stSelectbox'] >> nth=1"},
    "a batch": {
        **{f"count {at + 1}": f"[data-testid='stMetric'] >> nth={at}" for at in (0, 3)},
        "classes": TABLE,
    },
    "By group": {"verdict": "[data-testid='stAlert']"},
    "Robustness": {"verdict": "text=At strength"},
    "Survival": {"table of outcomes": "[data-testid='stFileUploader']"},
    "Evaluate of a segmentation": {"metrics": TABLE},
    "Evaluate of several findings": {
        **{
            f"metric {at + 1}": f"[data-testid='stMetric'] >> nth={at}" for at in (0, 2)
        },
        "findings": TABLE,
    },
    "an ensemble": {"members": TABLE},
}
"""Page -> what it is for, by name: a selector."""
Box = dict[str, float]
"""`x`, `y`, `width` and `height` of an element in pixels."""


def fold() -> list[Measurement]:
    """Elements of the pages that are cut, or missing, within 1280 × 720 pixels."""
    cut = []
    with staged(everything=True) as stage, browser() as chromium:
        for name, elements in ELEMENTS.items():
            page = chromium.new_context(viewport=PROJECTOR).new_page()
            page.goto(stage.pages[name])
            settled(page)
            stage.fill(page, name)
            cut += [f"{name}: {each}" for each in elements_cut(page, elements)]
            page.context.close()
    total = sum(map(len, ELEMENTS.values()))
    note = (
        f"of {total} elements of {len(ELEMENTS)} pages; cut: {', '.join(cut) or 'none'}"
    )
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
