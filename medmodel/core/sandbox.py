"""Sandbox: untrusted files are decoded in a child with limits of time and memory.

Decoders written in C may crash, hang or ask for all memory when a file is damaged or
made to harm. Here they run in a child with a time limit and a memory limit: whatever
happens to the child, the caller gets an answer or one `ImageError`. A child lives for
many files; the next one starts when it has died.

A request is one line of JSON, [function, size, arguments], and the file's bytes. The
answer is one line, too, with the sizes of the arrays and byte strings that follow.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from typing import IO, Any

from medmodel.core.environment import python_environment
from medmodel.core.errors import ImageError

SECONDS = 30
"""Wall time for one file."""
MEMORY = 3 * 2**30
"""Address space of a child in bytes, its libraries included."""
KEPT = 2
"""Idle children kept for the next file."""

_idle: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()
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
    child = _take()
    try:
        answer = _exchange(child, [function, len(data), name, seconds, arguments], data)
    except (OSError, EOFError) as error:
        raise ImageError(_obituary(child, name, seconds)) from error
    except BaseException:
        child.kill()  # It may be in the middle of an answer to this request.
        _obituary(child, name, seconds)
        raise
    with _lock:
        if len(_idle) < KEPT:
            _idle.append(child)
        else:
            _end(child)
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
    with _lock:
        while _idle:
            _end(_idle.pop())


# Children hold no state; those of a forked parent belong to that parent.
atexit.register(close)
os.register_at_fork(after_in_child=_idle.clear)


def _take() -> subprocess.Popen[bytes]:
    with _lock:
        while _idle:
            child = _idle.pop()
            if child.poll() is None:
                return child
            _end(child)
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "medmodel.core.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=python_environment() | one_thread,
    )


def _exchange(
    child: subprocess.Popen[bytes], request: list[Any], data: bytes
) -> dict[str, Any]:
    assert child.stdin and child.stdout
    child.stdin.write(json.dumps(request).encode() + b"\n")
    child.stdin.write(data)
    child.stdin.flush()
    return _receive(child.stdout)


def _obituary(child: subprocess.Popen[bytes], name: str, seconds: int) -> str:
    """Reaps a child that did not answer; a sentence that says what it died of."""
    _end(child)
    if child.returncode == -signal.SIGALRM:
        return f"{name} took longer than {seconds} s to read: it is damaged or too big."
    return f"{name} cannot be read: its content brings the decoder to a halt."


def _end(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin and child.stdout
    with contextlib.suppress(OSError):
        child.stdin.close()
    child.stdout.close()
    child.wait()


def _send(stream: IO[bytes], answer: dict[str, Any]) -> None:
    """Writes a dictionary; arrays and byte strings follow the line of JSON."""
    import numpy as np

    plain: dict[str, Any] = {}
    blobs: list[bytes] = []
    for key, value in answer.items():
        if isinstance(value, np.ndarray):
            plain[key] = {"dtype": value.dtype.str, "shape": value.shape}
            blobs.append(value.tobytes())
        elif isinstance(value, bytes):
            plain[key] = {"bytes": len(value)}
            blobs.append(value)
        else:
            plain[key] = value
    stream.write(json.dumps(plain).encode() + b"\n")
    for blob in blobs:
        stream.write(blob)
    stream.flush()


def _receive(stream: IO[bytes]) -> dict[str, Any]:
    import numpy as np

    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer: dict[str, Any] = json.loads(line)
    for key, value in answer.items():
        if isinstance(value, dict) and "dtype" in value:
            dtype, shape = np.dtype(value["dtype"]), tuple(value["shape"])
            # A bytearray, so that the array may be written to.
            blob = bytearray(_exactly(stream, int(np.prod(shape)) * dtype.itemsize))
            answer[key] = np.frombuffer(blob, dtype).reshape(shape)
        elif isinstance(value, dict) and "bytes" in value:
            answer[key] = _exactly(stream, value["bytes"])
    return answer


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _serve() -> None:
    """The child's life: one request after the other, until the input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What a decoder prints must not be taken for an answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    enter()
    while line := requests.readline():
        function, size, name, seconds, arguments = json.loads(line)
        data = requests.read(size)
        _send(answers, _timed(function, data, name, seconds, arguments))


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
    _serve()
