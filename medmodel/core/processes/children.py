"""Child processes that answer messages; those without work wait for the next.

A child imports only what it is asked for and ends when its parent does: the socket
between them is then closed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from medmodel.core.processes.messages import Message, receive, send


class Child:
    """A running child process and the socket to it.

    Args:
        command: Gets the number of its socket as last argument, see `serve`.
        environment: All of its environment variables.
        stdout: File descriptor for what it prints; None: this process's own.
        stderr: The same for its errors.
        lent: File descriptors that it gets, too, under the same numbers.

    Raises:
        OSError: The machine has no room for another process.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        stdout: int | None = None,
        stderr: int | None = None,
        lent: Sequence[int] = (),
    ) -> None:
        self.environment = environment
        self.idle_since = 0.0
        self.connection, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as on_error:
            on_error.enter_context(self.connection)
            self.process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[theirs.fileno(), *lent],
                env=environment,
            )
            on_error.pop_all()

    def end(self) -> int:
        """Kills and reaps the process; returns what it died of, if it was dead."""
        self.connection.close()
        self.process.kill()
        return self.process.wait()


class IdleChildren:
    """Children that wait for work. They hold no state; any serves the next."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._lock = threading.Lock()
        atexit.register(self.close)
        # Those of a forked parent belong to that parent.
        os.register_at_fork(after_in_child=self.children.clear)

    def take(self) -> Child | None:
        """One that lives, if there is any."""
        with self._lock:
            while self.children:
                child = self.children.pop()
                if child.process.poll() is None:
                    return child
                child.end()
        return None

    def add(self, child: Child, most: int) -> None:
        """Lets a child wait unless `most` already do."""
        with self._lock:
            if len(self.children) < most:
                child.idle_since = time.monotonic()
                self.children.append(child)
                return
        child.end()

    def close(self, seconds: float = 0) -> None:
        """Ends those that have waited for so long."""
        with self._lock:
            for child in list(self.children):
                if time.monotonic() - child.idle_since >= seconds:
                    self.children.remove(child)
                    child.end()


def serve(
    answer: Callable[[Message], Message],
    greeting: Message | None = None,
    largest: int | None = None,
) -> None:
    """The life of a `Child`: answers until its parent closes the socket.

    Args:
        answer: Gets each question; its own errors are part of what it answers.
        greeting: Sent before the first answer.
        largest: See `messages.receive`.
    """
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        # Nobody may want an answer any more: then no further question comes.
        with contextlib.suppress(ConnectionError):
            if greeting:
                send(connection, greeting)
        while True:
            try:
                question = receive(connection, largest=largest)
            except EOFError:
                return
            with contextlib.suppress(ConnectionError):
                send(connection, answer(question))
