"""A room: a process of its own that knows nothing but the slide, and ends in time."""

from __future__ import annotations

import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from medmodel.audience import process
from medmodel.audience import room as module
from medmodel.audience.ballot import Ballot, Reader
from medmodel.audience.process import AudienceError
from medmodel.audience.room import Room, close_room, current, open_room
from medmodel.audience.slide import Image, Slide

SLIDE = Slide("Data", "Nodules")
LOCAL = "127.0.0.1"


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room(LOCAL, 0)
    yield room
    room.close()


@pytest.fixture
def no_room() -> Iterator[None]:
    yield
    close_room()


def seen(room: Room, path: str = "") -> bytes:
    with urllib.request.urlopen(room.link + path, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def await_closed(room: Room) -> None:
    deadline = time.monotonic() + 30
    while room.open and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not room.open


def test_a_room_shows_what_is_published_and_ends(room: Room) -> None:
    assert room.publish(SLIDE).followers == 0
    assert b"Not for clinical use" in seen(room)
    with urllib.request.urlopen(f"{room.link}events", timeout=30) as events:
        assert events.readline() == b"event: slide\n"
        assert b"Nodules" in events.readline()
        assert room.look().followers == 1
        room.close()
        assert b"event: end" in events.read()
    with pytest.raises(urllib.error.URLError):
        seen(room)
    with pytest.raises(AudienceError, match="closed"):
        room.publish(SLIDE)


def test_every_code_is_another_and_of_128_bits(room: Room) -> None:
    other = Room(LOCAL, 0)
    other.close()
    assert room.code != other.code
    # 22 digits of 6 bits.
    assert len(room.code) == len(other.code) == 22
    assert room.link == f"http://{LOCAL}:{room.port}/{room.code}/"


def test_images_leave_only_where_that_was_allowed(room: Room) -> None:
    image = Image("As uploaded", "", b"png of a person")
    slide = Slide("Diagnose", "T", images=(image,))
    path = f"image/{image.digest}"
    room.publish(slide)
    with pytest.raises(urllib.error.HTTPError):
        seen(room, path)
    room.publish(slide, with_images=True)
    assert seen(room, path) == image.png
    room.publish(slide)
    with pytest.raises(urllib.error.HTTPError):
        seen(room, path)


def test_the_same_slide_is_sent_once(room: Room) -> None:
    room.publish(SLIDE)
    with urllib.request.urlopen(f"{room.link}events", timeout=30) as events:
        room.publish(SLIDE)
        room.publish(Slide("Data", "Other"))
        lines = [events.readline() for _ in range(5)]
    assert b"Nodules" in lines[1] and b"Other" in lines[4]


def test_its_process_knows_no_workspace_and_no_image(
    room: Room, workspace: Path
) -> None:
    assert room._process._child is not None
    served = psutil.Process(room._process._child.process.pid)
    environment = served.environ()
    assert not [name for name in environment if name.startswith("MEDMODEL")]
    assert str(workspace) not in str(environment)
    assert not [f for f in served.open_files() if str(workspace) in f.path]
    listening = [c for c in served.net_connections() if c.status == "LISTEN"]
    assert [(c.laddr.ip, c.laddr.port) for c in listening] == [(LOCAL, room.port)]


def test_a_taken_port_is_told_in_one_sentence(room: Room) -> None:
    with pytest.raises(AudienceError, match=f"Port {room.port} of 127.0.0.1 cannot"):
        Room(LOCAL, room.port)
    assert room.open


def test_an_address_of_another_machine_is_told(room: Room) -> None:
    with pytest.raises(AudienceError, match="192.0.2.1 cannot be opened"):
        Room("192.0.2.1", 0)


def kill_process(room: Room) -> None:
    child = room._process._child
    assert child is not None
    child.process.kill()
    child.process.wait()


def post(room: Room, path: str, **facts: object) -> dict[str, Any]:
    request = urllib.request.Request(
        room.link + path,
        json.dumps(facts).encode(),
        {"Content-Type": "application/json", "Origin": f"http://{LOCAL}:{room.port}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = answer.read()
    return dict(json.loads(content)) if content else {}


def test_a_reading_goes_on_where_its_process_was_killed(room: Room) -> None:
    ballot = Ballot("r", 1, ("normal", "pneumonia"))
    room.publish(SLIDE, ballot=ballot)
    one, two = post(room, "seat")["seat"], post(room, "seat")["seat"]
    post(room, "nickname", seat=one, nickname="Anna")
    vote = {"reading": "r", "number": 1, "choice": 1, "confidence": 80}
    post(room, "vote", seat=one, **vote)
    link, before = room.link, room.answers()
    kill_process(room)
    # Whoever asks next, finds another one in its place.
    assert room.look().tally == (0, 1) and room.link == link
    assert room.answers() == before
    assert room.readers() == [Reader(1, "Anna", True), Reader(2, "", False)]
    assert post(room, "seat", seat=one)["choice"] == 1
    with urllib.request.urlopen(f"{link}events", timeout=30) as events:
        assert events.readline() == b"event: slide\n"
        assert b"Nodules" in events.readline()
    post(room, "vote", seat=two, **{**vote, "choice": 0})
    kill_process(room)
    room.publish(SLIDE, ballot=replace(ballot, open=False))
    assert [(a.reader, a.choice) for a in room.answers()] == [(1, 1), (2, 0)]
    # A phone that comes now is the third.
    assert post(room, "seat")["reader"] == 3
    room.publish(SLIDE, ballot=replace(ballot, number=2))
    kill_process(room)
    assert room.answers() == [] and room.look().readers == 3


def test_a_dead_process_is_replaced_though_nobody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    room = Room(LOCAL, 0)
    try:
        room.publish(SLIDE)
        kill_process(room)
        deadline = time.monotonic() + 30
        while not room._process.restarts and time.monotonic() < deadline:
            time.sleep(0.02)
        with urllib.request.urlopen(f"{room.link}events", timeout=30) as events:
            assert events.readline() == b"event: slide\n"
    finally:
        room.close()


def test_one_that_dies_again_and_again_is_given_up(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_RESTARTS", 1)
    room._process._started = deque(maxlen=1)
    kill_process(room)
    room.look()
    kill_process(room)
    with pytest.raises(AudienceError, match="ended unexpectedly"):
        room.publish(SLIDE)
    assert not room.open
    with pytest.raises(AudienceError, match="closed"):
        room.look()


def test_where_its_port_was_taken_meanwhile_it_ends(room: Room) -> None:
    child = room._process._child
    assert child is not None
    child.process.kill()
    child.process.wait()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((LOCAL, room.port))
        other.listen()
        with pytest.raises(AudienceError, match="ended unexpectedly"):
            room.look()
    assert not room.open


def test_wrong_codes_are_counted_across_processes(room: Room) -> None:
    for _round in range(2):
        room.look()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://{LOCAL}:{room.port}/wrong/", timeout=30)
        room.look()
        kill_process(room)
    assert room.look().wrong_codes == 2


def test_a_room_that_ended_leaves_nothing(room: Room) -> None:
    descriptor = room._process._records
    assert descriptor is not None
    assert "memfd:ballots" in str(Path(f"/proc/self/fd/{descriptor}").readlink())
    room.close()
    assert room._process._records is None
    with contextlib.suppress(OSError):  # another file may have its number by now
        assert "memfd:ballots" not in str(
            Path(f"/proc/self/fd/{descriptor}").readlink()
        )


def test_without_a_file_of_memory_the_link_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "memory_file", lambda: None)
    room = Room(LOCAL, 0)
    try:
        room.publish(SLIDE, ballot=Ballot("r", 1, ("a", "b")))
        post(room, "seat")
        kill_process(room)
        assert room.look().readers == 0
        assert post(room, "seat")["reader"] == 1
    finally:
        room.close()


def test_it_ends_when_the_presenter_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "ABSENCE_SECONDS", 0.1)
    there = True
    room = Room(LOCAL, 0, present=lambda: there)
    room.publish(SLIDE)
    time.sleep(0.4)
    assert room.open
    there = False
    await_closed(room)
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind((LOCAL, room.port))


def test_a_short_absence_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    there = iter([False, True] * 1000)
    monkeypatch.setattr(module, "ABSENCE_SECONDS", 0.2)
    room = Room(LOCAL, 0, present=lambda: next(there))
    time.sleep(0.6)
    assert room.open
    room.close()


@pytest.mark.usefixtures("no_room")
def test_there_is_one_room_at_a_time() -> None:
    assert current() is None
    first = open_room(LOCAL, 0, lambda: True)
    assert current() is first
    second = open_room(LOCAL, 0, lambda: True)
    assert current() is second and not first.open
    close_room()
    assert current() is None and not second.open
    close_room()


@pytest.mark.usefixtures("no_room")
def test_two_who_open_a_room_at_once_leave_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SlowRoom:
        rooms: ClassVar[list[SlowRoom]] = []

        def __init__(self, *_: object) -> None:
            self.open = True
            time.sleep(0.1)
            self.rooms.append(self)

        def close(self) -> None:
            time.sleep(0.1)
            self.open = False

    monkeypatch.setattr(module, "Room", SlowRoom)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda port: open_room(LOCAL, port, lambda: True), (1, 2)))
    assert [room.open for room in SlowRoom.rooms].count(True) == 1
    with ThreadPoolExecutor(2) as pool:
        opened = pool.submit(open_room, LOCAL, 3, lambda: True)
        time.sleep(0.02)
        pool.submit(close_room).result()
    assert current() is None and not opened.result().open


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize("address", ["", "0.0.0.0", "::"])
def test_every_network_is_never_meant_silently(address: str) -> None:
    with pytest.raises(AudienceError, match="every network"):
        open_room(address, 0, lambda: True)
    assert current() is None


