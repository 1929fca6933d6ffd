"""Sandbox: untrusted files are decoded in a child with limits of time and memory.

Decoders written in C may crash, hang or ask for all memory when a file is damaged or
made to harm. Here they run in a child with a time limit and a memory limit: whatever
happens to the child, the caller gets an answer of bounded size or one error. A child
lives for many files; the next one starts when it has died.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from medmodel.core.environment import python_environment, workspace_root
from medmodel.core.errors import ImageError, MedModelError
from medmodel.core.processes.children import Child, IdleChildren, serve
from medmodel.core.processes.messages import BrokenMessage, Message, receive, send
from medmodel.language import _, translate

SECONDS = 30
"""Wall time for one file."""
PAGE_SECONDS = 8
"""The same where somebody waits for a page."""
MEMORY = 3 * 2**30
"""Address space of a child in bytes, its libraries included."""
LARGEST_ANSWER = 100_000_000
"""Bytes of an answer's arrays and byte strings; whoever asks holds the latter twice for
a moment."""
LARGEST_FACTS = 32 * 2**20
"""Bytes of the rest of an answer as JSON."""
AT_ONCE = 4
"""Children at work at the same time, and idle ones kept for the next file."""

PATIENCE = 10
"""How many times its processor time a file may take in a process of its own kind: there
the caller's machine may be at work on many, and no image is to be left out for that."""
_BUSY = 0.5
"""Share of the time below which a file that was not read says nothing of the file."""
_LONGER = 4
"""How many times as long it is then given once more, where nobody waits for a page."""

_idle = IdleChildren()
_slots = threading.BoundedSemaphore(AT_ONCE)
_inside = threading.Event()


class ImageTimeoutError(ImageError):
    """A file took longer to read than it may."""


class MachineBusyError(ImageTimeoutError):
    """It did so because the machine had little time for it: nothing else is known."""


class AnswerTooLargeError(MedModelError):
    """What was made of a file is more than the process that asked wants to hold."""


def ask(
    function: str,
    data: bytes,
    name: str,
    seconds: int = SECONDS,
    patience: int = 1,
    largest: int = LARGEST_ANSWER,
    **arguments: Any,
) -> dict[str, Any]:
    """Runs `function(data, name, **arguments)` in a child; safe in any thread.

    Args:
        function: `module:name` of a function that returns a dictionary of numbers,
            texts, lists, byte strings and arrays.
        data: The file.
        name: What to call the file in messages.
        seconds: Processor time until it is given up.
        patience: How many times as much wall time it may take; in a process that is a
            sandbox itself `PATIENCE` times at least.
        largest: Bytes that the answer's arrays may have. In a process that is a sandbox
            itself nothing is sent, and an answer may have any size.
        **arguments: Must survive JSON.

    Raises:
        ImageError: From the function, or because the child crashed, took too long
            (`ImageTimeoutError`) or needed too much memory.
        AnswerTooLargeError: The answer is larger than `largest`.
        OSError: From the function.
    """
    request: dict[str, Any] = {"function": function, "name": name}
    request |= {"seconds": seconds, "patience": patience, "arguments": arguments}
    if _inside.is_set():
        request["patience"] = max(patience, PATIENCE)
        return _checked(_timed(data=data, **request))
    request |= {"largest": largest, "environment": _environment()}
    pixels = [np.frombuffer(data, np.uint8)]
    with _slots:
        try:
            return _checked(_ask_child(Message(request, pixels)))
        except MachineBusyError:
            if seconds < SECONDS:
                raise
            # No image of a data set is to be left out for the load of the moment.
            request["patience"] = _LONGER * patience
            return _checked(_ask_child(Message(request, pixels)))


def _ask_child(question: Message) -> dict[str, Any]:
    facts = question.facts
    name, largest = facts["name"], facts["largest"]
    seconds = facts["seconds"] * facts["patience"]
    deadline = time.monotonic() + seconds
    child = _idle.take() or _start_child()
    before = _processor_seconds(child)
    try:
        child.connection.settimeout(seconds)
        send(child.connection, question)
        left = max(deadline - time.monotonic(), 0.001)
        answer = receive(child.connection, left, max(largest, LARGEST_FACTS))
    except TimeoutError as error:
        used = _processor_seconds(child) - before
        child.end()
        raise _timed_out(name, seconds, used) from error
    except (OSError, EOFError, BrokenMessage) as error:
        used = _processor_seconds(child) - before
        ended_by = -child.end()
        if ended_by == signal.SIGPROF:
            raise _took_longer(name, facts["seconds"]) from error
        if ended_by == signal.SIGALRM:
            raise _timed_out(name, seconds, used) from error
        raise ImageError(
            _(
                "{name} cannot be read: its content brings the decoder to a halt.",
                name=name,
            )
        ) from error
    except BaseException:
        child.end()  # It may be in the middle of an answer to this request.
        raise
    _idle.add(child, most=AT_ONCE)
    return _to_dictionary(answer)


