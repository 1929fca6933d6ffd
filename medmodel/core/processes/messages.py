"""Messages over a socket between two processes: a JSON header and arrays, no code.

On the wire: the length of the header as 4 bytes, big-endian; the header as JSON, whose
`arrays` lists dtype and shape of each array; then the bytes of the arrays, C order.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

LARGEST_HEADER = 1 << 20
LARGEST_ARRAYS = 1 << 27
DTYPES = ("uint8", "int64", "float32")


class Command(str, Enum):
    """What the predictor process is asked to do; `command` of a message's facts."""

    LOAD = "load"
    PREDICT = "predict"
    EXPLAIN = "explain"
    SEGMENT = "segment"
    LOOK_INSIDE = "look_inside"
    AUGMENT = "augment"


class BrokenMessage(Exception):
    """The other side sent something that is no message, or more than is allowed."""


@dataclass(frozen=True)
class Message:
    """Facts and arrays that go together.

    Args:
        facts: JSON values.
        arrays: Arrays of the types in `DTYPES`.
    """

    facts: Mapping[str, Any]
    arrays: list[np.ndarray] = field(default_factory=list)


def send(connection: socket.socket, message: Message) -> None:
    """Sends a message.

    Raises:
        OSError: The other side is gone.
    """
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    described = [{"dtype": str(a.dtype), "shape": list(a.shape)} for a in arrays]
    header = json.dumps({"facts": message.facts, "arrays": described}).encode()
    connection.sendall(struct.pack("!I", len(header)) + header)
    for array in arrays:
        if array.size:
            connection.sendall(array.data.cast("B"))


def receive(
    connection: socket.socket,
    seconds: float | None = None,
    largest: int | None = None,
) -> Message:
    """Waits for a whole message.

    Args:
        connection: The socket.
        seconds: How long to wait in all; None for ever.
        largest: Bytes of header and of arrays that are allowed; None for
            `LARGEST_HEADER` and `LARGEST_ARRAYS`.

    Raises:
        EOFError: The other side is gone.
        TimeoutError: It took longer than `seconds`.
        BrokenMessage: What came is not a message, or too large.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    (length,) = struct.unpack("!I", _read(connection, 4, deadline))
    if length > (largest or LARGEST_HEADER):
        raise BrokenMessage(f"a header of {length} bytes")
    try:
        header = json.loads(_read(connection, length, deadline))
        facts = header["facts"]
        described = [(str(a["dtype"]), tuple(a["shape"])) for a in header["arrays"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BrokenMessage("a header that is none") from error
    total = sum(_size(dtype, shape) for dtype, shape in described)
    if total > (largest or LARGEST_ARRAYS):
        raise BrokenMessage(f"arrays of {total} bytes")
    arrays = []
    for dtype, shape in described:
        data = _read(connection, _size(dtype, shape), deadline)
        arrays.append(np.frombuffer(data, dtype).reshape(shape))
    return Message(facts, arrays)


def _size(dtype: str, shape: tuple[Any, ...]) -> int:
    if dtype not in DTYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise BrokenMessage(f"an array of type {dtype} and shape {shape}")
    return math.prod(shape) * np.dtype(dtype).itemsize


def _read(connection: socket.socket, count: int, deadline: float | None) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
        try:
            read = connection.recv_into(view)
        except ConnectionResetError:  # it died before it read all that was sent
            read = 0
        if read == 0:
            raise EOFError
        view = view[read:]
    return data
