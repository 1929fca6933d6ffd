"""What phones send to the audience address, over real sockets."""

from __future__ import annotations

import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from medmodel.audience import application
from medmodel.audience.ballot import Ballot
from medmodel.core.processes.messages import Message
from tests.audience.conftest import CODE, SLIDE, Address, Follower

PAGE = f"/{CODE}/"
BALLOT = Ballot("r", 1, ("normal", "pneumonia"))


def ask_about(address: Address, ballot: Ballot | None) -> None:
    facts: dict[str, Any] = {
        "command": "show",
        "slide": SLIDE.facts(),
        "images": [],
        "ballot": ballot.facts() if ballot else None,
    }
    address.service.answer(Message(facts))


def headers_of(address: Address, **other: str) -> dict[str, str]:
    usual = {
        "Origin": f"http://{address.host}",
        "Content-Type": "application/json",
    }
    return {**usual, **other}


def post(address: Address, path: str, **facts: Any) -> tuple[int, Any]:
    status, _, content = address.ask(
        PAGE + path, "POST", headers_of(address), json.dumps(facts).encode()
    )
    return status, json.loads(content) if status == 200 else content.decode()


def seat_of(address: Address) -> str:
    status, facts = post(address, "seat")
    assert status == 200
    return str(facts["seat"])


def vote(address: Address, seat: str, choice: int = 1, **other: Any) -> int:
    facts = {"reading": "r", "number": 1, "choice": choice, "confidence": 80}
    return post(address, "vote", seat=seat, **{**facts, **other})[0]


@pytest.fixture
def voting(address: Address) -> Address:
    ask_about(address, BALLOT)
    return address


def test_nothing_can_be_sent_until_a_room_asks(address: Address) -> None:
    for path in application.ANSWERS:
        assert post(address, path)[0] == 405
    ask_about(address, BALLOT)
    assert post(address, "seat")[0] == 200


def test_a_vote_is_counted_and_shown_to_nobody_else(voting: Address) -> None:
    phone = Follower(voting)
    assert json.loads(phone.event()[1])["ballot"] == json.loads(
        json.dumps(BALLOT.facts())
    )
    one, two = seat_of(voting), seat_of(voting)
    assert [vote(voting, one), vote(voting, two, 0), vote(voting, one, 0)] == [204] * 3
    look = voting.look()
    assert look["tally"] == [2, 0] and look["readers"] == 2 and look["followers"] == 1
    answers = voting.service.answer(Message({"command": "answers"})).facts["answers"]
    assert sorted(answer["reader"] for answer in answers) == [1, 2]
    ask_about(voting, Ballot("r", 1, BALLOT.options, open=False))
    # The next event is the reveal: votes are no news to phones.
    assert json.loads(phone.event()[1])["ballot"]["open"] is False
    assert vote(voting, one, 1) == 409
    ask_about(voting, None)
    assert "ballot" not in json.loads(phone.event()[1])
    assert vote(voting, one, 1) == 409
    phone.close()


def test_every_refusal_is_one_sentence(voting: Address) -> None:
    seat = seat_of(voting)
    assert post(voting, "vote", seat=seat) == (400, "This is no answer.")
    assert vote(voting, "x") == 403
    assert vote(voting, seat, number=2) == 409
    assert voting.look()["tally"] == [0, 0]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "post"])
def test_no_other_method_is_taken(voting: Address, method: str) -> None:
    for path in application.ANSWERS:
        answer = voting.ask(PAGE + path, method, headers_of(voting), b"{}")
        assert answer[0] == 405


@pytest.mark.parametrize("path", ["", "events", "audience.js", "image/x", "seat/", "x"])
def test_no_other_path_takes_anything(voting: Address, path: str) -> None:
    answer = voting.ask(PAGE + path, "POST", headers_of(voting), b"{}")
    assert answer[0] == 405
    assert voting.ask(f"{PAGE}seat")[0] == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Upgrade": "h2c"}, 400),
    ],
    ids=str,
)
def test_pages_of_other_servers_cannot_send(
    voting: Address, headers: dict[str, str], status: int
) -> None:
    sent = headers_of(voting, **headers)
    assert voting.ask(f"{PAGE}seat", "POST", sent, b"{}")[0] == status
    assert voting.look()["readers"] == (status == 200)


def test_a_message_without_an_origin_is_refused(voting: Address) -> None:
    headers = {"Content-Type": "application/json"}
    assert voting.ask(f"{PAGE}seat", "POST", headers, b"{}")[0] == 400


def test_a_wrong_code_is_counted_slowed_and_changes_nothing(
    voting: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "DELAY_SECONDS", 0)
    wrong = f"/{CODE[:-1]}-/seat"
    assert voting.ask(wrong, "POST", headers_of(voting), b"{}")[0] == 404
    look = voting.look()
    assert (look["wrong_codes"], look["readers"]) == (1, 0)


def test_a_long_or_slow_message_is_given_up(
    voting: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = b'{"seat": "' + b"x" * 600 + b'"}'
    assert voting.ask(f"{PAGE}seat", "POST", headers_of(voting), long)[0] == 400
    monkeypatch.setattr(application, "BODY_SECONDS", 0.1)
    head = "".join(f"{k}: {v}\r\n" for k, v in headers_of(voting).items())
    with socket.create_connection(("127.0.0.1", voting.port), timeout=30) as line:
        line.sendall(
            f"POST {PAGE}seat HTTP/1.1\r\nHost: {voting.host}\r\n{head}"
            "Content-Length: 2\r\n\r\n{".encode()
        )
        assert line.recv(100).startswith(b"HTTP/1.1 408 ")
    chunked = headers_of(voting, **{"Transfer-Encoding": "chunked"})
    assert voting.ask(f"{PAGE}seat", "POST", chunked, b"2\r\n{}\r\n0\r\n\r\n")[0] == 400
    assert voting.look()["readers"] == 0


def malformed(source: random.Random, seat: str, address: Address) -> bytes:
    """A vote that is nearly right, or bytes that are none."""
    facts = {"seat": seat, "reading": "r", "number": 1, "choice": 0, "confidence": 80}
    name = source.choice(list(facts))
    body = json.dumps(
        {**facts, name: source.choice((None, -1, 1e9, "", "x", [], {}, True, 0.5))}
    ).encode()
    if source.random() < 0.5:
        cut = bytearray(json.dumps(facts).encode())
        del cut[source.randrange(1, len(cut)) :]
        body = bytes(cut) + source.randbytes(source.randrange(1, 9))
    head = "".join(f"{k}: {v}\r\n" for k, v in headers_of(address).items())
    length = len(body) + (source.random() < 0.1)
    start = f"POST {PAGE}vote HTTP/1.1\r\nHost: {address.host}\r\n{head}"
    return f"{start}Content-Length: {length}\r\n\r\n".encode() + body


def test_a_thousand_malformed_requests_change_nothing(
    voting: Address, capfd: pytest.CaptureFixture[str]
) -> None:
    seat, source = seat_of(voting), random.Random(0)
    assert vote(voting, seat) == 204
    messages = [malformed(source, seat, voting) for _ in range(1000)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(voting.raw, messages))
    assert not [a for a in answers if a[9:12] in (b"200", b"204", b"500")]
    look = voting.look()
    assert (look["tally"], look["readers"]) == ([0, 1], 1)
    assert capfd.readouterr().err == ""
