"""A reading room by keys: lobby, question, reveal, results; what phones are shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medmodel.audience import room as rooms
from medmodel.audience.ballot import Ballot
from medmodel.audience.room import Attendance
from medmodel.audience.slide import Slide
from medmodel.evaluation.clinical.reading_room import PhoneAnswer
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import read_predictions
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, press, said
from tests.pages.presenter import test_phones
from tests.pages.presenter.projector import Projector, opened, pressed, step_of


class VotingRoom(test_phones.StandIn):
    """A room without a process, whose phones answer what a test says."""

    def publish(
        self, slide: Slide, with_images: bool = False, ballot: Ballot | None = None
    ) -> Attendance:
        self.asked = ballot
        return super().publish(slide, with_images)

    def answers(self) -> list[PhoneAnswer]:
        assert self.asked is not None and not self.asked.open
        return [
            PhoneAnswer(reader, choice, 80, 2.0)
            for reader, choice in enumerate(self.choices, 1)
        ]

    choices: tuple[int, ...] = (0, 0, 1)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rooms, "Room", VotingRoom)
    yield
    rooms.close_room()


@pytest.fixture
def run(class_folders: Path) -> Run:
    return write_finished_run(class_folders, "A run")


def open_lobby(run: Run, projector: Projector) -> tuple[AppTest, VotingRoom]:
    app = opened("read", run=run.id)
    assert projector.title == "The room reads, then the model"
    pressed(app, projector, "action")
    assert step_of(app) == "room"
    room = test_phones.open_the_room(app)
    assert isinstance(room, VotingRoom)
    (back,) = (b for b in app.button if b.label == "Back to the slides")
    back.click().run()
    return app, room


def test_without_a_model_it_leads_to_train(projector: Projector) -> None:
    app = opened("read")
    assert projector.title == "No model yet"
    pressed(app, projector, "action")
    assert step_of(app) == "train"


def test_a_whole_reading(run: Run, projector: Projector) -> None:
    app, room = open_lobby(run, projector)
    labels = read_predictions(run).set_index("path")["label"]
    # The code is on the projector, phones take their seats, nothing is asked.
    assert projector.data["codeShown"] and projector.title.startswith("Scan")
    assert room.asked is not None and (room.asked.number, room.asked.open) == (0, False)
    assert "10 test images" in projector.data["slide"]["notes"][0]
    pressed(app, projector, "up")
    assert projector.data["action"] == "Begin with 5 images"
    pressed(app, projector, "action")
    reading = room.reading
    assert reading is not None and len(reading.paths) == 5
    for number in range(1, 6):
        assert projector.title == f"Image {number} of 5"
        assert not projector.data["codeShown"]
        slide, with_images = room.published[-1]
        assert with_images and slide.images and not slide.bars
        assert room.asked is not None
        assert (room.asked.number, room.asked.open) == (number, True)
        # Neither file nor folder, which is the class, and no score.
        assert reading.paths[number - 1] not in str(slide.facts())
        assert Path(reading.paths[number - 1]).stem not in str(slide.facts())
        assert labels[reading.paths[number - 1]] not in f"{slide.title}{slide.sentence}"
        room.attendance = Attendance(followers=3, readers=4, tally=(2, 1))
        app.run()
        assert [bar["share"] for bar in projector.data["slide"]["bars"]] == [
            pytest.approx(2 / 3, abs=1e-4),
            pytest.approx(1 / 3, abs=1e-4),
        ]
        assert projector.data["slide"]["sentence"] == "Answers: 3 of 4 phones"
        assert not room.published[-1][0].bars
        pressed(app, projector, "action")
        truth = labels[reading.paths[number - 1]]
        assert projector.title == f"True class: {truth}"
        right = 2 if truth == "dark" else 1
        assert f"Right in the room: {right} of 3." in str(projector.data["slide"])
        assert room.asked is not None and not room.asked.open
        assert room.published[-1][0].title == projector.title
        pressed(app, projector, "action")
    assert projector.title == "Accuracy on 5 images"
    assert not room.published[-1][0].images
    assert "3 readers answered every image." in projector.data["slide"]["sentence"]
    pressed(app, projector, "action")
    text = said(app)
    assert "Reader study" in str(app.title[0].value)
    assert "3 readers answered every image." in text
    table = app.table[0].value
    assert list(table.columns) == ["Readers, mean", "Majority", "Model"]
    assert {b.label for b in app.get("download_button")} == {"Answers", "Results"}


def test_other_steps_ask_nothing_and_lose_nothing(
    run: Run, projector: Projector
) -> None:
    app, room = open_lobby(run, projector)
    pressed(app, projector, "action")
    reading = room.reading
    pressed(app, projector, "previous")
    assert room.asked is None
    pressed(app, projector, "next")
    assert room.reading == reading and projector.title == "Image 1 of 10"
    # Before anything was revealed there is nothing to end with.
    pressed(app, projector, "end")
    assert projector.title == "Image 1 of 10"
    pressed(app, projector, "action")
    pressed(app, projector, "end")
    assert projector.title == "Accuracy on 1 image"


def test_nobody_answers(run: Run, projector: Projector) -> None:
    app, room = open_lobby(run, projector)
    room.choices = ()
    pressed(app, projector, "action")
    pressed(app, projector, "action")
    pressed(app, projector, "end")
    assert projector.title == "Nobody answered"
    pressed(app, projector, "action")
    assert room.reading is None and projector.title.startswith("Scan")


def test_the_reader_study_page_leads_there(run: Run, projector: Projector) -> None:
    app = open_page("results/read.py", run=run.id)
    press(app, "Open a reading room")
    assert step_of(app) == "read"


def test_what_cannot_be_read_is_a_slide(run: Run, projector: Projector) -> None:
    app, _room = open_lobby(run, projector)
    pressed(app, projector, "action")
    for image in Path(run.config.dataset).glob("*/*"):
        image.unlink()
    app.session_state["reading-image"] = None
    app.run()
    assert not app.exception and projector.data["slide"]["state"] == "failed"
