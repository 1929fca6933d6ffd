"""A pool of light processes: work on many files, on all cores.

Python's own process pools import the parent's main module again in every child; when
that is Streamlit or a training worker, each child would load Streamlit or TensorFlow.
loky's do not, but where one of its processes dies all are ended, nobody is told which
file it was, and they outlive a parent that was killed.

These children import only the module of the function they run, and end when their
parent does. They are kept for the next work for a while: their imports cost more than a
thousand small images.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from medmodel.core.environment import python_environment
from medmodel.core.errors import Cancelled, MedModelError
from medmodel.core.processes import sandbox
from medmodel.core.processes.children import Child, IdleChildren, serve
from medmodel.core.processes.messages import BrokenMessage, Message, receive, send
from medmodel.language import N_, SOURCE, _, speaking, translate

LARGEST_CHUNK = 64
SHARES = 8
"""Chunks of each child at least, so that all end at about the same time."""
AHEAD = 2
"""Chunks that a child is given at once: it need not wait for the next."""
FEW = 150
"""Up to so many items the caller's own process is faster than starting others."""
SECONDS = 300
"""Processor time for one item, of which each image has its own limit: `sandbox`."""
KEPT = 20
"""Seconds for which a child without work waits for the next."""
NO_ANSWER = N_(
    "The decoder crashed over this file, took too long or needed too much memory."
)

_LARGE = 64 * 2**20
"""Bytes; larger pieces of memory are given back by a child at once."""

Task = Callable[..., Any]


