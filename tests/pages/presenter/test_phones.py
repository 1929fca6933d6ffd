"""Phones in the room: what reaches them, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from medmodel.audience import room as rooms
from medmodel.audience.ballot import Reader
from medmodel.audience.process import AudienceError
from medmodel.audience.room import Attendance
from medmodel.audience.slide import Slide
from medmodel.evaluation.clinical.reading_room import ReadingRoom
from pages._shared.common.words import plain
from pages._shared.presenter import room_view
from tests.pages.presenter.projector import (
    Projector,
    opened,
    pressed,
)


class StandIn:
    """A room without a process."""

    def __init__(self, address: str, port: int, present: Callable[[], bool]) -> None:
        self.address, self.port, self.present = address, port, present
        self.link = f"http://{address}:{port}/code/"
        self.open = True
        self.reading: ReadingRoom | None = None
        self.attendance = Attendance()
        self.published: list[tuple[Slide, bool]] = []

    def publish(self, slide: Slide, with_images: bool = False) -> Attendance:
        self.published.append((slide, with_images))
        return self.attendance

    def look(self) -> Attendance:
        return self.attendance

    def readers(self) -> list[Reader]:
        return self.seated

    seated: ClassVar[list[Reader]] = []

    def close(self) -> None:
        self.open = False


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rooms, "Room", StandIn)
    yield
    rooms.close_room()


def open_the_room(app: AppTest) -> StandIn:
    (button,) = (b for b in app.button if b.label == "Show to phones in the room")
    button.click().run()
    assert not app.exception
    room = rooms.current()
    assert isinstance(room, StandIn)
    return room


@pytest.mark.usefixtures("stand_in")
def test_phones_see_what_the_projector_shows(projector: Projector) -> None:
    app = opened("data")
    assert (projector.data["code"], projector.data["room"]) == (None, "")
    pressed(app, projector, "room")
    assert app.title[0].value == "Phones in the room"
    room = open_the_room(app)
    assert room.port == rooms.PORT
    assert [slide.title for slide, _ in room.published] == ["One moment"]
    (back,) = (b for b in app.button if b.label == "Back to the slides")
    back.click().run()
    assert room.published[-1][0].title == "No data set yet"
    assert projector.data["code"]["link"] == room.link
    assert projector.data["room"] == "Phones: 0"
    pressed(app, projector, "last")
    pressed(app, projector, "previous")
    assert room.published[-1][0].title == "Two models are needed"
    # Another page is none of theirs.
    pressed(app, projector, "leave")
    assert room.published[-1][0].title == "One moment"


@pytest.mark.usefixtures("stand_in")
def test_images_reach_phones_only_where_they_were_allowed(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    app = opened("room", run=diagnosed.run.id)
    room = open_the_room(app)
    app.query_params["present"] = "diagnose"
    app.run()
    pressed(app, projector, "image")  # there is none yet
    pressed(app, projector, "action")
    pressed(app, projector, "action")
    assert room.published[-1][0].images and not room.published[-1][1]
    assert projector.data["room"] == "Phones: 0, without the images"
    pressed(app, projector, "image")
    assert room.published[-1][1]
    assert projector.data["room"] == "Phones: 0, which see the images"
    pressed(app, projector, "image")
    assert not room.published[-1][1]
    # Another image is another decision.
    pressed(app, projector, "image")
    assert room.published[-1][1]
    diagnosed.pixels = np.full((8, 8, 1), 91, np.uint8)
    app.run()
    assert room.published[-1][0].images and not room.published[-1][1]


@pytest.mark.usefixtures("stand_in")
def test_closing_ends_the_link(projector: Projector) -> None:
    app = opened("room")
    room = open_the_room(app)
    (close,) = (b for b in app.button if b.label == "Close the address")
    close.click().run()
    assert not room.open and rooms.current() is None
    assert [b for b in app.button if b.label == "Show to phones in the room"]


@pytest.mark.usefixtures("stand_in")
def test_another_session_shows_nothing_until_it_takes_over(
    projector: Projector,
) -> None:
    room = open_the_room(opened("room"))
    count = len(room.published)
    other = opened("data")
    assert len(room.published) == count and projector.data["code"] is None
    other = opened("room")
    (take,) = (b for b in other.button if b.label == "Present from here")
    take.click().run()
    assert len(room.published) > count
    assert rooms.current() is room


@pytest.mark.usefixtures("stand_in")
def test_every_network_wants_a_tick(projector: Projector) -> None:
    app = opened("room")
    box = app.selectbox[0]
    box.set_value(box.options[-1]).run()
    (button,) = (b for b in app.button if b.label == "Show to phones in the room")
    assert button.disabled
    app.checkbox[0].check().run()
    room = open_the_room(app)
    assert room.address == "0.0.0.0"


def test_a_taken_port_is_one_sentence(
    projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise AudienceError("Port 8600 of 10.0.0.1 cannot be opened.")

    monkeypatch.setattr(rooms, "open_room", taken)
    app = opened("room")
    (button,) = (b for b in app.button if b.label == "Show to phones in the room")
    button.click().run()
    assert not app.exception
    assert "cannot be opened" in app.error[0].value


def test_nicknames_are_shown_as_they_are_and_in_no_file_to_take_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = SimpleNamespace(number=7, nickname="=1+1 *b*", answered=True)
    room = SimpleNamespace(readers=lambda: [reader])
    monkeypatch.setattr(room_view, "room_of_session", lambda: room)
    script = "from pages._shared.presenter import room_view\nroom_view._show_readers()"
    app = AppTest.from_string(script).run()
    assert not app.exception and not app.dataframe
    (table,) = app.table
    assert list(table.value.index) == ["7"]
    assert list(table.value["Nickname"]) == [plain("=1+1 *b*")] != ["=1+1 *b*"]
