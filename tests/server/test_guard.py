"""Who may ask the web server, for what."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from medmodel.server import guard

HOST = "127.0.0.1:8501"


def asked(
    headers: Sequence[tuple[str, str]] = (("host", HOST),),
    kind: str = "websocket",
    method: str = "GET",
    path: str = "/live/1",
    scheme: str = "",
    origins: Sequence[str] = (),
    hosts: Sequence[str] = (),
) -> list[Any]:
    """What comes back; `reached` from the application behind the guard."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "reached"})

    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "scheme": scheme or ("ws" if kind == "websocket" else "http"),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    asyncio.run(guard.Guard(app, hosts, origins)(scope, receive, send))
    return sent


def reached(**arguments: Any) -> bool:
    return bool(asked(**arguments)[0]["type"] == "reached")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8501", True),
        ("[::1]:8501", True),
        ("[::1]", True),
        ("ct.lab.org", True),
        ("a.CT.lab.org:80", True),
        ("lab.org", False),
        ("evillab.org", False),
        ("lab.org.evil", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_names_with_ports_addresses_and_wildcards(
    host: str, allowed: bool, kind: str
) -> None:
    hosts = ["localhost", "::1", "*.lab.org"]
    sent = asked([("host", host)], kind, hosts=hosts)
    assert (sent[0]["type"] == "reached") is allowed
    if kind == "websocket" and not allowed:
        assert sent == [{"type": "websocket.close", "code": 1008}]


ORIGINS = {
    f"http://{HOST}": True,
    f"HTTP://{HOST}": True,
    # Another port of this host is another program's, or another user's.
    "http://127.0.0.1:8502": False,
    "http://127.0.0.1": False,
    # With another scheme its pages may have been changed on the way.
    f"https://{HOST}": False,
    f"ws://{HOST}": False,
    # Another name of the same machine.
    "http://localhost:8501": False,
    "http://0.0.0.0:8501": False,
    f"http://{HOST}.evil.example": False,
    f"http://evil@{HOST}": False,
    f"http://{HOST}, http://evil.example": False,
    "http://127.0.0.1:99999": False,
    "null": False,
    "": False,
    "http://[": False,
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_sockets_are_for_pages_of_the_same_origin(origin: str) -> None:
    headers = [("host", HOST), ("origin", origin)]
    assert reached(headers=headers) is ORIGINS[origin]
    assert reached(headers=headers, path="/_stcore/stream") is ORIGINS[origin]
    # The same for what changes something; reading is the browser's own business.
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        answer = reached(headers=headers, kind="http", method=method)
        assert answer is ORIGINS[origin]
    assert reached(headers=headers, kind="http")


def test_programs_send_no_origin() -> None:
    assert reached()
    assert reached(kind="http", method="PUT")


def test_two_origins_are_none() -> None:
    own = ("origin", f"http://{HOST}")
    assert not reached(headers=[("host", HOST), own, ("origin", "http://evil.example")])
    assert not reached(headers=[("host", HOST), ("origin", "http://evil.example"), own])


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("wss", "ct.lab.org", "https://ct.lab.org"),
        ("wss", "ct.lab.org:443", "https://CT.lab.org"),
        ("ws", "ct.lab.org", "http://ct.lab.org:80"),
        ("wss", "[::1]:8501", "https://[::1]:8501"),
    ],
)
def test_usual_ports_need_not_be_said(scheme: str, host: str, origin: str) -> None:
    headers = [("host", host), ("origin", origin)]
    assert reached(headers=headers, scheme=scheme)
    other = "ws" if scheme == "wss" else "wss"
    assert not reached(headers=headers, scheme=other)


def test_origins_that_the_settings_name() -> None:
    headers = [("host", HOST), ("origin", "https://ct.lab.org")]
    assert not reached(headers=headers)
    assert reached(headers=headers, origins=["https://ct.lab.org/"])
    assert not reached(headers=headers, origins=["https://ct.lab.org:8443"])
    null = [("host", HOST), ("origin", "null")]
    assert not reached(headers=null, origins=["null"])


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/_stcore/metrics", False),
        ("/_stcore/metrics/", False),
        ("/base/_stcore/metrics", False),
        ("//_stcore/metrics", False),
        ("/_stcore", False),
        ("/_stcore/", False),
        ("/_stcore/script-health-check", False),
        ("/_stcore/agent/interact", False),
        ("/_stcore/health", True),
        ("/_stcore/host-config", True),
        ("/_stcore/upload_file/a/b", True),
        ("/base/_stcore/health", True),
        ("/", True),
        ("/media/a.png", True),
    ],
)
def test_inner_addresses_are_those_that_pages_need(path: str, needed: bool) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        sent = asked(kind="http", method=method, path=path)
        assert (sent[0]["type"] == "reached") is needed
        assert needed or sent[0]["status"] == 404


def test_policy_allows_the_inline_script_by_its_hash_and_no_other_host() -> None:
    policy = guard.content_security_policy(
        "<script>one()</script><script src='./x.js'></script>"
    )
    digest = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert policy.count("sha256-") == 1
    assert "http" not in policy and "unsafe-eval" not in policy