_idle = IdleChildren()


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def map_chunks(
    task: Task,
    items: Sequence[Any],
    *constants: Any,
    cancelled: Callable[[], bool] | None = None,
    few: int | None = None,
) -> Iterator[tuple[list[Any], Any]]:
    """Runs `task(chunk, *constants)` for chunks of items on all cores.

    Args:
        task: A module-level function; arguments and result must survive JSON. It
            must treat its items one by one, and doing one twice must do no harm.
        items: What to work on.
        *constants: Further arguments, the same for all chunks.
        cancelled: Looked at between chunks.
        few: Up to so many items all is done in this process; default `FEW`. Those of
            which this process would have to hold too much are not.

    Yields:
        (chunk, result) in the order of completion. The result is None where an item
        alone brought its process down, took too long or needed too much memory.

    Raises:
        Cancelled: `cancelled()` became true; running chunks are abandoned.
    """
    size = min(max(len(items) // (SHARES * cores()), 1), LARGEST_CHUNK)
    chunks = [list(items[i : i + size]) for i in range(0, len(items), size)]
    if len(items) <= (FEW if few is None else few):
        large = []
        for chunk in chunks:
            _check(cancelled)
            try:
                with speaking(SOURCE):  # as the children do: it may be stored
                    result = task(chunk, *constants)
            except sandbox.AnswerTooLargeError:
                large.append(chunk)
            else:
                yield chunk, result
        chunks = large
    if chunks:
        yield from _map_in_children(task, chunks, constants, cancelled)


def _map_in_children(
    task: Task,
    chunks: Sequence[list[Any]],
    constants: tuple[Any, ...],
    cancelled: Callable[[], bool] | None,
) -> Iterator[tuple[list[Any], Any]]:
    waiting: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    for chunk in chunks:
        waiting.put(chunk)
    crew = _WorkerGroup(task, constants, waiting, min(cores(), len(chunks)))
    left = sum(map(len, chunks))
    try:
        while left:
            _check(cancelled)
            with contextlib.suppress(queue.Empty):
                chunk, result = crew.answers.get(timeout=0.1)
                if isinstance(result, BaseException):
                    raise result
                left -= len(chunk)
                yield chunk, result
    finally:
        crew.end(finished=not left)


def close() -> None:
    """Ends all children that wait for work."""
    _idle.close()


class _WorkerGroup:
    """Some children, each with a thread that feeds it from a queue of chunks."""

    def __init__(
        self,
        task: Task,
        constants: tuple[Any, ...],
        waiting: queue.SimpleQueue[list[Any]],
        size: int,
    ) -> None:
        self.name = f"{task.__module__}:{task.__qualname__}"
        self.constants = constants
        self.waiting = waiting
        self.answers: queue.SimpleQueue[tuple[list[Any], Any]] = queue.SimpleQueue()
        self.ended = threading.Event()
        self.again: list[Any] = []
        self.children: dict[int, Child] = {}
        self.threads = [
            threading.Thread(target=self._feed, args=(n,), daemon=True)
            for n in range(size)
        ]
        for thread in self.threads:
            thread.start()

    def end(self, finished: bool) -> None:
        """Waits for the threads; children that are not finished are ended."""
        if not finished:
            self.ended.set()
            for child in list(self.children.values()):
                child.process.kill()
        for thread in self.threads:
            thread.join()

    def _feed(self, number: int) -> None:
        child = None
        given: deque[list[Any]] = deque()
        try:
            while not self.ended.is_set():
                if child is None:
                    child = self.children[number] = _take()
                if not self._give(child, given):
                    break
                try:
                    answer = receive(child.connection, largest=sandbox.MEMORY)
                except (EOFError, BrokenMessage):
                    if not self.ended.is_set():
                        self._try_alone(child, given)
                        child = None
                else:
                    self.answers.put((given.popleft(), _result(answer)))
        except OSError as error:
            self.answers.put(([], error))
        finally:
            self.children.pop(number, None)
            if child and given:
                child.end()
            elif child:
                _put_back(child)

    def _give(self, child: Child, given: deque[list[Any]]) -> bool:
        """Gives a child chunks ahead; whether it has any."""
        while len(given) < AHEAD:
            try:
                given.append(self.waiting.get_nowait())
            except queue.Empty:
                break
            facts = {"task": self.name, "arguments": [given[-1], *self.constants]}
            with contextlib.suppress(ConnectionError):  # its silence will tell
                send(child.connection, Message(facts))
        return bool(given)

    def _try_alone(self, child: Child, given: deque[list[Any]]) -> None:
        """A child crashed: its chunk's items are tried alone, to find the culprit.

        One that was alone is given up, unless it had too little processor time.
        """
        busy = child.end() == -signal.SIGALRM
        chunk = given.popleft()
        if len(chunk) > 1 or (busy and chunk[0] not in self.again):
            self.again += chunk if len(chunk) == 1 else []
            for item in chunk:
                self.waiting.put([item])
        else:
            self.answers.put((chunk, None))
        while given:
            self.waiting.put(given.popleft())


def _take() -> Child:
    """A child that waits for work, or a new one."""
    while child := _idle.take():
        if child.environment == _environment():
            return child
        child.end()
    return _start_child()


def _put_back(child: Child) -> None:
    """Lets a child wait for the next work, but not for ever."""
    _idle.add(child, most=cores())
    timer = threading.Timer(KEPT, _idle.close, [KEPT])
    timer.daemon = True
    timer.start()


def _environment() -> dict[str, str]:
    return python_environment() | {
        # One thread each: the children themselves already fill all cores.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Memory of the last image serves the next: to give it back and to ask for it
        # anew takes as long as all that is done to the pixels (glibc's mallopt).
        "MALLOC_MMAP_THRESHOLD_": str(_LARGE),
        "MALLOC_TRIM_THRESHOLD_": str(2 * _LARGE),
    }


def _start_child() -> Child:
    command = [sys.executable, "-W", "ignore", "-m", "medmodel.core.processes.pool"]
    return Child(command, _environment(), stdout=2)


def _result(answer: Message) -> Any:
    """A result, or the exception that the child met, to be raised here."""
    kind, value = answer.facts["kind"], answer.facts["value"]
    if kind == "os":
        return OSError(*value)
    if kind == "error":
        return MedModelError(translate(value))
    if kind == "bug":
        return RuntimeError(f"A task of the pool failed:\n{value}")
    return value


def _check(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled(_("The work was given up on request."))


def _answer(question: Message) -> Message:
    arguments = question.facts["arguments"]
    try:
        task = sandbox.function_named(question.facts["task"])
        seconds = SECONDS * len(arguments[0])
        with sandbox.time_limit(sandbox.PATIENCE * seconds, processor=seconds):
            kind, value = "done", task(*arguments)
    except OSError as error:
        kind, value = "os", [error.errno, error.strerror]
    except MedModelError as error:
        kind, value = "error", str(error)
    except MemoryError as error:
        # Its end tells the parent to look for the item that needs so much.
        raise SystemExit(1) from error
    except Exception:
        # Not swallowed: raised again in the parent, with where it came from.
        kind, value = "bug", traceback.format_exc()
    return Message({"kind": kind, "value": value})


if __name__ == "__main__":
    # Damaged files are read here: the limits of a sandbox, and its quiet decoders.
    sandbox.enter()
    serve(_answer, largest=sandbox.MEMORY)
