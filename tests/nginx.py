"""nginx in front of two servers, as docs/proxy.md sets it up."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from medmodel.benchmark.servers import free_port
from medmodel.core.environment import REPOSITORY

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
BY_ADDRESS = "    ip_hash;\n"
STICKY = ("by address", "by cookie")
WAYS = (*STICKY, "not sticky")
"""How a request finds its server."""


def need_nginx() -> None:
    """Skips the module that calls it, but in CI, which installs it."""
    if not NGINX and "CI" not in os.environ:
        pytest.skip("needs nginx (apt install nginx-light)", allow_module_level=True)


def await_answers(*addresses: str) -> None:
    """Waits until all servers answer.

    Args:
        addresses: Host and port of each.
    """
    deadline = time.monotonic() + 60
    while not all(_answers(address) for address in addresses):
        assert time.monotonic() < deadline, "the servers did not start"
        time.sleep(0.05)


@contextlib.contextmanager
def nginx(ports: tuple[str, str], way: str, folder: Path) -> Iterator[str]:
    """Runs it; the result is host and port where it listens.

    Args:
        ports: Of the two servers on 127.0.0.1.
        way: One of `WAYS`.
        folder: For its own files.
    """
    assert NGINX, "CI installs nginx"
    port = str(free_port())
    text = _documented(way)
    for name, mine in (
        *(("127.0.0.1:8501", f"127.0.0.1:{ports[0]}"), ("8502", ports[1])),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
    ):
        assert name in text
        text = text.replace(name, mine)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n"
    )
    process = subprocess.Popen([NGINX, "-c", str(path), "-p", str(folder)])
    try:
        await_answers(f"127.0.0.1:{port}")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _documented(way: str) -> str:
    """The example of docs/proxy.md, with what it says of another way."""
    text = (REPOSITORY / "docs" / "proxy.md").read_text()
    blocks: list[str] = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    example, by_cookie = blocks
    assert BY_ADDRESS in example
    if way == "by cookie":
        return re.sub(r"upstream medmodel \{.*?\n\}\n", by_cookie, example, flags=re.S)
    return example if way == "by address" else example.replace(BY_ADDRESS, "")


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/healthz", timeout=1).close()
    except OSError:
        return False
    return True
