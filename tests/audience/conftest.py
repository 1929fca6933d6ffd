"""An audience address in this process, and a client that sends whatever it is told."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from medmodel.audience.__main__ import Service
from medmodel.audience.slide import Slide
from medmodel.core.processes.messages import Message

CODE = "c0de-of-22_characters_"
SLIDE = Slide("Data", "Nodules", "Two classes.")


class Address:
    """An opened address, its service in this process."""

    def __init__(self, proxy: str = "") -> None:
        self.service = Service()
        self.ended = False
        opening = {
            "command": "open",
            "address": "127.0.0.1",
            "port": 0,
            "code": CODE,
            "addresses": ["127.0.0.1", "192.168.7.7"],
            "proxy_hosts": [f"{proxy}:443", f"{proxy}:80"] if proxy else [],
            "proxy_origins": [f"https://{proxy}"] if proxy else [],
        }
        self.port = self.service.answer(Message(opening)).facts["port"]
        self.host = f"127.0.0.1:{self.port}"

    def publish(self, slide: Slide) -> Mapping[str, Any]:
        arrays = [np.frombuffer(image.png, np.uint8) for image in slide.images]
        facts = {
            "command": "show",
            "slide": slide.facts(),
            "images": [image.digest for image in slide.images],
        }
        return self.service.answer(Message(facts, arrays)).facts

    def look(self) -> Mapping[str, Any]:
        return self.service.answer(Message({"command": "look"})).facts

    def end(self) -> None:
        if not self.ended:
            self.service.answer(Message({"command": "end"}))
        self.ended = True

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def raw(self, data: bytes) -> bytes:
        """Everything that comes back for these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            received = b""
            with contextlib.suppress(ConnectionError):
                line.sendall(data)
                line.shutdown(socket.SHUT_WR)
                while piece := line.recv(1 << 16):
                    received += piece
            return received


class Follower:
    """A phone: the events of its line, one after the other."""

    def __init__(self, address: Address, code: str = CODE) -> None:
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", address.port, timeout=30
        )
        self.connection.request("GET", f"/{code}/events")
        self.answer = self.connection.getresponse()

    def event(self) -> tuple[str, str]:
        """Name and data of the next event; ("", "") at the end of the line."""
        lines = []
        while line := self.answer.readline().decode().rstrip("\n"):
            lines.append(line)
        facts = dict(line.split(":", 1) for line in lines)
        return facts.get("event", "").strip(), facts.get("data", "").strip()

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@pytest.fixture
def open_address() -> Iterator[Callable[..., Address]]:
    """Opens addresses that end with the test."""
    opened: list[Address] = []

    def start(**options: Any) -> Address:
        opened.append(Address(**options))
        return opened[-1]

    yield start
    for address in opened:
        address.end()


@pytest.fixture(scope="module")
def lasting_address() -> Iterator[Address]:
    """An opened address for tests that change nothing of it."""
    address = Address(proxy="demo.clinic")
    address.publish(SLIDE)
    yield address
    address.end()


@pytest.fixture
def address(open_address: Callable[..., Address]) -> Address:
    """An opened address that shows a slide."""
    address = open_address()
    address.publish(SLIDE)
    return address
