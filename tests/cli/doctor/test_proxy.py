"""Proxies in front of our own routes: one that is well, and those set up wrongly."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from medmodel.cli.doctor import proxy
from medmodel.cli.doctor.finding import Finding
from tests.served_routes import served_routes

Change = Callable[[bytes], bytes | None]
"""Gets the head of a request; what it passes on, or None where it answers itself."""


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    """Port of our routes behind our guard."""
    with served_routes(["127.0.0.1"]) as port:
        yield port


@contextlib.contextmanager
def proxied(behind: int, change: Change, answer: bytes = b"") -> Iterator[str]:
    """Address of a proxy that changes the heads of requests, or answers itself."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        stop = threading.Event()

        def serve() -> None:
            listener.settimeout(0.05)
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    client, _address = listener.accept()
                    with client:
                        pass_on(client)

        def pass_on(client: socket.socket) -> None:
            client.settimeout(2)
            head = client.recv(65536)
            changed = change(head)
            if changed is None:
                client.sendall(answer)
                return
            with socket.create_connection(("127.0.0.1", behind), timeout=2) as backend:
                backend.sendall(changed)
                # An answer may come in pieces; nothing says where it ends.
                with contextlib.suppress(TimeoutError):
                    while answered := backend.recv(65536):
                        client.sendall(answered)
                        backend.settimeout(0.2)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def findings(url: str) -> list[Finding]:
    return list(proxy.proxy_findings(url, 50))


def worst(url: str) -> Finding:
    return max(findings(url), key=lambda f: ["ok", "warning", "problem"].index(f.level))


def test_without_a_proxy_all_is_well(behind: int) -> None:
    found = findings(f"http://127.0.0.1:{behind}/")
    assert [f.level for f in found] == ["ok"] * 3, found


def test_a_proxy_that_passes_on_everything(behind: int) -> None:
    with proxied(behind, lambda head: head) as url:
        assert [f.level for f in findings(url)] == ["ok"] * 3


def test_a_proxy_that_hides_the_host(behind: int) -> None:
    def hide(head: bytes) -> bytes:
        return b"\r\n".join(
            b"Host: upstream" if line.lower().startswith(b"host:") else line
            for line in head.split(b"\r\n")
        )

    with proxied(behind, hide) as url:
        (finding,) = findings(url)
    assert finding.level == "problem" and "Host" in finding.mend


def test_a_proxy_that_drops_websockets(behind: int) -> None:
    def drop(head: bytes) -> bytes:
        lines = head.split(b"\r\n")
        hop = (b"upgrade:", b"connection:")
        return b"\r\n".join(x for x in lines if not x.lower().startswith(hop))

    with proxied(behind, drop) as url:
        finding = worst(url)
    assert finding.level == "problem" and "$http_upgrade" in finding.mend


def test_a_proxy_behind_which_pages_are_another_servers(behind: int) -> None:
    def another(head: bytes) -> bytes:
        return head.replace(b"Origin: http://", b"Origin: https://")

    with proxied(behind, another) as url:
        finding = worst(url)
    assert finding.level == "problem" and "X-Forwarded-Proto" in finding.mend


@pytest.mark.parametrize(
    ("limit", "level"), [(10**6, "problem"), (100 * 10**6, "warning")]
)
def test_a_proxy_that_limits_bodies(behind: int, limit: int, level: str) -> None:
    def limited(head: bytes) -> bytes | None:
        lengths = [
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        return None if any(length > limit for length in lengths) else head

    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    with proxied(behind, limited, refusal) as url:
        finding = worst(url)
    assert finding.level == level and finding.mend == f"nginx: {proxy.NGINX_BODY}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "does not reach"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "does not reach"),
        (b"HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n", "does not reach"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "is not MedModel"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "is not MedModel"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "is not MedModel"),
        (b"nonsense\r\n\r\n", "cannot be reached"),
    ],
)
def test_what_is_not_medmodel(answer: bytes, words: str, behind: int) -> None:
    with proxied(behind, lambda head: None, answer) as url:
        (finding,) = findings(url)
    assert finding.level == "problem" and words in finding.sentence


def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        number = held.getsockname()[1]
    (finding,) = findings(f"http://127.0.0.1:{number}")
    assert finding.level == "problem" and "cannot be reached" in finding.sentence
    (finding,) = findings(f"127.0.0.1:{number}")  # https is meant
    assert "https://127.0.0.1" in finding.sentence
