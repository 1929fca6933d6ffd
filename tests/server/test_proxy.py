"""nginx, as docs/proxy.md sets it up, in front of two servers on one workspace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from medmodel.benchmark.servers import free_port
from medmodel.core.config import config_for
from medmodel.core.environment import REPOSITORY
from medmodel.runs.run_store import RunStore
from tests.nginx import STICKY, WAYS, await_answers, need_nginx, nginx

need_nginx()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("behind")


@pytest.fixture(scope="module")
def ports(root: Path) -> Iterator[tuple[str, str]]:
    """Two servers on one workspace."""
    chosen = (str(free_port()), str(free_port()))
    environment = {**os.environ, "MEDMODEL_WORKSPACE": str(root / "workspace")}
    command = [sys.executable, "-m", "tests.server.one_shell"]
    processes = [
        subprocess.Popen([*command, port], cwd=REPOSITORY, env=environment)
        for port in chosen
    ]
    try:
        await_answers(*(f"127.0.0.1:{port}" for port in chosen))
        yield chosen
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)


@pytest.fixture(params=WAYS)
def proxy(
    request: pytest.FixtureRequest, ports: tuple[str, str], tmp_path: Path
) -> Iterator[tuple[str, bool]]:
    """Host and port of nginx, and whether a browser stays with one server."""
    with nginx(ports, request.param, tmp_path) as address:
        yield address, request.param in STICKY


@pytest.fixture(autouse=True)
def browser_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cookies are kept and sent again, as by a browser that was just opened."""
    cookies = urllib.request.HTTPCookieProcessor()
    opener = urllib.request.build_opener(cookies)
    monkeypatch.setattr(urllib.request, "_opener", opener)


def page(address: str) -> dict[str, str]:
    with urllib.request.urlopen(f"http://{address}/page", timeout=10) as answer:
        facts: dict[str, str] = json.load(answer)
    return facts


def put(address: str, ticket: str, content: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"Origin": f"http://{address}", "X-File-Name": "a/1.png"}
    request = urllib.request.Request(
        f"http://{address}/upload/{ticket}", content, headers, method="PUT"
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_browser_stays_with_a_server_where_the_proxy_says_so(
    proxy: tuple[str, bool],
) -> None:
    address, sticky = proxy
    reached = {page(address)["port"] for _ in range(6)}
    assert len(reached) == (1 if sticky else 2)


def test_uploads(proxy: tuple[str, bool], root: Path) -> None:
    address, sticky = proxy
    ticket = page(address)["ticket"]
    content = os.urandom(3 << 20)  # three times what nginx takes by itself
    told = [put(address, ticket, content) for _ in range(2)]
    if sticky:
        assert [status for status, _answer in told] == [200, 200]
    else:
        assert sorted(status for status, _answer in told) == [200, 413]
        (refused,) = (answer for status, answer in told if status == 413)
        assert "not open any more" in refused["error"]
    kept = root / "workspace" / "uploads" / ticket / "0"
    assert kept.read_bytes() == content


def test_live_curves(
    proxy: tuple[str, bool], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _sticky = proxy
    run = RunStore(root / "workspace").create(config_for("instant", "/data/lungs"))
    path = run.folder / "steps.csv"
    path.write_text("step,loss,accuracy\n1,0.5,0.5\n")
    url, origin = f"ws://{address}/live/{run.id}", Origin(f"http://{address}")
    # Whichever server a socket leads to, it reads the same files.
    with connect(url, origin=origin) as one, connect(url, origin=origin) as other:
        for viewer in (one, other):
            assert json.loads(viewer.recv(timeout=20))["steps"][0] == [1]
        with path.open("a") as file:
            file.write("2,0.25,0.75\n")
        for viewer in (one, other):
            assert json.loads(viewer.recv(timeout=20))["steps"][0] == [2]
    foreign = Origin("http://evil.example")
    with pytest.raises(InvalidStatus), connect(url, origin=foreign):
        pass
