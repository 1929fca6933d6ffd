"""The presenter's side of the audience address: open it, publish slides, close it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from medmodel.audience.ballot import Ballot
from medmodel.audience.interfaces import EVERYWHERE, interfaces
from medmodel.audience.slide import Slide
from medmodel.core.children import Child
from medmodel.core.environment import REPOSITORY
from medmodel.core.errors import MedModelError, os_reason
from medmodel.core.messages import BrokenMessage, Message, receive, send
from medmodel.evaluation.clinical.reading_room import PhoneAnswer, ReadingRoom
from medmodel.language import _, translate

PORT = 8600
"""The port that is offered first."""
CODE_BYTES = 16
"""128 bits by chance: nobody guesses them."""
ANSWER_SECONDS = 30.0
LOOK_SECONDS = 5.0
"""Seconds between two looks whether the presenter is still there."""
ABSENCE_SECONDS = 120.0
"""How long the presenter may be away, as at a lost connection, before it ends."""
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TZ")
"""All that the process is told of this one's environment."""


class AudienceError(MedModelError):
    """The audience address cannot be opened, or is open no more."""


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
        self._lock = threading.Lock()
        self._shown: dict[str, Any] | None = None
        self._child: Child | None = _start()
        answer = self._exchange(Message(self._opening(port)))
        if "error" in answer:
            self._end()
            raise AudienceError(
                _(
                    "Port {port} of {address} cannot be opened: {reason}. Choose "
                    "another port or address.",
                    port=port,
                    address=address,
                    reason=translate(answer["error"]),
                )
            )
        self.port = int(answer["port"])
        threading.Thread(target=self._watch, name="audience", daemon=True).start()

    @property
    def open(self) -> bool:
        """Whether phones can reach it."""
        return self._child is not None

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
        answers = self._exchange(Message({"command": "answers"}))["answers"]
        return [PhoneAnswer(**answer) for answer in answers]

    def look(self) -> Attendance:
        """Who is there now.

        Raises:
            AudienceError: The address is open no more.
        """
        return self._ask(Message({"command": "look"}))

    def close(self) -> None:
        """Ends the code; phones are told so."""
        with contextlib.suppress(AudienceError):
            self._exchange(Message({"command": "end"}))
        self._end()

    def _opening(self, port: int) -> dict[str, Any]:
        addresses = [self.address]
        if self.address == EVERYWHERE:
            addresses = [i.address for i in interfaces() if not i.everywhere]
        proxy = urlsplit(self._proxy) if self._proxy else None
        return {
            "command": "open",
            "address": self.address,
            "port": port,
            "code": self.code,
            "addresses": addresses,
            "proxy_hosts": _proxy_hosts(self._proxy),
            "proxy_origins": [f"{proxy.scheme}://{proxy.netloc}"] if proxy else [],
        }

    def _ask(self, message: Message) -> Attendance:
        answer = self._exchange(message)
        tally = tuple(answer.pop("tally"))
        self.attendance = Attendance(**answer, tally=tally)
        return self.attendance

    def _exchange(self, message: Message) -> Any:
        with self._lock:
            if self._child is None:
                raise AudienceError(_("The audience address is closed."))
            try:
                self._child.connection.settimeout(ANSWER_SECONDS)
                send(self._child.connection, message)
                return receive(self._child.connection, ANSWER_SECONDS).facts
            except (EOFError, OSError, BrokenMessage) as error:
                self._child.end()
                self._child = None
                raise AudienceError(
                    _(
                        "The audience address ended unexpectedly. Open it anew: phones "
                        "then need the new link."
                    )
                ) from error

    def _end(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.end()
                self._child = None

    def _watch(self) -> None:
        """Closes the address once the presenter has gone."""
        seen = time.monotonic()
        while self.open:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if self.present():
                seen = now
            elif now - seen > ABSENCE_SECONDS:
                self.close()


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


def _start() -> Child:
    environment = {k: os.environ[k] for k in ENVIRONMENT if k in os.environ}
    environment["PYTHONPATH"] = str(REPOSITORY)
    try:
        return Child([sys.executable, "-m", "medmodel.audience"], environment)
    except OSError as error:
        raise AudienceError(
            _(
                "The audience address cannot be opened: {reason}.",
                reason=os_reason(error),
            )
        ) from error


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
