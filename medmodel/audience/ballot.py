"""Answers of a reading room's phones: one of each phone to each image, until the end.

A phone answers with a token that this address gave it: its seat. Nothing of the person
is asked for. Answers lie in memory alone, those of the image before are forgotten when
the next one is asked about.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from medmodel.evaluation.clinical.reading_room import PhoneAnswer

MOST_SEATS = 400
"""Phones that may take part: as many as may follow."""
TOKEN_BYTES = 16
"""128 bits by chance."""
LONGEST_BODY = 512
"""Bytes of what a phone sends."""

_Token = Annotated[str, msgspec.Meta(max_length=64)]
_Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
_Request = TypeVar("_Request", bound=msgspec.Struct)


class Refused(Exception):
    """What a phone sent is not counted.

    Args:
        status: HTTP status: 400 malformed, 403 no seat, 409 not asked now, 503 full.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Ballot:
    """The question about one image.

    Args:
        reading: By chance; tells this reading from any other.
        number: Of the image, from 1.
        options: The classes.
        open: Whether answers are counted.
    """

    reading: str
    number: int
    options: tuple[str, ...]
    open: bool = True

    @property
    def least(self) -> int:
        """The confidence of a guess, in per cent."""
        return -(-100 // len(self.options))

    def facts(self) -> dict[str, Any]:
        """JSON values that `assets/ballot.js` draws."""
        return {**asdict(self), "least": self.least}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Ballot:
        """The ballot again, from `facts`."""
        return cls(
            reading=facts["reading"],
            number=facts["number"],
            options=tuple(facts["options"]),
            open=facts["open"],
        )


class SeatRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A phone asks for a seat, or for its own again.

    Args:
        seat: The token that it has from before; "" for none.
    """

    seat: _Token = ""


class VoteRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A phone's answer; a later one to the same image takes its place.

    Args:
        seat: The token.
        reading: As in the ballot.
        number: As in the ballot.
        choice: Position of the class.
        confidence: In per cent.
    """

    seat: _Token
    reading: _Token
    number: _Count
    choice: _Count
    confidence: _Percent


@dataclass
class _Seat:
    reader: int
    answered: bool = False


class BallotBox:
    """Seats and answers; used by the server's own thread alone."""

    def __init__(self) -> None:
        self.ballot: Ballot | None = None
        self._seats: dict[str, _Seat] = {}
        self._answers: dict[str, PhoneAnswer] = {}
        self._readers = 0
        self._asked = ("", 0)
        self._began = 0.0

    @property
    def seats(self) -> int:
        """Phones that take part."""
        return len(self._seats)

    def ask(self, ballot: Ballot | None) -> None:
        """Asks about an image; None pauses, and the same image goes on where it was."""
        self.ballot = ballot
        if ballot is not None and self._asked != (ballot.reading, ballot.number):
            self._asked = (ballot.reading, ballot.number)
            self._answers = {}
            self._began = time.monotonic()

    def take_seat(self, body: bytes) -> dict[str, Any]:
        """The seat of a phone with what it answered to the present image, as JSON.

        Raises:
            Refused: The request is malformed, or every seat is taken.
        """
        token = _read(body, SeatRequest).seat
        if token not in self._seats:
            token = self._new_seat()
        answer = self._answers.get(token)
        return {
            "seat": token,
            "reader": self._seats[token].reader,
            "reading": self._asked[0],
            "number": self._asked[1],
            "choice": None if answer is None else answer.choice,
            "confidence": None if answer is None else answer.confidence,
        }

    def vote(self, body: bytes) -> None:
        """Counts an answer, in place of the phone's former one.

        Raises:
            Refused: It is malformed, comes from no seat, or is not asked for now.
        """
        request, ballot = _read(body, VoteRequest), self.ballot
        seat = self._seats.get(request.seat)
        if seat is None:
            raise Refused(403)
        if ballot is None or not ballot.open:
            raise Refused(409)
        if (request.reading, request.number) != (ballot.reading, ballot.number):
            raise Refused(409)
        if request.choice >= len(ballot.options) or request.confidence < ballot.least:
            raise Refused(400)
        seat.answered = True
        seconds = time.monotonic() - self._began
        self._answers[request.seat] = PhoneAnswer(
            seat.reader, request.choice, request.confidence, round(seconds, 1)
        )

    def answers(self) -> list[PhoneAnswer]:
        """What was answered to the present image."""
        return list(self._answers.values())

    def tally(self) -> list[int]:
        """Answers for each class of the present image; empty before the first."""
        if self.ballot is None:
            return []
        counts = [0] * len(self.ballot.options)
        for answer in self._answers.values():
            counts[answer.choice] += 1
        return counts

    def _new_seat(self) -> str:
        if len(self._seats) >= MOST_SEATS:
            # Whoever took seats and never answered gives way to those who would.
            idle = next((t for t, s in self._seats.items() if not s.answered), None)
            if idle is None:
                raise Refused(503)
            del self._seats[idle]
        self._readers += 1
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._seats[token] = _Seat(self._readers)
        return token


def _read(body: bytes, kind: type[_Request]) -> _Request:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400) from error
