"""Every page of the product with something to show, for rows that look at it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmodel.benchmark.browser.serving import finished_run
from medmodel.benchmark.servers import Server, serving, temporary_workspace
from medmodel.core.config import config_for
from medmodel.data.synthetic import ensure_sample_dataset
from medmodel.quality.indexing import check_folder
from medmodel.runs.run import Run

PROJECTOR = {"width": 1280, "height": 720}
"""Pixels of the screen that everything is measured on."""


@dataclass(frozen=True)
class Stage:
    """A served workspace with a checked data set and two finished runs of it.

    Args:
        server: The server.
        dataset: The data set.
        runs: The finished runs.
    """

    server: Server
    dataset: Path
    runs: tuple[Run, ...]

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
            "Diagnose": f"diagnose?run={first}",
            "Evaluate": f"evaluate?run={first}",
            "Compare": f"compare?runs={both}",
            "Reader study": f"read?run={first}",
            "Follow-up": "follow_up",
            "Batch prediction": f"batch?run={first}",
            "How the network sees": f"network?run={first}",
            "Status": "status",
        }
        return {name: f"{self.server.url}/{path}" for name, path in paths.items()}


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Serves a workspace in which every page has something to show."""
    with temporary_workspace() as workspace:
        folder = ensure_sample_dataset()
        check_folder(folder)
        configs = [
            config_for(recipe, str(folder), epochs=3)
            for recipe in ("instant", "compact")
        ]
        runs = tuple(finished_run(config) for config in configs)
        with serving(workspace) as server:
            yield Stage(server, folder, runs)


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
