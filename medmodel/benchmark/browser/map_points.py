"""Row on a map of 20,000 images: coloured anew, and drawn again when it is dragged."""

from __future__ import annotations

import importlib.util
import json
import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.staged_pages import PROJECTOR
from medmodel.benchmark.servers import browser
from medmodel.quality.embedding_map import MOST_POINTS
from medmodel.reports.map_figure import map_figure

_REDRAWN = """async (figure) => {
  const shown = () => new Promise((done) =>
    requestAnimationFrame(() => requestAnimationFrame(done)));
  const chart = document.getElementById("chart");
  const timed = async (work) => {
    const began = performance.now();
    await work();
    await shown();
    return performance.now() - began;
  };
  await Plotly.newPlot(chart, figure);
  const coloured = [];
  for (let step = 0; step < 5; step++)
    coloured.push(await timed(() => Plotly.react(chart, figure.data.map((trace) =>
      ({ ...trace, marker: { ...trace.marker, opacity: 0.7 + step / 50 } })),
    figure.layout)));
  const dragged = [];
  for (let step = 1; step <= 10; step++)
    dragged.push(await timed(() => Plotly.relayout(chart,
      { "xaxis.range": [-1 + step / 20, 1], "yaxis.range": [-1, 1 - step / 20] })));
  return { coloured, dragged };
}"""


def map_20000() -> list[Measurement]:
    """Milliseconds until 20,000 points are coloured anew, from Python to the screen."""
    random = np.random.default_rng(0)
    places = random.uniform(-1, 1, (MOST_POINTS, 2)).astype(np.float32)
    groups = random.integers(0, 8, MOST_POINTS).astype(str).tolist()
    map_figure(places[:9], groups[:9]).to_json()  # a server has imported Plotly
    built, figure = _fastest_build(places, groups)
    with browser() as chromium:
        page = chromium.new_page(viewport=PROJECTOR)
        page.set_content("<div id=chart></div>")
        page.add_script_tag(path=str(_plotly()))
        times = page.evaluate(_REDRAWN, json.loads(figure))
    coloured, dragged = (statistics.median(times[k]) for k in ("coloured", "dragged"))
    note = (
        f"figure {built:.0f} ms, drawn {coloured:.0f} ms; a drag takes "
        f"{dragged:.0f} ms a frame (no GPU)"
    )
    return [at_most("map_20000", built + coloured, 200, "ms", note)]


def _fastest_build(places: NDArray[np.float32], groups: list[str]) -> tuple[float, str]:
    """Milliseconds that the figure takes, the least of five, and its JSON."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        figure = map_figure(places, groups).to_json()
        times.append(1000 * (time.perf_counter() - began))
    return min(times), str(figure)


def _plotly() -> Path:
    spec = importlib.util.find_spec("plotly")
    assert spec and spec.origin
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"
