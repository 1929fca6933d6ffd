"""Answers of phones: one of each, the last before the end, and nothing malformed."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmodel.audience import ballot as module
from medmodel.audience.ballot import Ballot, BallotBox, Refused

BALLOT = Ballot("r", 3, ("normal", "pneumonia", "other"))


def body(**facts: Any) -> bytes:
    return json.dumps(facts).encode()


def vote_of(token: str, /, **other: Any) -> bytes:
    facts = {"seat": token, "reading": "r", "number": 3, "choice": 1, "confidence": 80}
    return body(**{**facts, **other})


@pytest.fixture
def box() -> BallotBox:
    box = BallotBox()
    box.ask(BALLOT)
    return box


def seated(box: BallotBox) -> str:
    return str(box.take_seat(b"{}")["seat"])


def status(box: BallotBox, message: bytes) -> int:
    with pytest.raises(Refused) as refused:
        box.vote(message)
    return refused.value.status


def test_an_answer_is_counted_and_a_later_one_takes_its_place(box: BallotBox) -> None:
    one, two = seated(box), seated(box)
    assert one != two and len(one) == 22 and box.seats == 2
    box.vote(vote_of(one))
    box.vote(vote_of(two, choice=0, confidence=100))
    assert box.tally() == [1, 1, 0]
    box.vote(vote_of(one, choice=2, confidence=34))
    assert box.tally() == [1, 0, 1]
    assert {(a.reader, a.choice, a.confidence) for a in box.answers()} == {
        (1, 2, 34),
        (2, 0, 100),
    }
    assert all(0 <= answer.seconds < 60 for answer in box.answers())


def test_a_phone_comes_back_to_its_seat_and_its_answer(box: BallotBox) -> None:
    seat = seated(box)
    assert box.take_seat(body(seat=seat))["choice"] is None
    box.vote(vote_of(seat))
    again = box.take_seat(body(seat=seat))
    assert again["seat"] == seat and again["reader"] == 1 and box.seats == 1
    assert (again["reading"], again["number"]) == ("r", 3)
    assert (again["choice"], again["confidence"]) == (1, 80)
    # A token of another address is none of ours.
    other = box.take_seat(body(seat="x" * 22))
    assert other["seat"] != "x" * 22 and other["reader"] == 2


def test_only_seats_and_only_while_it_is_asked(box: BallotBox) -> None:
    seat = seated(box)
    assert status(box, vote_of("x" * 22)) == 403
    assert status(box, vote_of("")) == 403
    assert status(box, vote_of(seat, number=2)) == 409
    assert status(box, vote_of(seat, reading="other")) == 409
    box.vote(vote_of(seat))
    box.ask(Ballot("r", 3, BALLOT.options, open=False))
    assert status(box, vote_of(seat, choice=0)) == 409
    assert box.tally() == [0, 1, 0]
    box.ask(None)
    assert status(box, vote_of(seat)) == 409
    assert box.tally() == []
    # The presenter comes back to the same image: nothing is lost.
    box.ask(BALLOT)
    assert box.tally() == [0, 1, 0]
    for other in (Ballot("r", 4, BALLOT.options), Ballot("s", 4, BALLOT.options)):
        box.ask(other)
        assert box.answers() == [] and box.take_seat(body(seat=seat))["choice"] is None
        box.vote(vote_of(seat, reading=other.reading, number=4))


@pytest.mark.parametrize(
    "changed",
    [
        *({"choice": 3}, {"choice": -1}, {"choice": 1.5}, {"choice": True}),
        *({"choice": "1"}, {"choice": None}, {"confidence": 101}, {"confidence": 33}),
        *({"confidence": -1}, {"confidence": 1e400}, {"number": "3"}, {"more": 1}),
        *({"reading": "r" * 65}, {"reading": 7}, {"seat": ["x"]}, {"number": 10**30}),
    ],
    ids=str,
)
def test_a_malformed_answer_is_none(box: BallotBox, changed: dict[str, Any]) -> None:
    seat = seated(box)
    assert status(box, vote_of(seat, **changed)) == 400
    assert box.tally() == [0, 0, 0]


def test_a_guess_is_the_least_confidence(box: BallotBox) -> None:
    assert BALLOT.least == 34
    assert Ballot("r", 1, ("a", "b")).least == 50
    box.vote(vote_of(seated(box), confidence=34))
    assert box.tally() == [0, 1, 0]


@given(
    st.one_of(
        st.binary(max_size=400),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ("seat", "reading", "number", "choice", "confidence", "x")
                    ),
                    inner,
                    max_size=6,
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        st.just(b"[" * 400),
    )
)
def test_whatever_is_sent_changes_no_answer(message: bytes) -> None:
    box = BallotBox()
    box.ask(BALLOT)
    seat = seated(box)
    box.vote(vote_of(seat))
    before = box.answers()
    with pytest.raises(Refused):
        box.vote(message)
    assert box.answers() == before


def test_ten_thousand_malformed_messages_change_nothing(box: BallotBox) -> None:
    source, seat = random.Random(0), seated(box)
    box.vote(vote_of(seat))
    before = box.answers()
    good = vote_of(seat, choice=0)
    for _ in range(10_000):
        message = bytearray(good)
        for _ in range(source.randrange(1, 6)):
            message[source.randrange(len(message))] = source.randrange(1, 9)
        if source.random() < 0.5:
            message = bytearray(good[: source.randrange(len(good))])
        with pytest.raises(Refused):
            box.vote(bytes(message))
    assert box.answers() == before and box.seats == 1


def test_a_full_room_gives_seats_that_never_answered_to_others(
    box: BallotBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SEATS", 2)
    first, second = seated(box), seated(box)
    box.vote(vote_of(first))
    third = seated(box)
    assert box.seats == 2 and box.take_seat(body(seat=first))["reader"] == 1
    assert status(box, vote_of(second)) == 403
    box.vote(vote_of(third))
    with pytest.raises(Refused) as refused:
        seated(box)
    assert refused.value.status == 503
    assert box.tally() == [0, 2, 0]


def test_a_ballot_travels_as_json() -> None:
    facts = json.loads(json.dumps(BALLOT.facts()))
    assert facts["least"] == 34
    assert Ballot.of_facts(facts) == BALLOT


def test_a_nickname_is_cleaned_and_stands_beside_the_number_alone(
    box: BallotBox,
) -> None:
    one, two = seated(box), seated(box)
    said = box.take_nickname(body(seat=one, nickname=" <i>An\u202ena</i>\n"))
    assert said == {"nickname": "Anna"}
    box.vote(vote_of(two))
    assert [(r.number, r.nickname, r.answered) for r in box.readers()] == [
        (1, "Anna", False),
        (2, "", True),
    ]
    assert "Anna" not in str(box.answers()) and "Anna" not in str(box.tally())
    assert box.take_seat(body(seat=one))["nickname"] == "Anna"
    assert box.take_nickname(body(seat=one, nickname="")) == {"nickname": ""}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (body(seat="nobody", nickname="x"), 403),
        (body(nickname="x"), 400),
        (body(seat="nobody"), 400),
        (body(seat="nobody", nickname=7), 400),
        (body(seat="nobody", nickname="x" * 101), 400),
        (body(seat="nobody", nickname="x", more=1), 400),
        (b"\xff", 400),
    ],
)
def test_a_malformed_nickname_is_refused(
    box: BallotBox, message: bytes, expected: int
) -> None:
    with pytest.raises(Refused) as refused:
        box.take_nickname(message)
    assert refused.value.status == expected
