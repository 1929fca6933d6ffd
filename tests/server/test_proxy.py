"""nginx, as docs/proxy.md sets it up, in front of two servers on one workspace."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
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
from medmodel.runs.run import RunStore

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
if not NGINX and "CI" not in os.environ:
    pytest.skip("needs nginx (apt install nginx-light)", allow_module_level=True)
STICKY = "    ip_hash;\n"


def documented() -> str:
    text = (REPOSITORY / "docs" / "proxy.md").read_text()
    block = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)
    assert block and STICKY in block[1]
    return block[1]


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/healthz", timeout=1).close()
    except OSError:
        return False
    return True


def await_answers(*addresses: str) -> None:
    deadline = time.monotonic() + 60
    while not all(answers(address) for address in addresses):
        assert time.monotonic() < deadline, "the servers did not start"
        time.sleep(0.05)


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


@pytest.fixture(params=["sticky", "not sticky"])
def proxy(
    request: pytest.FixtureRequest, ports: tuple[str, str], tmp_path: Path
) -> Iterator[tuple[str, bool]]:
    """Host and port of nginx, and whether a browser stays with one server."""
    sticky, port = request.param == "sticky", str(free_port())
    text = documented()
    for name, mine in (("8501", ports[0]), ("8502", ports[1]), ("listen 8080", "")):
        assert name in text
        text = text.replace(name, mine or f"listen 127.0.0.1:{port}")
    if not sticky:
        text = text.replace(STICKY, "")
    places = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = tmp_path / "nginx.conf"
    path.write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    )
    assert NGINX, "CI installs nginx"
    process = subprocess.Popen([NGINX, "-c", str(path), "-p", str(tmp_path)])
    try:
        await_answers(f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}", sticky
    finally:
        process.terminate()
        process.wait(20)


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
