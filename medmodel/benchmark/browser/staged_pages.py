"""Every page of the product with something to show, for rows that look at it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmodel.batch import jobs
from medmodel.benchmark.browser.serving import finished_run
from medmodel.benchmark.servers import Server, serving, temporary_workspace
from medmodel.core.config import config_for
from medmodel.core.errors import DataError
from medmodel.data.synthetic import (
    ensure_findings_sample,
    ensure_sample_dataset,
    ensure_segmentation_sample,
)
from medmodel.ensembles import members
from medmodel.evaluation.robustness.corruption_test import (
    corruption_state,
    corruption_task,
)
from medmodel.quality.indexing import check_folder
from medmodel.runs import queue
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.sweeps.search_space import Dimension, SweepConfig
from medmodel.sweeps.sweep import start_sweep

PROJECTOR = {"width": 1280, "height": 720}
"""Pixels of the screen that everything is measured on."""
PHONE = {"width": 390, "height": 844}
VIEWS = (
    *("Images", "Curves", "Calibration", "Operating point", "By group"),
    *("Robustness", "External test", "Survival", "Export"),
)
"""Parts of Evaluate beside the first one."""
_WAIT, _LONGEST_SECONDS = 60_000, 600.0


@dataclass(frozen=True)
class Stage:
    """A served workspace with a checked data set and two finished runs of it.

    Args:
        server: The server.
        dataset: The data set.
        runs: The finished runs.
        others: Pages of what takes longer to make -> address below the server's.
    """

    server: Server
    dataset: Path
    runs: tuple[Run, ...]
    others: dict[str, str]

    @property
    def pages(self) -> dict[str, str]:
        """Page -> its address, with something to show where it can."""
        first = self.runs[0].id
        both = ",".join(run.id for run in self.runs)
        paths = {
            "Start": "",
            "Data sets": "datasets",
            "a data set": f"datasets?dataset={self.dataset}",
            "Enhance": f"enhance?dataset={self.dataset}",
            "Privacy": "privacy",
            "Train": f"train?dataset={self.dataset}",
            "Runs": "runs",
            "a run": f"runs?run={first}",
            "Sweep": "sweep",
            "Import": "import_model",
            "Diagnose": f"diagnose?run={first}",
            "Evaluate": f"evaluate?run={first}",
            **{view: f"evaluate?run={first}&view={view}" for view in VIEWS},
            "Compare": f"compare?runs={both}",
            "Review labels": f"review?run={first}",
            "Reader study": f"read?run={first}",
            "Follow-up": "follow_up",
            "Images over time": f"follow_up?run={first}",
            "Batch prediction": f"batch?run={first}",
            "How the network sees": f"network?run={first}",
            "Status": "status",
            **self.others,
        }
        return {name: f"{self.server.url}/{path}" for name, path in paths.items()}

    def fill(self, page: Any, name: str) -> None:
        """Does on a page, once it is at rest, what it needs to have something to show.

        Args:
            page: Of Playwright, at the page's address.
            name: As in `pages`.
        """
        if name in _FILLED:
            _FILLED[name](self, page)
            settled(page)


def _press(text: str, _stage: Stage, page: Any) -> None:
    page.get_by_text(text, exact=True).first.click(timeout=_WAIT)


def _agree(page: Any) -> None:
    """Once for a browser: it remembers."""
    agree = page.get_by_role("button", name="I understand")
    if agree.count():
        agree.click(timeout=_WAIT)


def _diagnose(stage: Stage, page: Any) -> None:
    _agree(page)
    image = str(next(stage.dataset.rglob("*.png")))
    page.locator("input[type=file]").first.set_input_files(image, timeout=_WAIT)
    page.locator("img[alt*='laid over the image']").wait_for(timeout=2 * _WAIT)


def _diagnose_samples(_stage: Stage, page: Any) -> None:
    _agree(page)
    page.get_by_role("button", name="Try 3 images").click(timeout=_WAIT)
    page.locator("img[alt*='laid over the image']").wait_for(timeout=2 * _WAIT)


_FILLED: dict[str, Callable[[Stage, Any], None]] = {
    "Diagnose": _diagnose,
    "Diagnose of several findings": _diagnose_samples,
    "Reader study": functools.partial(_press, "Begin"),
    "Follow-up": functools.partial(_press, "Show an example"),
    "Images over time": functools.partial(_press, "Images over time"),
}


@contextlib.contextmanager
def staged(everything: bool = False) -> Iterator[Stage]:
    """Serves a workspace in which every page has something to show.

    Args:
        everything: Whether there are a sweep, a batch, an ensemble, segmentations,
            several findings on an image and a test under corruptions, too, which take
            minutes.
    """
    with temporary_workspace() as workspace:
        folder = ensure_sample_dataset()
        check_folder(folder)
        configs = [
            config_for(recipe, str(folder), epochs=3)
            for recipe in ("instant", "compact")
        ]
        runs = tuple(finished_run(config) for config in configs)
        others = _others(folder, *runs) if everything else {}
        with serving(workspace) as server:
            yield Stage(server, folder, runs, others)


def _others(folder: Path, run: Run, other: Run) -> dict[str, str]:
    """What takes longer to make, one after the other: page -> its path."""
    corruption_task(run).start()
    _await(lambda: not corruption_state(run).running)
    batch = jobs.submit(run, folder)
    _await(lambda: not batch.status.state.active)
    base = config_for("document", str(folder), epochs=1, size=32)
    sizes = {"size": Dimension((28, 32))}
    sweep = start_sweep(SweepConfig(base, sizes, trials=2, prune=False))
    _await(lambda: not sweep.state.running)
    ensemble = members.submit([run, other], RunStore())
    _await(lambda: not ensemble.status.state.active)
    masks, table = ensure_segmentation_sample(), ensure_findings_sample()
    segments, again = (
        finished_run(
            config_for("segmentation", str(masks), epochs=1, size=64, replicate=number)
        )
        for number in (0, 1)
    )
    findings = finished_run(config_for("instant", str(table), epochs=3))
    return {
        "a batch": f"batch?batch={batch.id}",
        "a sweep": f"sweep?sweep={sweep.id}",
        "a segmentation": f"runs?run={segments.id}",
        "Evaluate of a segmentation": f"evaluate?run={segments.id}",
        "Compare of segmentations": f"compare?runs={segments.id},{again.id}",
        "an ensemble": f"runs?run={ensemble.id}",
        "several findings": f"datasets?dataset={table}",
        "Evaluate of several findings": f"evaluate?run={findings.id}",
        "Diagnose of several findings": f"diagnose?run={findings.id}",
    }


def _await(ended: Callable[[], bool]) -> None:
    """Waits for work of the queue.

    Raises:
        DataError: It took too long.
    """
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not ended():
        if time.monotonic() > deadline:
            raise DataError("What the pages are to show was not made in time.")
        queue.ensure_worker(RunStore())
        time.sleep(0.2)


def settled(page: Any) -> None:
    """Waits until the page's script has ended and nothing is added any more."""
    page.locator("h1").first.wait_for(timeout=60_000)
    page.wait_for_selector(
        "[data-testid='stApp'][data-test-script-state='notRunning']",
        state="attached",
        timeout=60_000,
    )
    page.wait_for_timeout(700)
    page.wait_for_selector(
        "[data-testid='stApp'][data-test-script-state='notRunning']",
        state="attached",
        timeout=60_000,
    )
