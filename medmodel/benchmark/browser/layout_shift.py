"""Row on pages that hold still while they load."""

from __future__ import annotations

from typing import Any

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.staged_pages import PHONE, PROJECTOR, settled, staged
from medmodel.benchmark.servers import browser, serving

# Cumulative layout shift as web.dev defines it: the worst window of shifts that lie
# less than 1 s apart and within 5 s; what follows a user's input does not count.
# `menu` tells the shift of the whole page when Streamlit's menu takes its place at the
# left: a page of two lines has it, too.
OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput)
      window.shifts.push({ value: entry.value, time: entry.startTime,
        menu: entry.sources.some(({ previousRect: from, currentRect: to }) =>
          from.width === innerWidth && from.height === innerHeight &&
          to.x > 0 && to.right === innerWidth) });
}).observe({ type: "layout-shift", buffered: true });
"""
_BARE = """
import streamlit as st
pages = [st.Page(lambda: st.title("One line"), title=t, url_path=t) for t in ("a", "b")]
st.navigation(pages).run()
"""


def layout_shift() -> list[Measurement]:
    """Cumulative layout shift of the page that moves most, each opened by its link.

    Beside it, without Streamlit's menu taking its place, on a phone, and a bare page
    with a menu.
    """
    with staged(everything=True) as stage, browser() as chromium:
        whole, own, phone = {}, {}, {}
        for name, address in stage.pages.items():
            whole[name], own[name] = page_shift(chromium, address)
            phone[name], _own = page_shift(chromium, address, PHONE)
        bare = stage.server.workspace / "bare.py"
        bare.write_text(_BARE)
        with serving(stage.server.workspace / "bare", bare) as server:
            without, _ = page_shift(chromium, server.url)
    return [
        _worst("layout_shift", whole, f"a bare page with a menu {without:.3f}"),
        _worst("layout_shift_below_menu", own, "without the menu taking its place"),
        _worst("layout_shift_phone", phone, "390 × 844"),
    ]


def _worst(name: str, shifts: dict[str, float], note: str) -> Measurement:
    worst = max(shifts, key=shifts.__getitem__)
    each = ", ".join(f"{page} {value:.3f}" for page, value in shifts.items())
    return at_most(name, shifts[worst], 0.1, "", f"{worst}; {each}; {note}")


def page_shift(
    chromium: Any, address: str, viewport: dict[str, int] = PROJECTOR
) -> tuple[float, float]:
    """Cumulative layout shift of one page until it is at rest.

    Args:
        chromium: The browser.
        address: Of the page.
        viewport: Width and height of the window in pixels.

    Returns:
        All of it, and without that of the menu taking its place.
    """
    context = chromium.new_context(viewport=viewport)
    page = context.new_page()
    page.add_init_script(OBSERVE)
    page.goto(address)
    settled(page)
    shifts = page.evaluate("window.shifts")
    context.close()
    return (
        cumulative([(s["time"], s["value"]) for s in shifts]),
        cumulative([(s["time"], s["value"]) for s in shifts if not s["menu"]]),
    )


def cumulative(shifts: list[tuple[float, float]]) -> float:
    """The worst session window of layout shifts.

    Args:
        shifts: Time in milliseconds and value of each, in order.

    Returns:
        The largest sum of values in a window of at most 5 s whose shifts lie less than
        1 s apart; 0 without any (web.dev, "Cumulative Layout Shift").
    """
    worst = total = 0.0
    began = last = float("-inf")
    for time, value in shifts:
        if time - last >= 1000 or time - began >= 5000:
            began, total = time, 0.0
        total += value
        last = time
        worst = max(worst, total)
    return worst
