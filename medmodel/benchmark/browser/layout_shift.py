"""Row on pages that hold still while they load."""

from __future__ import annotations

from typing import Any

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.staged_pages import PROJECTOR, settled, staged
from medmodel.benchmark.servers import browser

# Cumulative layout shift as web.dev defines it: the worst window of shifts that lie
# less than 1 s apart and within 5 s; what follows a user's input does not count.
OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (!entry.hadRecentInput)
      window.shifts.push({ value: entry.value, time: entry.startTime,
        moved: entry.sources.map((s) => s.node?.parentElement?.innerText ?? "") });
}).observe({ type: "layout-shift", buffered: true });
"""


def layout_shift() -> list[Measurement]:
    """Cumulative layout shift of the page that moves most, each opened by its link."""
    with staged() as stage, browser() as chromium:
        shifts = {
            name: page_shift(chromium, address) for name, address in stage.pages.items()
        }
    worst = max(shifts, key=shifts.__getitem__)
    each = ", ".join(f"{name} {value:.3f}" for name, value in shifts.items())
    return [at_most("layout_shift", shifts[worst], 0.1, "", f"{worst}; {each}")]


def page_shift(chromium: Any, address: str) -> float:
    """Cumulative layout shift of one page at 1280 × 720, until it is at rest."""
    context = chromium.new_context(viewport=PROJECTOR)
    page = context.new_page()
    page.add_init_script(OBSERVE)
    page.goto(address)
    settled(page)
    shifts = [(s["time"], s["value"]) for s in page.evaluate("window.shifts")]
    context.close()
    return cumulative(shifts)


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
