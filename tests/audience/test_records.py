"""Seats and answers in memory: taken up again wherever the process before stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from medmodel.audience import ballot as module
from medmodel.audience.ballot import Ballot, BallotBox, Refused
from medmodel.audience.records import (
    RECORD_BYTES,
    BallotRecords,
    SeatRecord,
    memory_file,
)
from tests.audience.test_ballot import BALLOT, body, seated, vote_of


@pytest.fixture
def records() -> Iterator[BallotRecords]:
    descriptor = memory_file()
    assert descriptor is not None
    yield BallotRecords(descriptor)
    os.close(descriptor)


def test_before_the_first_question_there_is_nothing(records: BallotRecords) -> None:
    assert records.question() is None and not list(records.seats())
    BallotBox(records)
    assert records.question() is None


def test_another_box_goes_on(records: BallotRecords) -> None:
    box = BallotBox(records)
    box.ask(BALLOT)
    one, two, three = seated(box), seated(box), seated(box)
    box.vote(vote_of(one))
    box.vote(vote_of(two, choice=0))
    box.vote(vote_of(one, choice=2))
    box.take_nickname(body(seat=three, nickname="Carl"))
    other = BallotBox(records)
    assert other.answers() == box.answers() and other.readers() == box.readers()
    with pytest.raises(Refused):  # nothing is asked until the presenter says so
        other.vote(vote_of(three))
    other.ask(BALLOT)
    assert other.tally() == [1, 0, 1] and other.seats == 3
    seat = other.take_seat(body(seat=two))
    assert (seat["seat"], seat["choice"], seat["reader"]) == (two, 0, 2)
    other.vote(vote_of(three))
    assert [reader.number for reader in BallotBox(records).readers()] == [1, 2, 3]
    assert BallotBox(records).take_seat(b"{}")["reader"] == 4


def test_the_time_of_the_question_goes_on(
    records: BallotRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    BallotBox(records).ask(BALLOT)
    clock[0] = 107.0
    box = BallotBox(records)
    box.ask(BALLOT)
    box.vote(vote_of(seated(box)))
    assert box.answers()[0].seconds == 7.0


def test_answers_to_the_image_before_are_forgotten(records: BallotRecords) -> None:
    box = BallotBox(records)
    box.ask(BALLOT)
    box.vote(vote_of(seated(box)))
    box.ask(Ballot("r", 4, BALLOT.options))
    assert not BallotBox(records).answers()
    box.ask(Ballot("other", 3, BALLOT.options))
    assert not BallotBox(records).answers()


def test_a_seat_that_gave_way_leaves_its_place(
    records: BallotRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SEATS", 2)
    box = BallotBox(records)
    box.ask(BALLOT)
    one, two = seated(box), seated(box)
    box.vote(vote_of(two))
    three = seated(box)
    assert [seat.token for _place, seat in records.seats()] == [three, two]
    with pytest.raises(Refused):
        BallotBox(records).take_nickname(body(seat=one, nickname=""))


def test_changed_votes_and_names_take_no_more_room(records: BallotRecords) -> None:
    box = BallotBox(records)
    box.ask(BALLOT)
    token = seated(box)
    for n in range(200):
        box.vote(vote_of(token, choice=n % 3))
        box.take_nickname(body(seat=token, nickname="x" * (n % 30)))
    assert os.fstat(records._descriptor).st_size == 2 * RECORD_BYTES


def test_the_longest_names_fit() -> None:
    for letter in ("\U0010fffd", "\\", '"', "😀"):
        seat = SeatRecord("t" * 22, 10**6, True, letter * 24, "r" * 64, 10**4, 10**4)
        assert len(module.msgspec.json.encode(seat)) <= RECORD_BYTES
        assert json.loads(module.msgspec.json.encode(seat))["reader"] == 10**6
