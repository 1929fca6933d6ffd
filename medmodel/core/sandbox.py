"""Sandbox: untrusted files are decoded in a child with limits of time and memory.

Decoders written in C may crash, hang or ask for all memory when a file is damaged or
made to harm. Here they run in a child with a time limit and a memory limit: whatever
happens to the child, the caller gets an answer or one `ImageError`. A child lives for
many files; the next one starts when it has died.
"""

from __future__ import annotations

import importlib
import resource
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np

from medmodel.core.children import Child, IdleChildren, serve
from medmodel.core.environment import python_environment
from medmodel.core.errors import ImageError
from medmodel.core.messages import BrokenMessage, Message, receive, send

SECONDS = 30
"""Wall time for one file."""
MEMORY = 3 * 2**30
"""Address space of a child in bytes, its libraries included."""
KEPT = 2
"""Idle children kept for the next file."""

_idle = IdleChildren()
_inside = threading.Event()


def ask(
    function: str, data: bytes, name: str, seconds: int = SECONDS, **arguments: Any
) -> dict[str, Any]:
    """Runs `function(data, name, **arguments)` in a child; safe in any thread.

    Args:
        function: `module:name` of a function that returns a dictionary of numbers,
            texts, lists, byte strings and arrays.
        data: The file.
        name: What to call the file in messages.
        seconds: Wall time until it is given up.
        **arguments: Must survive JSON.

    Raises:
        ImageError: From the function, or because the child crashed, took too long or
            needed too much memory.
    """
    if _inside.is_set():
        return _checked(_timed(function, data, name, seconds, arguments))
    child = _idle.take() or _start_child()
    request = {"function": function, "name": name, "seconds": seconds}
    question = Message(
        {**request, "arguments": arguments}, [np.frombuffer(data, np.uint8)]
    )
    try:
        send(child.connection, question)
        answer = _to_dictionary(receive(child.connection, largest=MEMORY))
    except (OSError, EOFError, BrokenMessage) as error:
        raise ImageError(_obituary(child.end(), name, seconds)) from error
    except BaseException:
        child.end()  # It may be in the middle of an answer to this request.
        raise
    _idle.add(child, most=KEPT)
    return _checked(answer)


def enter() -> None:
    """Makes this process a sandbox: `ask` then works here, with the same limits.

    For worker processes whose end their parent survives: they save the way to a child
    of their own. To be called in the main thread, before anything is read. A file that
    takes too long ends the process with SIGALRM.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _inside.set()


def close() -> None:
    """Ends all idle children; the next request starts another."""
    _idle.close()


def _start_child() -> Child:
    return Child(
        [sys.executable, "-W", "ignore", "-m", "medmodel.core.sandbox"],
        python_environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        # What a decoder prints is for nobody.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _obituary(status: int, name: str, seconds: int) -> str:
    """A sentence that says what a child died of that did not answer."""
    if status == -signal.SIGALRM:
        return f"{name} took longer than {seconds} s to read: it is damaged or too big."
    return f"{name} cannot be read: its content brings the decoder to a halt."


def _to_message(answer: dict[str, Any]) -> Message:
    """Arrays and byte strings of an answer beside what JSON can hold."""
    blobs = {
        key: np.frombuffer(value, np.uint8)
        for key, value in answer.items()
        if isinstance(value, bytes)
    }
    arrays = {k: v for k, v in answer.items() if isinstance(v, np.ndarray)} | blobs
    plain = {k: v for k, v in answer.items() if k not in arrays}
    facts = {"plain": plain, "arrays": [*arrays], "bytes": [*blobs]}
    return Message(facts, [*arrays.values()])


def _to_dictionary(message: Message) -> dict[str, Any]:
    facts = message.facts
    answer = facts["plain"] | dict(zip(facts["arrays"], message.arrays, strict=True))
    return answer | {key: answer[key].tobytes() for key in facts["bytes"]}


def _serve_one(question: Message) -> Message:
    data = question.arrays.pop().tobytes()  # not in memory twice while it is decoded
    return _to_message(_timed(data=data, **question.facts))


def _timed(
    function: str, data: bytes, name: str, seconds: int, arguments: dict[str, Any]
) -> dict[str, Any]:
    # The signal ends the process even inside a decoder that never returns, and even
    # where the caller is gone.
    signal.alarm(seconds)
    try:
        return _answer(function, data, name, arguments)
    finally:
        signal.alarm(0)


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise ImageError(answer["error"])
    if "bug" in answer:
        raise RuntimeError(answer["bug"])
    return answer


def _answer(
    function: str, data: bytes, name: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    try:
        module, _, attribute = function.partition(":")
        task = getattr(importlib.import_module(module), attribute)
        return dict(task(data, name, **arguments))
    except ImageError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"{name} needs too much memory: it is damaged or too big."}
    except Exception as error:  # the caller raises it again
        return {"bug": f"{type(error).__name__} in {function}: {error}"}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    enter()
    serve(_serve_one, largest=MEMORY)
