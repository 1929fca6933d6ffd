"""The process of the audience address: started, asked, and replaced where it dies."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from medmodel.audience.records import memory_file
from medmodel.core.environment import REPOSITORY
from medmodel.core.errors import MedModelError, os_reason
from medmodel.core.processes.children import Child
from medmodel.core.processes.messages import BrokenMessage, Message, receive, send
from medmodel.language import _, translate

log = logging.getLogger("medmodel.audience.process")
ANSWER_SECONDS = 30.0
MOST_RESTARTS = 5
RESTART_SECONDS = 60.0
"""Who dies more often than so many times in so many seconds is not started again."""
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TZ")
"""All that the process is told of this one's environment."""
_DEATH = (EOFError, OSError, BrokenMessage)


class AudienceError(MedModelError):
    """The audience address cannot be opened, or is open no more."""


class AudienceProcess:
    """A process that serves an audience address.

    Where it dies, another one takes its place at the same port, with the slide that was
    shown last and the seats and answers of a reading room.

    Args:
        opening: What it is told first, without port and records.
        port: The port; 0 for any that is free.

    Attributes:
        port: The port that it serves.
        restarts: How often another one took its place.

    Raises:
        AudienceError: The address cannot be opened.
    """

    def __init__(self, opening: Mapping[str, Any], port: int) -> None:
        self.port, self.restarts = port, 0
        self._opening = opening
        self._lock = threading.Lock()
        self._shown: Message | None = None
        self._started: deque[float] = deque(maxlen=MOST_RESTARTS)
        self._child: Child | None = None
        self._records = memory_file()
        try:
            self._start()
        except _DEATH as error:
            self.end()
            raise _ended() from error
        except AudienceError:
            self.end()
            raise

    @property
    def open(self) -> bool:
        """Whether it serves, or another one will in its place."""
        return self._child is not None

    @property
    def dead(self) -> bool:
        """Whether it died, and nobody has asked since."""
        child = self._child
        return child is not None and child.process.poll() is not None

    def ask(self, message: Message) -> Any:
        """What it answers; what the command `show` brought is shown from now on.

        Raises:
            AudienceError: It was ended, or dies again and again.
        """
        with self._lock:
            if self._child is None:
                raise AudienceError(_("The audience address is closed."))
            try:
                answer = _answer(self._child, message)
            except _DEATH:
                answer = self._ask_another(message)
            if message.facts["command"] == "show":
                self._shown = message
            return answer

    def end(self) -> None:
        """Ends it, and with it all that it kept."""
        with self._lock:
            self._let_go()

    def _ask_another(self, message: Message) -> Any:
        try:
            self._restart()
            assert self._child is not None
            return _answer(self._child, message)
        except (*_DEATH, AudienceError) as error:
            self._let_go()
            raise _ended() from error

    def _restart(self) -> None:
        """Puts another one in its place.

        Raises:
            AudienceError: It died too often, or another program has its port.
        """
        now, often = time.monotonic(), len(self._started) == MOST_RESTARTS
        if often and now - self._started[0] < RESTART_SECONDS:
            raise _ended()
        self._started.append(now)
        if self._child is not None:
            self._child.end()
        log.warning("The process of the audience address ended; another one follows.")
        self._start()
        self.restarts += 1
        if self._shown is not None and self._child is not None:
            _answer(self._child, self._shown)

    def _start(self) -> None:
        self._child = _child(self._records)
        facts = {**self._opening, "port": self.port, "records": self._records}
        answer = _answer(self._child, Message({"command": "open", **facts}))
        if "error" in answer:
            raise AudienceError(
                _(
                    "Port {port} of {address} cannot be opened: {reason}. Choose "
                    "another port or address.",
                    port=self.port,
                    address=self._opening["address"],
                    reason=translate(answer["error"]),
                )
            )
        self.port = int(answer["port"])

    def _let_go(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
        if self._records is not None:
            os.close(self._records)
            self._records = None


def _ended() -> AudienceError:
    return AudienceError(
        _(
            "The audience address ended unexpectedly. Open it anew: phones then need "
            "the new link."
        )
    )


def _answer(child: Child, message: Message) -> Any:
    """What a process answers.

    Raises:
        EOFError: It died.
        OSError: Likewise, or it takes too long.
        BrokenMessage: It answers nonsense.
    """
    child.connection.settimeout(ANSWER_SECONDS)
    send(child.connection, message)
    return receive(child.connection, ANSWER_SECONDS).facts


def _child(records: int | None) -> Child:
    environment = {k: os.environ[k] for k in ENVIRONMENT if k in os.environ}
    environment["PYTHONPATH"] = str(REPOSITORY)
    command = [sys.executable, "-m", "medmodel.audience"]
    lent = [] if records is None else [records]
    try:
        return Child(command, environment, lent=lent)
    except OSError as error:
        raise AudienceError(
            _(
                "The audience address cannot be opened: {reason}.",
                reason=os_reason(error),
            )
        ) from error
