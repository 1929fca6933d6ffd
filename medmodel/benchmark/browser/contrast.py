"""Rows on reading from the back row: contrast and size of every text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from medmodel.benchmark import Measurement, at_least
from medmodel.benchmark.browser.staged_pages import PROJECTOR, Stage, settled, staged
from medmodel.benchmark.servers import browser

_TEXTS = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
_UNFOLD = """() => document.querySelectorAll("details:not([open]) > summary")
  .forEach((summary) => summary.click())"""
_AA, _AA_LARGE = 4.5, 3.0


class Text(TypedDict):
    """One text of a page.

    Attributes:
        text: Its beginning.
        ratio: Contrast of its colour against what lies below it, 1 to 21.
        pixels: Size of its font.
        large: Whether it is large in the sense of WCAG (24 px, or bold from 18.66 px).
        where: The element that it stands in.
    """

    text: str
    ratio: float
    pixels: float
    large: bool
    where: str


def contrast() -> list[Measurement]:
    """The lowest contrast of all texts of all pages, light and dark (WCAG 2.2 AA)."""
    with staged(everything=True) as stage, browser() as chromium:
        texts = list(_all_texts(stage, chromium))
    return [
        _lowest([t for t in texts if not t[1]["large"]], _AA, "text"),
        _lowest([t for t in texts if t[1]["large"]], _AA_LARGE, "large text"),
    ]


def _lowest(texts: list[tuple[str, Text]], goal: float, kind: str) -> Measurement:
    where, worst = min(texts, key=lambda text: text[1]["ratio"])
    note = f"{kind}: {worst['text']!r} on {where}, of {len(texts):,}"
    return at_least("contrast", worst["ratio"], goal, "ratio", note)


def _all_texts(stage: Stage, chromium: Any) -> Iterator[tuple[str, Text]]:
    for scheme in ("light", "dark"):
        context = chromium.new_context(viewport=PROJECTOR, color_scheme=scheme)
        page = context.new_page()
        for name, address in stage.pages.items():
            page.goto(address)
            settled(page)
            stage.fill(page, name)
            for text in page_texts(page):
                yield f"{name}, {scheme}", text
        context.close()


def page_texts(page: Any) -> Iterator[Text]:
    """Every visible text of a page, also of its tabs and of what can be unfolded."""
    page.evaluate(_UNFOLD)
    settled(page)
    yield from page.evaluate(_TEXTS)
    for number in range(page.get_by_role("tab").count()):
        tab = page.get_by_role("tab").nth(number)
        if tab.get_attribute("aria-selected") != "true" and tab.is_visible():
            tab.click()
            settled(page)
            yield from page.evaluate(_TEXTS)
