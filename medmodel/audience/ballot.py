"""Answers of a reading room's phones: one of each phone to each image, until the end.

A phone answers with a token that this address gave it: its seat. Nothing of the person
is asked for; a nickname may be given, which the presenter alone is shown. All lies in
memory alone, and answers to the image before are forgotten when the next one is asked
about.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from typing import Annotated, Any, TypeVar

import msgspec

from medmodel.audience.nickname import cleaned_nickname
from medmodel.audience.records import BallotRecords, QuestionRecord, SeatRecord
from medmodel.evaluation.clinical.reading_room import PhoneAnswer

MOST_SEATS = 400
"""Phones that may take part: as many as may follow."""
TOKEN_BYTES = 16
"""128 bits by chance."""
LONGEST_BODY = 512
"""Bytes of what a phone sends."""

_Token = Annotated[str, msgspec.Meta(max_length=64)]
_Nickname = Annotated[str, msgspec.Meta(max_length=100)]
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


class NicknameRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a phone would be called.

    Args:
        seat: The token.
        nickname: As it was typed; "" for nothing any more.
    """

    seat: _Token
    nickname: _Nickname


@dataclass(frozen=True)
class Reader:
    """A phone as the presenter sees it.

    Args:
        number: From 1, in the order in which they came.
        nickname: "" for none.
        answered: Whether it answered the present image.
    """

    number: int
    nickname: str
    answered: bool


class BallotBox:
    """Seats and answers; used by the server's own thread alone.

    Args:
        records: Where they are kept for a process that may take this one's place, and
            where those of the one before are taken up; None to keep none.
    """

    def __init__(self, records: BallotRecords | None = None) -> None:
        self.ballot: Ballot | None = None
        self._records = records
        self._seats: dict[str, SeatRecord] = {}
        self._places: dict[str, int] = {}
        self._question = QuestionRecord("", 0, 0.0, 0)
        if records is not None:
            self._question = records.question() or self._question
            for place, seat in records.seats():
                self._seats[seat.token], self._places[seat.token] = seat, place

    @property
    def seats(self) -> int:
        """Phones that take part."""
        return len(self._seats)

    def ask(self, ballot: Ballot | None) -> None:
        """Asks about an image; None pauses, and the same image goes on where it was."""
        self.ballot = ballot
        if ballot is not None and self._asked != (ballot.reading, ballot.number):
            self._question.reading = ballot.reading
            self._question.number = ballot.number
            self._question.began = time.monotonic()
            self._keep_question()

    def take_seat(self, body: bytes) -> dict[str, Any]:
        """The seat of a phone with what it answered to the present image, as JSON.

        Raises:
            Refused: The request is malformed, or every seat is taken.
        """
        token = _read(body, SeatRequest).seat
        if token not in self._seats:
            token = self._new_seat()
        seat = self._seats[token]
        answered = self._has_answered(seat)
        return {
            "seat": token,
            "reader": seat.reader,
            "nickname": seat.nickname,
            "reading": self._question.reading,
            "number": self._question.number,
            "choice": seat.choice if answered else None,
            "confidence": seat.confidence if answered else None,
        }

    def take_nickname(self, body: bytes) -> dict[str, Any]:
        """What a phone is called from now on, as JSON.

        Raises:
            Refused: The request is malformed, or comes from no seat.
        """
        request = _read(body, NicknameRequest)
        seat = self._seat(request.seat)
        seat.nickname = cleaned_nickname(request.nickname)
        self._keep_seat(seat)
        return {"nickname": seat.nickname}

    def vote(self, body: bytes) -> None:
        """Counts an answer, in place of the phone's former one.

        Raises:
            Refused: It is malformed, comes from no seat, or is not asked for now.
        """
        request, ballot = _read(body, VoteRequest), self.ballot
        seat = self._seat(request.seat)
        if ballot is None or not ballot.open:
            raise Refused(409)
        if (request.reading, request.number) != (ballot.reading, ballot.number):
            raise Refused(409)
        if request.choice >= len(ballot.options) or request.confidence < ballot.least:
            raise Refused(400)
        seat.answered = True
        seat.reading, seat.number = request.reading, request.number
        seat.choice, seat.confidence = request.choice, request.confidence
        seat.seconds = round(time.monotonic() - self._question.began, 1)
        self._keep_seat(seat)

    def answers(self) -> list[PhoneAnswer]:
        """What was answered to the present image."""
        return [
            PhoneAnswer(seat.reader, seat.choice, seat.confidence, seat.seconds)
            for seat in self._seats.values()
            if self._has_answered(seat)
        ]

    def readers(self) -> list[Reader]:
        """The phones that take part, in the order in which they came."""
        seats = sorted(self._seats.values(), key=lambda seat: seat.reader)
        return [Reader(s.reader, s.nickname, self._has_answered(s)) for s in seats]

    def tally(self) -> list[int]:
        """Answers for each class of the present image; empty before the first."""
        if self.ballot is None:
            return []
        counts = [0] * len(self.ballot.options)
        for answer in self.answers():
            counts[answer.choice] += 1
        return counts

    @property
    def _asked(self) -> tuple[str, int]:
        return self._question.reading, self._question.number

    def _has_answered(self, seat: SeatRecord) -> bool:
        """Whether it answered the present image: 0 is the one before the first."""
        return seat.number > 0 and (seat.reading, seat.number) == self._asked

    def _seat(self, token: str) -> SeatRecord:
        if token not in self._seats:
            raise Refused(403)
        return self._seats[token]

    def _new_seat(self) -> str:
        if len(self._seats) >= MOST_SEATS:
            # Whoever took seats and never answered gives way to those who would.
            idle = next((t for t, s in self._seats.items() if not s.answered), None)
            if idle is None:
                raise Refused(503)
            del self._seats[idle], self._places[idle]
        self._question.readers += 1
        self._keep_question()
        token = secrets.token_urlsafe(TOKEN_BYTES)
        taken = set(self._places.values())
        self._places[token] = next(place for place in count() if place not in taken)
        self._seats[token] = SeatRecord(token, self._question.readers)
        self._keep_seat(self._seats[token])
        return token

    def _keep_question(self) -> None:
        if self._records is not None:
            self._records.write_question(self._question)

    def _keep_seat(self, seat: SeatRecord) -> None:
        if self._records is not None:
            self._records.write_seat(self._places[seat.token], seat)


def _read(body: bytes, kind: type[_Request]) -> _Request:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400) from error
