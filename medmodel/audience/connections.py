"""Connections of the audience address: how long each may keep the server waiting."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

ASK_SECONDS = 10.0
"""How long a connection may take to ask for something."""
TAKE_SECONDS = 20.0
"""How long a connection may leave what was sent to it unread."""
MOST_CONNECTIONS = 600
"""Connections at a time; those beyond are closed at once."""
LONGEST_REQUEST = 8192
"""Bytes of a request line with its headers."""

log = logging.getLogger("medmodel.audience")
# Ten thousand bad requests fill no disk; what is our own fault is still told.
log.setLevel(logging.ERROR)


class Connection(H11Protocol):
    """HTTP/1.1 without a log, for one request, which must come and be taken soon.

    uvicorn has no limit on the time until a request is complete (slow loris), nor on
    the time a client takes to read.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = log
        self.access_log = False  # nobody's address is noted
        self._asking: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock, or closes what is too much."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        _notice_silence(transport.get_extra_info("socket"))
        self._asking = self.loop.call_later(ASK_SECONDS, self._end_unless_asked)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks."""
        for clock in (self._asking, self._taking):
            if clock is not None:
                clock.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Starts the clock of a client that does not read."""
        super().pause_writing()
        self._taking = self.loop.call_later(TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stops it."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()

    def _end_unless_asked(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def _notice_silence(connection: socket.socket) -> None:
    """Lets the system close a connection whose other end acknowledges nothing."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux alone has it
    if option is not None:
        milliseconds = int(1000 * TAKE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, option, milliseconds)
