"""Our routes behind our guard, on a port of their own, while a test asks them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.applications import Starlette

from medmodel.server import application


@contextlib.contextmanager
def served_routes(names: Sequence[str]) -> Iterator[int]:
    """Serves them; names the port.

    Args:
        names: Of the hosts that may be asked for.
    """
    app = Starlette(
        routes=application.routes(), middleware=application.middleware(names)
    )
    config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio")
    running = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield listener.getsockname()[1]
        running.should_exit = True
        thread.join()
