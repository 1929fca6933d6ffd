"""Row on a map of 20,000 images: coloured anew, and drawn again when it is dragged."""

from __future__ import annotations

import statistics
import time

import numpy as np
from numpy.typing import NDArray

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.staged_pages import PROJECTOR
from medmodel.benchmark.servers import browser
from medmodel.core.environment import asset_text
from medmodel.quality.embedding_map import MOST_POINTS
from medmodel.reports.point_map import chart_data

_REDRAWN = """async ({ source, colourings }) => {
  const shown = () => new Promise((done) =>
    requestAnimationFrame(() => requestAnimationFrame(done)));
  const module = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const timed = async (work) => {
    const began = performance.now();
    work();
    await shown();
    return performance.now() - began;
  };
  const show = (data) => () =>
    module.default({ parentElement: document.body, data, setStateValue: () => {} });
  await timed(show(colourings[0]));
  const coloured = [], dragged = [];
  for (let step = 1; step <= 6; step++)
    coloured.push(await timed(show(colourings[step % 2])));
  const { map } = document.querySelector(".mm-map");
  map.zoom(2);
  for (let step = 1; step <= 10; step++)
    dragged.push(await timed(() => map.pan(0.02, 0.01)));
  return { coloured, dragged };
}"""
_TEXTS = (
    *("label", "tools", "groups", "select", "move"),
    *("in", "out", "reset", "view", "clear"),
)


def map_20000() -> list[Measurement]:
    """Milliseconds until 20,000 points are coloured anew, from Python to the screen."""
    random = np.random.default_rng(0)
    places = random.uniform(-1, 1, (MOST_POINTS, 2)).astype(np.float32)
    groups = [random.integers(0, 8, MOST_POINTS).astype(str).tolist() for _ in range(2)]
    chart_data(places[:9], groups[0][:9])  # a server has imported what it takes
    built = _fastest_build(places, groups[0])
    asset = {kind: asset_text(f"map.{kind}") for kind in ("html", "css", "js")}
    texts = dict.fromkeys(_TEXTS, "")
    colourings = [chart_data(places, group) | {"texts": texts} for group in groups]
    with browser() as chromium:
        page = chromium.new_page(viewport=PROJECTOR)
        page.set_content(f"<style>{asset['css']}</style>{asset['html']}")
        times = page.evaluate(
            _REDRAWN, {"source": asset["js"], "colourings": colourings}
        )
    coloured, dragged = (statistics.median(times[k]) for k in ("coloured", "dragged"))
    note = (
        f"data {built:.0f} ms, drawn {coloured:.0f} ms; a drag takes "
        f"{dragged:.0f} ms a frame (no GPU)"
    )
    return [at_most("map_20000", built + coloured, 200, "ms", note)]


def _fastest_build(places: NDArray[np.float32], groups: list[str]) -> float:
    """Milliseconds that the chart's data take, the least of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        chart_data(places, groups)
        times.append(1000 * (time.perf_counter() - began))
    return min(times)
