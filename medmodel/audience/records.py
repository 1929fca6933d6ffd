"""Seats and answers of a reading room, where they outlive the process that serves it.

The presenter's process holds a nameless file in memory (memfd_create, Linux) and lends
it to the process of the audience address, which writes every seat and answer there
before a phone is told. A process that takes its place goes on from it. The file is no
part of any file system: the kernel frees it with the last process that holds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

RECORD_BYTES = 512
"""Of each record, filled up with blanks: writing one never moves another."""


class QuestionRecord(msgspec.Struct):
    """The image that phones are asked about.

    Args:
        reading: As in the ballot.
        number: As in the ballot.
        began: When it was asked about first, on the clock that counts since the start
            of the machine.
        readers: Phones that took a seat so far.
    """

    reading: str
    number: int
    began: float
    readers: int


class SeatRecord(msgspec.Struct):
    """One phone.

    Args:
        token: Of its seat.
        reader: Its number.
        answered: Whether it ever answered.
        nickname: As it calls itself; "" for nothing.
        reading: Of its last answer.
        number: Likewise; 0 for none.
        choice: Likewise.
        confidence: Likewise, in per cent.
        seconds: Likewise, from the question to the answer.
    """

    token: str
    reader: int
    answered: bool = False
    nickname: str = ""
    reading: str = ""
    number: int = 0
    choice: int = 0
    confidence: int = 0
    seconds: float = 0.0


class BallotRecords:
    """The records of one room: the question, then a place for each seat.

    Args:
        descriptor: Of the file.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_question(self, question: QuestionRecord) -> None:
        """Keeps it in place of the one before."""
        self._write(0, question)

    def write_seat(self, place: int, seat: SeatRecord) -> None:
        """Keeps a seat at its place, from 0."""
        self._write(place + 1, seat)

    def question(self) -> QuestionRecord | None:
        """The last one; None before the first."""
        content = os.pread(self._descriptor, RECORD_BYTES, 0)
        return msgspec.json.decode(content, type=QuestionRecord) if content else None

    def seats(self) -> Iterator[tuple[int, SeatRecord]]:
        """Every seat that was taken, with its place."""
        place = 0
        while content := self._read(place + 1):
            yield place, msgspec.json.decode(content, type=SeatRecord)
            place += 1

    def _read(self, at: int) -> bytes:
        return os.pread(self._descriptor, RECORD_BYTES, at * RECORD_BYTES)

    def _write(self, at: int, record: msgspec.Struct) -> None:
        content = msgspec.json.encode(record).ljust(RECORD_BYTES)
        # One call, which no signal cuts in two: a reader sees it whole or not at all.
        os.pwrite(self._descriptor, content, at * RECORD_BYTES)


def memory_file() -> int | None:
    """Descriptor of a new file in memory; None where the system has none."""
    create = getattr(os, "memfd_create", None)
    return None if create is None else int(create("ballots"))
