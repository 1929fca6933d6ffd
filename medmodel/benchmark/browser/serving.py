"""Rows on what one person feels: first page, first point, an answer."""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.pairs import paired, seconds_of
from medmodel.benchmark.servers import (
    APP,
    browser,
    percentile,
    serving,
    temporary_workspace,
)
from medmodel.core.config import TrainConfig, config_for
from medmodel.core.errors import DataError
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.predictor import Predictor
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from medmodel.runs.tables.split import read_split

CHART = "document.querySelector('.js-plotly-plot')"
POINTS = f"({CHART}?.data ?? []).reduce((n, t) => n + (t.x?.length ?? 0), 0)"


def finished_run(config: TrainConfig) -> Run:
    """Trains a run in its own process and waits for its end.

    Raises:
        DataError: It did not end well.
    """
    store = RunStore()
    run = queue.submit(config, store)
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        status = run.status
        if not status.state.active:
            break
        queue.ensure_worker(store)
        time.sleep(0.2)
    if status.state is not RunStatus.DONE:
        queue.stop(run)
        raise DataError(f"The run ended as {status.state.value}: {status.failure}")
    return run


def start() -> list[Measurement]:
    """Seconds from the command to the first usable page / a one-line app's."""
    with temporary_workspace() as workspace, browser() as chromium:
        one_line = workspace / "one_line.py"
        one_line.write_text('import streamlit as st; st.title("One line")\n')

        def started(script: Path) -> float:
            began = time.perf_counter()
            with serving(workspace / "w", script) as server:
                return _first_heading(chromium, server.url, began)

        # The first pair warms the disk's cache.
        starts = paired(lambda: started(APP), lambda: started(one_line), pairs=9)
    return [at_most("start", starts.median, 1.3, note=starts.note("s"))]


def _first_heading(chromium: Any, url: str, began: float) -> float:
    page = chromium.new_page()
    page.goto(url)
    page.locator("h1").first.wait_for(timeout=60_000)
    page.wait_for_selector(
        "[data-testid='stApp'][data-test-script-state='notRunning']", timeout=60_000
    )
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def first_point() -> list[Measurement]:
    """Seconds from Train pressed to the first point in the chart; Instant, prepared."""
    seconds = []
    with temporary_workspace() as workspace:
        sample = str(ensure_sample_dataset())
        finished_run(config_for("instant", sample))
        with serving(workspace) as server, browser() as chromium:
            page = chromium.new_page()
            for _ in range(5):
                _wait_for_idle_worker(workspace)
                page.goto(f"{server.url}/train?dataset={sample}")
                button = page.get_by_role("button", name="Train", exact=False).last
                button.wait_for(timeout=60_000)
                page.wait_for_timeout(1500)
                began = time.perf_counter()
                button.click()
                page.wait_for_function(
                    f"() => {POINTS} > 0", timeout=60_000, polling=20
                )
                seconds.append(time.perf_counter() - began)
                wait_for_runs(workspace)
    note = "5 runs: " + ", ".join(f"{s:.2f}" for s in seconds)
    return [at_most("first_point", statistics.median(seconds), 3.0, "s", note)]


def _wait_for_idle_worker(workspace: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if queue.idle_worker_ready(RunStore(workspace)):
            return
        time.sleep(0.2)
    raise DataError("No idle worker was ready within two minutes.")


def wait_for_runs(workspace: Path) -> None:
    """Waits until nothing is queued or running in a workspace."""
    for run in RunStore(workspace).list():
        while run.status.state.active:
            time.sleep(0.2)


def predict() -> list[Measurement]:
    """One image's probabilities from the predictor / a bare compiled call."""
    with temporary_workspace():
        run = finished_run(config_for("instant", str(ensure_sample_dataset())))
        # TensorFlow is imported here only: the other rows measure a light process.
        from medmodel.inference.prediction import load

        loaded = load(run)
        images = _noise_images(60, loaded.facts.preprocessing.shape)
        bare = _bare_call(loaded.model)
        asked = Predictor()
        batches = itertools.cycle(image[None] for image in images)
        answers = paired(
            seconds_of(lambda: asked.ask(run.id, next(batches))),
            seconds_of(lambda: bare(next(batches))),
            pairs=50,
            warm_up=10,
        )
        asked.close()
    note = answers.note("ms", 1000)
    return [at_most("predict", answers.median, 1.3, note=note)]


def _bare_call(model: Any) -> Any:
    import tensorflow as tf

    compiled = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8)],
    )
    return lambda batch: compiled(tf.constant(batch)).numpy()


def _noise_images(count: int, shape: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, *shape), dtype=np.uint8)


def upload() -> list[Measurement]:
    """Seconds from upload to bars and Grad-CAM in the browser, 95th centile of 30."""
    with temporary_workspace() as workspace:
        sample = ensure_sample_dataset()
        run = finished_run(config_for("instant", str(sample)))
        with serving(workspace) as server, browser() as chromium:
            page = chromium.new_page()
            page.goto(f"{server.url}/diagnose?run={run.id}")
            _consent(page)
            images = _familiar_images(run, sample)[:33]
            seconds = [_upload_once(page, image) for image in images]
    measured = seconds[3:]
    note = f"median {statistics.median(measured):.2f} s of 30, first {seconds[0]:.2f} s"
    return [at_most("upload", percentile(measured, 0.95), 1.5, "s", note)]


def _consent(page: Any) -> None:
    button = page.get_by_role("button", name="I understand", exact=False)
    button.wait_for(timeout=60_000)
    button.click()
    page.locator("input[type=file]").first.wait_for(state="attached", timeout=60_000)


def _familiar_images(run: Run, folder: Path) -> list[Path]:
    """Training images: others might be refused as unfamiliar, which is quicker."""
    table = read_split(run)
    return [folder / path for path in table.loc[table["split"] == "train", "path"]]


def _upload_once(page: Any, image: Path) -> float:
    began = time.perf_counter()
    page.locator("input[type=file]").first.set_input_files(image)
    page.wait_for_function(_SHOWN, timeout=60_000, polling=20)
    seconds = time.perf_counter() - began
    page.wait_for_timeout(300)
    page.get_by_role("button", name=f"Remove {image.name}").click()
    page.get_by_text("No image yet").wait_for(timeout=60_000)
    return seconds


# Bars, image as uploaded, model input and heat map; nothing else is on the page.
_SHOWN = """() => {
  const bars = document.querySelector('.js-plotly-plot .bars');
  const maps = [...document.querySelectorAll('[data-testid="stImage"] img')];
  return bars && maps.length > 2 && maps.every(m => m.complete && m.naturalWidth);
}"""


def shell_memory() -> list[Measurement]:
    """Resident memory of the shell after 60 page views / after 10."""
    paths = ["", "datasets", "train", "runs", "status"]
    with temporary_workspace() as workspace:
        ensure_sample_dataset()
        with serving(workspace) as server, browser() as chromium:
            shell = psutil.Process(server.pid)
            sizes = []
            for number in range(60):
                page = chromium.new_page()
                page.goto(f"{server.url}/{paths[number % len(paths)]}")
                page.locator("h1").first.wait_for(timeout=60_000)
                page.close()
                sizes.append(shell.memory_info().rss / 2**20)
    note = f"{sizes[9]:.0f} MiB after 10 views, {sizes[-1]:.0f} MiB after 60"
    return [at_most("shell_memory", sizes[-1] / sizes[9], 1.15, note=note)]
