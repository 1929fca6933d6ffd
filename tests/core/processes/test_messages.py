"""Messages between processes: whole, bounded, never code."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from medmodel.core.processes.messages import (
    LARGEST_HEADER,
    BrokenMessage,
    Message,
    receive,
    send,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def raw(header: object) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("!I", len(text)) + text


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.none()),
    st.lists(
        st.sampled_from(["uint8", "float32", "int64"]).flatmap(
            lambda dtype: arrays(dtype, array_shapes(min_side=0, max_side=4))
        ),
        max_size=3,
    ),
)
def test_what_is_sent_arrives(facts: dict, sent: list[np.ndarray]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send(ours, Message(facts, sent))
        got = receive(theirs, 5)
    assert got.facts == facts
    assert len(got.arrays) == len(sent)
    for before, after in zip(sent, got.arrays, strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


def test_large_array_passes_the_socket_in_pieces(pair: Pair) -> None:
    image = np.arange(3_000_000, dtype=np.uint8).reshape(1000, 3000)[:, ::2]
    thread = threading.Thread(target=send, args=(pair[0], Message({}, [image])))
    thread.start()
    got = receive(pair[1], 10).arrays[0]
    thread.join()
    np.testing.assert_array_equal(got, image)


def test_end_of_the_other_side(pair: Pair) -> None:
    pair[0].sendall(raw({"facts": {}, "arrays": []})[:7])
    pair[0].close()
    with pytest.raises(EOFError):
        receive(pair[1], 5)


def test_end_of_a_side_that_did_not_read(pair: Pair) -> None:
    send(pair[0], Message({}))
    pair[1].close()
    with pytest.raises(EOFError):
        receive(pair[0], 5)


def test_silence_is_a_timeout(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        receive(pair[1], 0.01)


@pytest.mark.parametrize(
    "described",
    [
        {"dtype": "object", "shape": [1]},
        {"dtype": "float64", "shape": [1]},
        {"dtype": "uint8", "shape": [-1]},
        {"dtype": "uint8", "shape": [1.5]},
        {"dtype": "uint8", "shape": [1 << 40]},
    ],
)
def test_array_that_is_not_allowed(pair: Pair, described: dict) -> None:
    pair[0].sendall(raw({"facts": {}, "arrays": [described]}))
    with pytest.raises(BrokenMessage):
        receive(pair[1], 5)


def test_header_that_is_too_long(pair: Pair) -> None:
    pair[0].sendall(struct.pack("!I", LARGEST_HEADER + 1))
    with pytest.raises(BrokenMessage):
        receive(pair[1], 5)


def test_other_limits_than_the_usual(pair: Pair) -> None:
    message = Message({"text": "x" * LARGEST_HEADER}, [np.zeros(9, np.uint8)])
    threading.Thread(target=send, args=(pair[0], message)).start()
    assert receive(pair[1], 5, largest=2 * LARGEST_HEADER).facts == message.facts
    send(pair[0], Message({}, [np.zeros(90, np.uint8)]))
    with pytest.raises(BrokenMessage, match="90 bytes"):
        receive(pair[1], 5, largest=89)
