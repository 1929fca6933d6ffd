"""Connections that ask nothing, read nothing, or are too many."""

from __future__ import annotations

import socket
import time

import pytest

from medmodel.audience import connections
from medmodel.audience.slide import Bar, Slide
from tests.audience.conftest import CODE, SLIDE, Address, Follower

PAGE = f"/{CODE}/"


def connected(address: Address) -> socket.socket:
    return socket.create_connection(("127.0.0.1", address.port), timeout=30)


def is_closed(line: socket.socket) -> bool:
    """Waits for the other end's word; whether it was the last."""
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("begun", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_who_never_asks_is_shown_out(
    address: Address, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connections, "ASK_SECONDS", 0.1)
    with connected(address) as line:
        line.sendall(begun)
        assert is_closed(line)
    assert address.ask(PAGE)[0] == 200


def test_who_trickles_is_shown_out_all_the_same(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ASK_SECONDS", 0.3)
    with connected(address) as line, pytest.raises(ConnectionError):
        for _ in range(1000):
            line.sendall(b"x")
            time.sleep(0.02)


def test_who_follows_is_not(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ASK_SECONDS", 0.1)
    phone = Follower(address)
    phone.event()
    time.sleep(0.5)
    address.publish(Slide("Train", "Later"))
    assert "Later" in phone.event()[1]
    phone.close()


def test_a_second_request_on_a_line_is_not_waited_for(address: Address) -> None:
    request = f"GET {PAGE} HTTP/1.1\r\nHost: {address.host}\r\n\r\n".encode()
    assert address.raw(request * 3).count(b"HTTP/1.1 200 OK") == 1


def test_who_does_not_read_is_cut_off_and_others_see_on(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "TAKE_SECONDS", 0.2)
    bars = tuple(Bar(f"{i} " + "x" * 500, 0.5, "") for i in range(1000))
    phone = Follower(address)
    with connected(address) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        request = f"GET {PAGE}events HTTP/1.1\r\nHost: {address.host}\r\n\r\n"
        idle.sendall(request.encode())
        phone.event()
        number = 0
        while address.look()["followers"] != 1 or number < 20:
            number += 1
            address.publish(Slide("Data", str(number), bars=bars))
            assert f'"title":"{number}"' in phone.event()[1]
    phone.close()


def test_so_many_connections_and_no_more(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    with connected(address) as first, connected(address) as second:
        with connected(address) as third:
            assert is_closed(third)
        for line in (first, second):
            request = f"GET {PAGE} HTTP/1.1\r\nHost: {address.host}\r\n\r\n"
            line.sendall(request.encode())
            assert line.recv(12) == b"HTTP/1.1 200"


def test_a_request_may_be_so_long(address: Address) -> None:
    begun = f"GET {PAGE} HTTP/1.1\r\nHost: {address.host}\r\nX: ".encode()
    most = connections.LONGEST_REQUEST
    assert address.raw(begun.ljust(most, b"x")) == b""
    assert address.raw(begun.ljust(most + 1, b"x")).startswith(b"HTTP/1.1 400 ")


def test_nothing_is_logged(address: Address, capfd: pytest.CaptureFixture[str]) -> None:
    address.ask(PAGE)
    address.ask("/none")
    address.raw(b"nonsense\r\n\r\n")
    Follower(address).close()
    address.publish(SLIDE)
    output = capfd.readouterr()
    assert output.out == output.err == ""
