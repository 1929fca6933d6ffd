"""All cores for work on many files, in light processes that import little.

Python's own process pools import the parent's main module again in every child; when
that is Streamlit or a training worker, each child would load Streamlit or TensorFlow.
These children import only the module of the function they run, take JSON lines on
standard input, answer on standard output, and end when their parent does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from medmodel import sandbox
from medmodel.errors import Cancelled, MedModelError

CHUNK = 32
FEW = 150
"""Up to so many items the caller's own process is faster than starting others."""

Task = Callable[..., Any]


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
        few: Up to so many items all is done in this process; default `FEW`.

    Yields:
        (chunk, result) in the order of completion. The result is None where an item
        alone brought its process down.

    Raises:
        Cancelled: `cancelled()` became true; running chunks are abandoned.
    """
    chunks = [list(items[i : i + CHUNK]) for i in range(0, len(items), CHUNK)]
    if len(items) <= (FEW if few is None else few):
        for chunk in chunks:
            _check(cancelled)
            yield chunk, task(chunk, *constants)
        return
    waiting: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    for chunk in chunks:
        waiting.put(chunk)
    crew = _Crew(task, constants, waiting, min(cores(), len(chunks)))
    try:
        left = len(items)
        while left:
            _check(cancelled)
            with contextlib.suppress(queue.Empty):
                chunk, result = crew.answers.get(timeout=0.1)
                if isinstance(result, BaseException):
                    raise result
                left -= len(chunk)
                yield chunk, result
    finally:
        crew.end()


class _Crew:
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
        self.children: dict[int, subprocess.Popen[str]] = {}
        self.threads = [
            threading.Thread(target=self._feed, args=(n,), daemon=True)
            for n in range(size)
        ]
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        """Ends all children, finished or not, and waits for their threads."""
        self.ended.set()
        for child in list(self.children.values()):
            child.kill()
        for thread in self.threads:
            thread.join()

    def _feed(self, number: int) -> None:
        try:
            child = self.children[number] = _start_child()
            while not self.ended.is_set():
                try:
                    chunk = self.waiting.get_nowait()
                except queue.Empty:
                    break
                answer = _ask(child, self.name, chunk, self.constants)
                if answer is not None:
                    self.answers.put((chunk, _unpack(answer)))
                elif not self.ended.is_set():
                    # It crashed: try the chunk's items alone, to find the culprit.
                    _end(child)
                    child = self.children[number] = _start_child()
                    if len(chunk) == 1:
                        self.answers.put((chunk, None))
                    for item in chunk if len(chunk) > 1 else []:
                        self.waiting.put([item])
            _end(child)
        except OSError as error:
            self.answers.put(([], error))


def _start_child() -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    # One thread each: the children themselves already fill all cores.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "medmodel.pool"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **threads, "PYTHONPATH": path},
    )


def _ask(
    child: subprocess.Popen[str], name: str, chunk: list[Any], constants: Any
) -> str | None:
    """One chunk's answer; None if the child died over it."""
    assert child.stdin and child.stdout
    try:
        child.stdin.write(json.dumps([name, chunk, *constants]) + "\n")
        child.stdin.flush()
    except OSError:
        return None
    return child.stdout.readline() or None


def _end(child: subprocess.Popen[str]) -> None:
    assert child.stdin and child.stdout
    with contextlib.suppress(OSError):
        child.stdin.close()
    child.wait()
    child.stdout.close()


def _unpack(answer: str) -> Any:
    """A result, or the exception that the child met, to be raised here."""
    kind, value = json.loads(answer)
    if kind == "os":
        return OSError(*value)
    if kind == "error":
        return MedModelError(value)
    if kind == "bug":
        return RuntimeError(f"A task of the pool failed:\n{value}")
    return value


def _check(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("The work was given up on request.")


def _serve() -> None:
    """The child's life: one JSON line in, one JSON line out, until the input ends."""
    # Damaged files are read here: the limits of a sandbox, and its quiet decoders.
    sandbox.enter()
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        module, _, function = name.partition(":")
        try:
            result = getattr(importlib.import_module(module), function)(*arguments)
            answer = ["done", result]
        except OSError as error:
            answer = ["os", [error.errno, error.strerror]]
        except MedModelError as error:
            answer = ["error", str(error)]
        except Exception:
            # Not swallowed: raised again in the parent, with where it came from.
            answer = ["bug", traceback.format_exc()]
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