def _environment() -> dict[str, str]:
    """What may have changed since a child was started."""
    data = os.environ.get("MEDMODEL_DATA", "")
    return {"MEDMODEL_WORKSPACE": str(workspace_root()), "MEDMODEL_DATA": data}


def _processor_seconds(child: Child) -> float:
    """Processor time that a child has had, also of one that has just died."""
    import psutil

    try:
        times = psutil.Process(child.process.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def _timed_out(name: str, seconds: int, used: float) -> ImageTimeoutError:
    """Why there is no answer after so many seconds, of which it could use so many."""
    if used < seconds * _BUSY:
        return MachineBusyError(
            _(
                "{name} was not read within {seconds} s, as the machine is busy: of "
                "these it had {used:.1f} s of processor time. Try again.",
                name=name,
                seconds=seconds,
                used=used,
            )
        )
    return _took_longer(name, seconds)


def _took_longer(name: str, seconds: int) -> ImageTimeoutError:
    return ImageTimeoutError(
        _(
            "{name} took longer than {seconds} s to read: it is damaged or too big.",
            name=name,
            seconds=seconds,
        )
    )


def enter() -> None:
    """Makes this process a sandbox: `ask` then works here, with the same limits.

    For worker processes whose end their parent survives: they save the way to a child
    of their own. To be called in the main thread, before anything is read. A file that
    takes too long ends the process: with SIGPROF by its processor time, with SIGALRM by
    wall time.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _inside.set()


def check_size(size: int, name: str) -> None:
    """Refuses so many bytes in a process that is no sandbox.

    Raises:
        AnswerTooLargeError: They are more than `LARGEST_ANSWER`.
    """
    if size > LARGEST_ANSWER and not _inside.is_set():
        raise _too_large(name)


def _too_large(name: str) -> AnswerTooLargeError:
    return AnswerTooLargeError(
        _(
            "{name} is too large to be opened here: what it holds is more than "
            "{megabytes} MB. Scale or crop it first.",
            name=name,
            megabytes=LARGEST_ANSWER // 10**6,
        )
    )


def close() -> None:
    """Ends all idle children; the next request starts another."""
    _idle.close()


def _start_child() -> Child:
    return Child(
        [sys.executable, "-W", "ignore", "-m", "medmodel.core.processes.sandbox"],
        python_environment() | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        # What a decoder prints is for nobody.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


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
    request = dict(question.facts)
    os.environ.update(request.pop("environment"))
    largest = request.pop("largest")
    data = question.arrays.pop().tobytes()  # not in memory twice while it is decoded
    answer = _to_message(_timed(data=data, **request))
    size = sum(array.nbytes for array in answer.arrays)
    if size <= largest and len(json.dumps(answer.facts)) <= LARGEST_FACTS:
        return answer
    return _to_message({"too large": request["name"]})


@contextlib.contextmanager
def time_limit(seconds: int, processor: int | None = None) -> Iterator[None]:
    """Ends this process by a signal if the block takes longer; for the main thread.

    The signal ends it even inside a decoder that never returns, and even where whoever
    asked is gone. Within another limit the earlier of both holds.

    Args:
        seconds: Wall time, after which SIGALRM ends it.
        processor: Seconds of processor time, after which SIGPROF does; None for any.
    """
    with contextlib.ExitStack() as timers:
        timers.enter_context(_timer(signal.ITIMER_REAL, time.monotonic, seconds))
        if processor is not None:
            used = _timer(signal.ITIMER_PROF, time.process_time, processor)
            timers.enter_context(used)
        yield


@contextlib.contextmanager
def _timer(which: int, clock: Callable[[], float], seconds: int) -> Iterator[None]:
    started = clock()
    outer, _interval = signal.setitimer(which, seconds)
    if outer:
        signal.setitimer(which, min(outer, seconds))
    try:
        yield
    finally:
        passed = clock() - started
        signal.setitimer(which, max(outer - passed, 1) if outer else 0)


def function_named(text: str) -> Callable[..., Any]:
    """The function that `module:name` says."""
    module, _, attribute = text.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function


def _timed(
    function: str,
    data: bytes,
    name: str,
    seconds: int,
    patience: int,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    with time_limit(patience * seconds, processor=seconds):
        return _answer(function, data, name, arguments)


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise ImageError(translate(answer["error"]))
    if "refused" in answer:
        raise MedModelError(translate(answer["refused"]))
    if "os" in answer:
        raise OSError(*answer["os"])
    if "too large" in answer:
        raise _too_large(answer["too large"])
    if "bug" in answer:
        raise RuntimeError(answer["bug"])
    return answer


def _answer(
    function: str, data: bytes, name: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    try:
        return dict(function_named(function)(data, name, **arguments))
    except ImageError as error:
        return {"error": str(error)}
    except MedModelError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {
            "error": _(
                "{name} needs too much memory: it is damaged or too big.", name=name
            )
        }
    except OSError as error:
        return {"os": [error.errno, error.strerror or str(error)]}
    except Exception as error:  # the caller raises it again
        return {"bug": f"{type(error).__name__} in {function}: {error}"}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    enter()
    serve(_serve_one, largest=MEMORY)