@pytest.mark.usefixtures("no_room")
def test_every_network_may_be_meant() -> None:
    room = open_room("0.0.0.0", 0, lambda: True, everywhere=True)
    assert "0.0.0.0" not in room.link
    local = f"http://{LOCAL}:{room.port}/{room.code}/"
    with urllib.request.urlopen(local, timeout=30) as answer:
        assert answer.status == 200


def test_behind_a_proxy_the_link_and_the_name_are_the_proxys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDMODEL_AUDIENCE_URL", "https://demo.clinic/room")
    room = Room(LOCAL, 0)
    try:
        assert room.link == f"https://demo.clinic/room/{room.code}/"
        local = f"http://{LOCAL}:{room.port}/{room.code}/"
        names = {"Host": "demo.clinic", "Origin": "https://demo.clinic"}
        request = urllib.request.Request(local, headers=names)
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        request = urllib.request.Request(local, headers={"Host": "other.clinic"})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=30)
    finally:
        room.close()


@pytest.mark.parametrize(
    "url",
    [
        *("demo.clinic", "ftp://demo.clinic/", "https://", "https://a:b@demo.clinic/"),
        *("https://demo.clinic/?a=1", "https://demo.clinic/#a", "https://demo:x/"),
    ],
)
def test_a_wrong_proxy_address_is_told(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("MEDMODEL_AUDIENCE_URL", url)
    with pytest.raises(AudienceError, match="MEDMODEL_AUDIENCE_URL is"):
        Room(LOCAL, 0)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("", []),
        ("https://demo.clinic/", ["demo.clinic:80", "demo.clinic:443"]),
        ("http://demo.clinic/", ["demo.clinic:80"]),
        ("https://demo.clinic:8443/", ["demo.clinic:8443"]),
    ],
)
def test_names_that_a_proxy_passes_on(url: str, hosts: list[str]) -> None:
    assert module._proxy_hosts(url) == hosts
