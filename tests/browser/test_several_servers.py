"""Two servers on one workspace behind nginx, and a browser that sees one program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from medmodel.core.config import config_for
from medmodel.runs.progress.status_writer import StatusWriter
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from tests.browser.conftest import AppServer, press
from tests.browser.test_import import primary, upload_field
from tests.browser.test_watch import await_points
from tests.nginx import STICKY, need_nginx, nginx

need_nginx()
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def ports(app: AppServer) -> Iterator[tuple[str, str]]:
    """Two servers on one workspace, each with the whole program."""
    other = AppServer(app.workspace)
    other.start()
    yield str(app.port), str(other.port)
    other.stop()


@pytest.fixture(params=["by address", "not sticky"])
def proxy(
    request: pytest.FixtureRequest, ports: tuple[str, str], tmp_path: Path
) -> Iterator[tuple[str, bool]]:
    """Address of nginx, and whether a browser stays with one server."""
    with nginx(ports, request.param, tmp_path) as address:
        yield f"http://{address}", request.param in STICKY


@pytest.fixture
def at_work(app: AppServer) -> Iterator[tuple[Run, StatusWriter]]:
    """A run at work, whose points the test itself writes."""
    run = RunStore(app.workspace).create(config_for("compact", "/data/lungs"))
    lock = run.lock
    assert lock.acquire()
    run.write_status(replace(run.status, state=RunStatus.RUNNING, attempt=1))
    with StatusWriter(run) as reporter:
        yield run, reporter
        reporter.close(state=RunStatus.STOPPED, phase="finished")
    lock.release()


def write_points(reporter: StatusWriter, first: int, last: int) -> None:
    for step in range(first, last + 1):
        reporter.step(step=step, epoch=1, loss=1 / step, metric=0.5)


def draw_folder(folder: Path) -> Path:
    """More files than are sent at once, so that some come to either server."""
    for label in ("dark", "light"):
        (folder / label).mkdir(parents=True)
        for number in range(8):
            grey = np.full((16, 16), 100 * (label == "light") + 5 * number, np.uint8)
            Image.fromarray(grey).save(folder / label / f"{number}.png")
    return folder


def test_live_curves(
    page: Page, proxy: tuple[str, bool], at_work: tuple[Run, StatusWriter]
) -> None:
    address, _sticky = proxy
    run, reporter = at_work
    write_points(reporter, 1, 5)
    page.goto(f"{address}/runs?run={run.id}")
    await_points(page, 4)
    write_points(reporter, 6, 9)
    await_points(page, 8)


def test_an_upload_arrives_whole_or_is_refused_in_words(
    page: Page, proxy: tuple[str, bool], tmp_path: Path, app: AppServer
) -> None:
    address, sticky = proxy
    page.goto(f"{address}/datasets")
    press(page, page.get_by_text("Import from your computer"))
    press(page, page.get_by_role("radio", name="Folder"))
    upload_field(page, "Folder").set_input_files(draw_folder(tmp_path / "behind"))
    if not sticky:
        expect(page.get_by_text("This upload is not open any more")).to_be_visible()
        return
    expect(page.get_by_label("Name of the data set")).to_have_value("behind")
    press(page, primary(page, "Import"))
    expect(page.get_by_role("heading", level=1)).to_have_text("behind")
    kept = list((app.workspace / "datasets" / "behind").rglob("*.png"))
    assert len(kept) == 16
