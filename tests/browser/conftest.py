"""One server for all, a browser that waits long and tells when anything is amiss."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
)
from playwright.sync_api import TimeoutError as PlaywrightTimeout

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT = 60_000
"""Milliseconds that everything is waited for: a busy machine takes its time."""
expect.set_options(timeout=WAIT)


def find_chromium() -> str:
    """Path of an installed Chromium; empty if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), "")


def at_rest(page: Page) -> None:
    """Waits until the page's script has ended and every image is there.

    Until then the page may change, or move, below us. Between a press and the run that
    it begins the page is at rest, too: await something that this run draws before.
    """
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.wait_for_function("() => [...document.images].every(image => image.complete)")


def press(page: Page, what: Locator) -> None:
    """Clicks what the page has drawn, once it is at rest.

    While a script runs, what it drew before may stand beside what it has drawn now.
    """
    what.first.wait_for()
    at_rest(page)
    what.click()


@contextlib.contextmanager
def one_run(page: Page) -> Iterator[None]:
    """Waits for the end of the script's run that the block begins.

    For runs that draw nothing new: what they replace unseen, such as a file that is
    made when it is asked for, is not there any more when it is pressed too early.
    """
    at_rest(page)
    page.evaluate(
        """() => {
            const app = document.querySelector("[data-test-script-state]");
            window.runEnded = new Promise(resolve => {
                const look = () =>
                    app.dataset.testScriptState === "notRunning" && resolve();
                new MutationObserver(look).observe(
                    app, {attributes: true, attributeFilter: ["data-test-script-state"]}
                );
            });
        }"""
    )
    yield
    page.evaluate("() => window.runEnded")
    at_rest(page)


def press_chart(page: Page, number: int, across: float, down: float) -> None:
    """Clicks into a chart once it is at rest and listens.

    Args:
        page: The page.
        number: Which of the page's charts, from 0.
        across: How far from the left, as a share of what is drawn within the axes.
        down: How far from the top.
    """
    page.wait_for_function(
        "number => document.querySelectorAll('.js-plotly-plot')[number]"
        "?._ev?._events.plotly_selected",
        arg=number,
    )
    at_rest(page)
    inside = page.locator(".js-plotly-plot").nth(number).locator(".nsewdrag")
    inside.scroll_into_view_if_needed()
    box = inside.bounding_box()
    assert box
    inside.click(position={"x": across * box["width"], "y": down * box["height"]})


@contextlib.contextmanager
def first_cell_held(page: Page, table: Locator) -> Iterator[Locator]:
    """Holds the mouse down on the first cell of a table that is drawn on a canvas.

    The grid takes no notice of a press that ends before it has answered: await the
    answer within the block. The cell is that of a hidden table with the same content.
    """
    cell = table.get_by_test_id("glide-cell-0-0")
    cell.wait_for(state="attached")
    at_rest(page)
    table.hover(position={"x": 25, "y": 52})
    page.mouse.down()
    yield cell
    page.mouse.up()


def choose(page: Page, box: str, option: Callable[[], Locator]) -> None:
    """Chooses from a select box, opening it again if it shuts.

    A menu shuts when the page scrolls below it, which it may do by itself.

    Args:
        page: The page.
        box: The select box's label.
        option: Finds the entry in the open menu.
    """
    at_rest(page)
    for _ in range(10):
        page.get_by_role("combobox", name=box).click()
        try:
            option().click(timeout=5000)
        except PlaywrightTimeout:
            page.keyboard.press("Escape")
        else:
            return
    expect(option()).to_be_visible()


@pytest.fixture(scope="session")
def base_url() -> str:
    """Stands in for the plugin's fixture, whose way of being defined is deprecated."""
    return ""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> Any:
    """How pytest-playwright starts the browser; no browser, no test, except in CI."""
    path = find_chromium()
    if not path:
        message = "needs Chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    quiet = ["--disable-background-networking", "--disable-component-update"]
    return {
        **browser_type_launch_args,
        "executable_path": path,
        "args": ["--no-sandbox", "--disable-gpu", "--disable-sync", *quiet],
    }


class AppServer:
    """`streamlit run app.py` over a workspace, on a port that it keeps.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = workspace.parent / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        names = {"MEDMODEL_WORKSPACE": str(self.workspace), "MEDMODEL_DATA": ""}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--server.port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, **names},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/healthz", timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError(self.log.read_text())

    def stop(self) -> None:
        """Ends it as an administrator would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
            self._process = None


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """A running server over a workspace of its own; its log tells what went wrong."""
    server = AppServer(tmp_path_factory.mktemp("served") / "workspace")
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text(), server.log.read_text()


@pytest.fixture(autouse=True)
def quiet_browser(context: BrowserContext) -> Iterator[None]:
    """Fails the test on a request to another host, an error, a broken policy."""
    found: list[str] = []
    expected = ("127.0.0.1", "data:", "blob:")

    def asked(request: Request) -> None:
        address = request.url.split("://")[-1]
        if not address.startswith(expected):
            found.append(f"asked another host: {request.url}")

    def said(message: ConsoleMessage) -> None:
        # On a deep link Streamlit first looks for its server one folder too deep, and
        # a page whose server is being started again cannot reach it. An image that
        # gave way to the next one before the browser asked for it is gone.
        harmless = (
            "Client Error: Image source error",
            *("Failed to load resource", "WebSocket connection to"),
            *("Client Error in reaching server", "Streamlit server is not responding"),
        )
        if message.type == "error" and not message.text.startswith(harmless):
            found.append(f"console: {message.text}")

    context.set_default_timeout(WAIT)
    context.on("request", asked)
    context.on("console", said)
    context.on("weberror", lambda error: found.append(f"page: {error.error}"))
    yield
    assert not found, found
