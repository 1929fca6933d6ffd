"""Process of the audience address: serves one slide, which its parent sends to it.

It knows no workspace, no run and no data set, so nothing of them can be asked of it.
It ends when its parent does. Seats and answers lie in a file in memory that its parent
lends it: where it dies, the next one goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import uvicorn

from medmodel.audience.application import Application
from medmodel.audience.ballot import Ballot
from medmodel.audience.connections import LONGEST_REQUEST, Connection
from medmodel.audience.records import BallotRecords
from medmodel.core.processes.children import serve
from medmodel.core.processes.messages import Message

END_SECONDS = 3.0
LOOP_SECONDS = 25.0
"""How long the server's own thread may be busy otherwise."""
BACKLOG = 512
T = TypeVar("T")


class Service:
    """The opened address; answers its parent's messages."""

    def __init__(self) -> None:
        self.application: Application | None = None
        self._loop = asyncio.new_event_loop()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def answer(self, message: Message) -> Message:
        """Opens, shows or ends, and says how many follow."""
        facts = message.facts
        if facts["command"] == "open":
            try:
                return Message({"port": self._open(facts)})
            except OSError as error:
                return Message({"error": os.strerror(error.errno or 0)})
        assert self.application is not None
        if facts["command"] == "show":
            self._show(message)
        elif facts["command"] == "end":
            self._end()
            return Message({})
        elif facts["command"] == "answers":
            return Message({"answers": self._in_loop(self._answers)})
        elif facts["command"] == "readers":
            return Message({"readers": self._in_loop(self._readers)})
        return Message(self._in_loop(self._attendance))

    def _show(self, message: Message) -> None:
        facts, application = message.facts, self.application
        assert application is not None
        files = (array.tobytes() for array in message.arrays)
        images = dict(zip(facts["images"], files, strict=True))
        asked = facts.get("ballot")
        ballot = Ballot.of_facts(asked) if asked else None
        self._in_loop(lambda: application.show(facts["slide"], images, ballot))

    def _attendance(self) -> dict[str, Any]:
        application = self.application
        assert application is not None
        box = application.box
        return {
            "followers": application.followers,
            "wrong_codes": application.wrong_codes,
            "readers": box.seats if box else 0,
            "tally": box.tally() if box else [],
        }

    def _answers(self) -> list[dict[str, Any]]:
        assert self.application is not None
        box = self.application.box
        return [asdict(answer) for answer in box.answers()] if box else []

    def _readers(self) -> list[dict[str, Any]]:
        assert self.application is not None
        box = self.application.box
        return [asdict(reader) for reader in box.readers()] if box else []

    def _in_loop(self, function: Callable[[], T]) -> T:
        """What a function returns that runs between two requests."""

        async def run() -> T:
            return function()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        return future.result(LOOP_SECONDS)

    def _open(self, facts: Any) -> int:
        listener = socket.socket()
        # The port of a room that was closed a moment ago is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((facts["address"], facts["port"]))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        port = int(listener.getsockname()[1])
        hosts = [f"{address}:{port}" for address in facts["addresses"]]
        descriptor = facts.get("records")
        records = None if descriptor is None else BallotRecords(descriptor)
        self.application = Application(
            facts["code"],
            [*hosts, *facts["proxy_hosts"]],
            [*(f"http://{host}" for host in hosts), *facts["proxy_origins"]],
            records,
        )
        config = uvicorn.Config(
            self.application,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=LONGEST_REQUEST,
            timeout_graceful_shutdown=1,
            backlog=BACKLOG,
        )
        self._server, self._listener = uvicorn.Server(config), listener
        self._thread.start()
        return port

    def _run(self) -> None:
        assert self._server is not None
        try:
            self._loop.run_until_complete(self._server.serve([self._listener]))
        finally:
            self._loop.close()

    def _end(self) -> None:
        assert self.application is not None and self._server is not None
        self._loop.call_soon_threadsafe(self.application.end)
        self._server.should_exit = True
        self._thread.join(END_SECONDS)


def main() -> None:
    """Serves until the parent closes the socket between them."""
    # Ctrl-C in a terminal reaches every process; the parent says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Service().answer)


if __name__ == "__main__":
    main()
