"""The presenter's side of the audience address: open it, publish slides, close it."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from medmodel.audience.ballot import Ballot, Reader
from medmodel.audience.interfaces import EVERYWHERE, interfaces
from medmodel.audience.process import AudienceError, AudienceProcess
from medmodel.audience.slide import Slide
from medmodel.core.processes.messages import Message
from medmodel.evaluation.clinical.reading_room import PhoneAnswer, ReadingRoom
from medmodel.language import _

PORT = 8600
"""The port that is offered first."""
CODE_BYTES = 16
"""128 bits by chance: nobody guesses them."""
LOOK_SECONDS = 5.0
"""Seconds between two looks whether the presenter is still there."""
ABSENCE_SECONDS = 120.0
"""How long the presenter may be away, as at a lost connection, before it ends."""


@dataclass(frozen=True)
class Attendance:
    """Who is there.

    Args:
        followers: Phones that follow now.
        wrong_codes: Requests that came with a wrong code so far.
        readers: Phones that have a seat in the reading room.
        tally: Answers for each class of the image that is asked about.
    """

    followers: int = 0
    wrong_codes: int = 0
    readers: int = 0
    tally: tuple[int, ...] = ()


class Room:
    """An open audience address.

    It survives the death of its process, see `AudienceProcess`.

    Args:
        address: The network address to listen at; 0.0.0.0 for every one.
        port: The port; 0 for any that is free.
        present: Whether the presenter's session still lasts; the address closes once
            it has not for `ABSENCE_SECONDS`.

    Attributes:
        reading: What its phones read together; gone with the room.

    Raises:
        AudienceError: The address cannot be opened.
    """

    def __init__(
        self, address: str, port: int, present: Callable[[], bool] = lambda: True
    ) -> None:
        self.address = address
        self.code = secrets.token_urlsafe(CODE_BYTES)
        self.present = present
        self.attendance = Attendance()
        self.reading: ReadingRoom | None = None
        self._proxy = proxy_url()
        self._shown: dict[str, Any] | None = None
        self._restarts = self._wrong_codes = 0
        self._process = AudienceProcess(self._opening(), port)
        threading.Thread(target=self._watch, name="audience", daemon=True).start()

    @property
    def open(self) -> bool:
        """Whether phones can reach it."""
        return self._process.open

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self._process.port

    @property
    def link(self) -> str:
        """What phones open; the code is part of it."""
        host = self.address
        if host == EVERYWHERE:
            host = interfaces()[0].address
        base = self._proxy or f"http://{host}:{self.port}/"
        return f"{base}{self.code}/"

    def publish(
        self, slide: Slide, with_images: bool = False, ballot: Ballot | None = None
    ) -> Attendance:
        """Shows a slide on every phone that follows.

        Args:
            slide: What is shown.
            with_images: Whether its images are, too; without, they never leave this
                process, and those that were shown before are forgotten.
            ballot: What phones are asked about it.

        Raises:
            AudienceError: The address is open no more.
        """
        shown = slide.for_phones(with_images)
        facts = {
            "slide": shown.facts(),
            "images": [image.digest for image in shown.images],
            "ballot": ballot.facts() if ballot else None,
        }
        if facts == self._shown:
            return self.look()
        arrays = [np.frombuffer(image.png, np.uint8) for image in shown.images]
        attendance = self._ask(Message({"command": "show", **facts}, arrays))
        self._shown = facts
        return attendance

    def answers(self) -> list[PhoneAnswer]:
        """What phones answered to the image that was asked about last.

        Raises:
            AudienceError: The address is open no more.
        """
        answers = self._process.ask(Message({"command": "answers"}))["answers"]
        return [PhoneAnswer(**answer) for answer in answers]

    def readers(self) -> list[Reader]:
        """The phones that take part in the reading, with their nicknames.

        Raises:
            AudienceError: The address is open no more.
        """
        readers = self._process.ask(Message({"command": "readers"}))["readers"]
        return [Reader(**reader) for reader in readers]

    def look(self) -> Attendance:
        """Who is there now.

        Raises:
            AudienceError: The address is open no more.
        """
        return self._ask(Message({"command": "look"}))

    def close(self) -> None:
        """Ends the code; phones are told so."""
        with contextlib.suppress(AudienceError):
            self._process.ask(Message({"command": "end"}))
        self._process.end()

    def _opening(self) -> dict[str, Any]:
        addresses = [self.address]
        if self.address == EVERYWHERE:
            addresses = [i.address for i in interfaces() if not i.everywhere]
        proxy = urlsplit(self._proxy) if self._proxy else None
        return {
            "address": self.address,
            "code": self.code,
            "addresses": addresses,
            "proxy_hosts": _proxy_hosts(self._proxy),
            "proxy_origins": [f"{proxy.scheme}://{proxy.netloc}"] if proxy else [],
        }

    def _ask(self, message: Message) -> Attendance:
        answer = self._process.ask(message)
        if self._process.restarts > self._restarts:
            # The one that died has taken its count along.
            self._restarts = self._process.restarts
            self._wrong_codes = self.attendance.wrong_codes
        answer["tally"] = tuple(answer["tally"])
        answer["wrong_codes"] += self._wrong_codes
        self.attendance = Attendance(**answer)
        return self.attendance

    def _watch(self) -> None:
        """Closes the address once the presenter has gone; until then it is served."""
        seen = time.monotonic()
        while self.open:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if self.present():
                seen = now
            elif now - seen > ABSENCE_SECONDS:
                self.close()
            if self._process.dead:
                with contextlib.suppress(AudienceError):  # told where it is opened
                    self.look()


def proxy_url() -> str:
    """MEDMODEL_AUDIENCE_URL: where a proxy shows the address; "" for no proxy.

    Raises:
        AudienceError: It is no address of a web server.
    """
    url = os.environ.get("MEDMODEL_AUDIENCE_URL", "")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or "@" in url or "?" in url or "#" in url:
        raise AudienceError(
            _(
                "MEDMODEL_AUDIENCE_URL is {url!r}; it must be an address such as "
                "https://demo.hospital.org/.",
                url=url,
            )
        )
    return url if url.endswith("/") else f"{url}/"


def _proxy_hosts(url: str) -> list[str]:
    """Host headers of requests that a proxy passes on, with and without TLS."""
    if not url:
        return []
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}[parts.scheme]
    ports = {parts.port or usual, *([] if parts.port else [80])}
    # A name without a port is read as one of port 80: this server speaks plain HTTP.
    return [f"{parts.hostname}:{port}" for port in sorted(ports)]


_current: Room | None = None
_changing = threading.Lock()


def current() -> Room | None:
    """The open room, if there is one: a machine has one projector."""
    return _current if _current is not None and _current.open else None


def open_room(
    address: str, port: int, present: Callable[[], bool], everywhere: bool = False
) -> Room:
    """Opens the audience address, closing the one that was open before.

    Args:
        address: The network address to listen at.
        port: The port.
        present: See `Room`.
        everywhere: Whether every address of this machine may be meant.

    Raises:
        AudienceError: It cannot be opened, or every address was asked for without
            saying so.
    """
    global _current
    if address in ("", EVERYWHERE, "::") and not everywhere:
        raise AudienceError(
            _(
                "This would open the address on every network of this machine. "
                "Choose one network, or confirm that all are meant."
            )
        )
    with _changing:
        if _current is not None:
            _current.close()
        _current = Room(address or EVERYWHERE, port, present)
        return _current


def close_room() -> None:
    """Closes the audience address, if it is open."""
    global _current
    with _changing:
        if _current is not None:
            _current.close()
        _current = None
