"""Servers and browsers for the rows on serving, each with its own workspace."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmodel.core.environment import REPOSITORY
from medmodel.core.errors import DataError

APP = REPOSITORY / "app.py"

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Server:
    """A running Streamlit server.

    Args:
        url: Its address.
        pid: Its process id.
        workspace: Its workspace.
    """

    url: str
    pid: int
    workspace: Path


def free_port() -> int:
    """A TCP port that nobody uses at the moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextlib.contextmanager
def temporary_workspace() -> Iterator[Path]:
    """A workspace that this process uses and that is removed at the end."""
    # A worker that waits there may still write while the folder goes.
    temporary = tempfile.TemporaryDirectory(
        prefix="medmodel-benchmark-", ignore_cleanup_errors=True
    )
    with temporary as folder, _environment("MEDMODEL_WORKSPACE", folder):
        yield Path(folder)


@contextlib.contextmanager
def with_data_root(folder: Path) -> Iterator[None]:
    """Lets this process read data sets in a folder outside the workspace."""
    with _environment("MEDMODEL_DATA", str(folder)):
        yield


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextlib.contextmanager
def serving(workspace: Path, script: Path = APP) -> Iterator[Server]:
    """`streamlit run script` on a free port, stopped at the end."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    flags = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, *flags, "--server.headless", "true"],
        cwd=script.parent,
        env={**os.environ, "MEDMODEL_WORKSPACE": str(workspace)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(url, process)
        yield Server(url, process.pid, workspace)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
            return
        time.sleep(0.02)
    raise DataError("The server did not start: run `streamlit run app.py` to see why.")


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium of Playwright.

    Raises:
        DataError: Playwright or Chromium is missing.
    """
    import shutil

    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise DataError(
            "This row needs a browser: pip install -r tests/requirements.txt."
        ) from error
    chromium = shutil.which("chromium")
    if chromium is None:
        raise DataError("This row needs a browser: install Debian's chromium.")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=CHROMIUM_ARGUMENTS
        )
        try:
            yield launched
        finally:
            launched.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies, nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
