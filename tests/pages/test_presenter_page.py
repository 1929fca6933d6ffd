"""Presenter mode: what each step shows, empty, busy, full and failed, and its keys."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medmodel.audience import room as rooms
from medmodel.audience.room import Attendance, AudienceError
from medmodel.audience.slide import Slide
from medmodel.core.config import RECIPES
from medmodel.runs import queue
from medmodel.runs.run import Run, RunStore
from medmodel.runs.status import Failure, RunStatus, Status
from medmodel.runs.tables import append_epoch
from pages._shared.presenter import diagnose_scene, room_view
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page

PAGE = "presenter/present.py"


class Projector:
    """What the component is given, and the key that it gives back once."""

    def __init__(self) -> None:
        self.others: Callable[..., Any] = st.components.v2.component
        self.data: dict[str, Any] = {}
        self.key = ""

    def component(self, *names: str, **files: Any) -> Callable[..., Any]:
        if names[0] != "presenter":
            return self.others(*names, **files)

        def draw(**how: Any) -> Any:
            self.data = how["data"]
            pressed, self.key = self.key, ""
            return type("Result", (), {"pressed": pressed})()

        return draw

    @property
    def title(self) -> str:
        title: str = self.data["slide"]["title"]
        return title


@pytest.fixture
def projector(monkeypatch: pytest.MonkeyPatch) -> Projector:
    projector = Projector()
    monkeypatch.setattr(st.components.v2, "component", projector.component)
    return projector


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_class_folders(tmp_path / "data" / "easy", images_per_class=30)


def opened(step: str, **address: str) -> AppTest:
    return open_page(PAGE, present=step, **address)


def pressed(app: AppTest, projector: Projector, key: str) -> AppTest:
    projector.key = key
    app.run()
    assert not app.exception
    return app


def parameter(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value if isinstance(value, str) else value[-1]


def step_of(app: AppTest) -> str:
    return parameter(app, "present")


def test_without_any_data_every_step_says_what_will_be_there(
    projector: Projector,
) -> None:
    app = opened("data")
    assert projector.title == "No data set yet"
    titles = []
    for _ in range(4):
        pressed(app, projector, "next")
        titles.append((projector.title, projector.data["action"]))
    assert titles == [
        ("No data set yet", ""),
        ("No run yet", "Go to Train"),
        ("Not for clinical use", "I understand"),
        ("Two models are needed", "Go to Train"),
    ]


def test_keys_go_through_the_steps_and_stop_at_the_ends(projector: Projector) -> None:
    app = opened("data")
    steps = []
    for key in ("previous", "next", "last", "next", "previous", "first"):
        pressed(app, projector, key)
        steps.append((step_of(app), projector.data["place"]))
    assert steps == [
        *(("data", "1 / 5"), ("train", "2 / 5"), ("compare", "5 / 5")),
        *(("compare", "5 / 5"), ("diagnose", "4 / 5"), ("data", "1 / 5")),
    ]


def test_an_unknown_step_is_the_first(projector: Projector) -> None:
    assert step_of(opened("nonsense")) == "nonsense"
    assert projector.data["place"] == "1 / 5"


def test_data_counts_images_by_class(projector: Projector, folder: Path) -> None:
    for number in range(20):
        (folder / "light" / f"light_{number:03}.png").unlink()
    opened("data", dataset=str(folder))
    slide = projector.data["slide"]
    assert slide["title"] == "easy: 40 images in 2 classes"
    assert "not been checked" in slide["sentence"]
    bars = [(bar["name"], bar["text"], bar["share"]) for bar in slide["bars"]]
    assert bars == [("dark", "30", 1.0), ("light", "10", 0.33333)]
    assert slide["notes"] == [
        "Too few images to learn from or to judge by: a demonstration.",
        "Class dark has 3 times as many images as light.",
    ]


def test_of_many_classes_the_largest_are_named(
    projector: Projector, tmp_path: Path
) -> None:
    classes = tuple(f"class {number:02}" for number in range(12))
    folder = tmp_path / "data" / "many"
    draw_class_folders(folder, classes, images_per_class=5)
    opened("data", dataset=str(folder))
    slide = projector.data["slide"]
    assert len(slide["bars"]) == 10
    assert slide["notes"] == ["2 more classes with 10 images in all."]


def test_up_and_down_show_other_data_sets(
    projector: Projector, folder: Path, tmp_path: Path
) -> None:
    draw_class_folders(tmp_path / "data" / "other")
    app = opened("data", dataset=str(folder), run="x")
    pressed(app, projector, "down")
    assert projector.title.startswith("other:")
    assert "run" not in app.query_params
    pressed(app, projector, "down")
    assert projector.title.startswith("easy:")
    pressed(app, projector, "up")
    assert projector.title.startswith("other:")


@pytest.mark.parametrize("step", ["data", "train"])
def test_a_folder_outside_is_told_on_the_slide(
    projector: Projector, tmp_path: Path, step: str
) -> None:
    opened(step, dataset=str(tmp_path))
    slide = projector.data["slide"]
    assert slide["state"] == "failed" and slide["title"] == "This cannot be shown"
    assert slide["sentence"]


def test_enter_trains_and_shows_the_curves(
    projector: Projector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)
    app = opened("train", dataset=str(folder))
    assert projector.title == "Instant on easy"
    pressed(app, projector, "down")
    assert projector.title == "Compact CNN on easy"
    pressed(app, projector, "up")
    pressed(app, projector, "up")
    textbook = f"{RECIPES['document'].title} on easy"
    assert projector.title == textbook
    pressed(app, projector, "action")
    (run,) = RunStore().list()
    assert run.config.recipe == "document" and run.config.dataset == str(folder)
    assert step_of(app) == "curves" and parameter(app, "run") == run.id
    assert projector.title == f"{textbook}: waiting"
    assert projector.data["slide"]["state"] == "busy"
    pressed(app, projector, "previous")
    assert f"At work now: {textbook}." in projector.data["slide"]["notes"]


def test_a_training_that_cannot_begin_is_told(
    projector: Projector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Run:
        raise AudienceError("The disk is full.")

    monkeypatch.setattr(queue, "submit", full)
    app = opened("train", dataset=str(folder))
    pressed(app, projector, "action")
    assert projector.title == "This was not done"
    assert projector.data["slide"]["sentence"] == "The disk is full."
    pressed(app, projector, "next")
    assert projector.title == "No run yet"


def test_curves_of_a_run_that_learns(projector: Projector, folder: Path) -> None:
    run = write_finished_run(folder, "first")
    (run.steps_path).write_text(
        "step,loss,accuracy,time\n1,0.9,0.5,1\n2,0.5,0.75,2\n", encoding="utf-8"
    )
    append_epoch(
        run, {"attempt": 1, "epoch": 6, "step": 2, "val_loss": 0.6, "val_accuracy": 0.7}
    )
    with run.lock:
        run.write_status(
            Status(
                RunStatus.RUNNING,
                phase="training",
                message="Epoch 2 of 4.",
                step=2,
                steps=8,
                best_epoch=6,
                seconds_left=130.0,
            )
        )
        opened("curves", run=run.id)
    slide = projector.data["slide"]
    assert slide["title"] == "first: training" and slide["state"] == "busy"
    assert slide["sentence"] == "Epoch 2 of 4. 2 min 10 s left."
    assert slide["progress"] == 0.25
    loss, accuracy = slide["charts"]
    assert [c["text"] for c in loss["curves"]] == ["0.5", "0.6"]
    assert [c["text"] for c in accuracy["curves"]] == ["75.0 %", "70.0 %"]
    assert loss["curves"][0]["x"] == [1, 2] and loss["curves"][0]["y"] == [0.9, 0.5]
    assert accuracy["perCent"] and loss["marked"] == 2


def test_curves_of_a_run_that_kept_its_epochs_alone(
    projector: Projector, folder: Path
) -> None:
    run = write_finished_run(folder, "first", sharpness=1.0)
    opened("curves", run=run.id)
    loss, accuracy = projector.data["slide"]["charts"]
    assert loss["xTitle"] == accuracy["xTitle"] == "epoch"
    # The made-up losses are 1 / (epoch + sharpness).
    assert loss["curves"][1]["x"] == [1, 2, 3, 4, 5]
    assert loss["curves"][1]["y"] == [0.5, 0.33333, 0.25, 0.2, 0.16667]
    assert loss["curves"][0]["x"] == [] and loss["curves"][0]["text"] == ""
    assert accuracy["curves"][1]["text"] == "83.3 %"


def test_a_failed_run_says_why(projector: Projector, folder: Path) -> None:
    run = write_finished_run(folder, "first")
    failure = Failure("data", "A file was gone.", "Check the data set.")
    run.write_status(Status(RunStatus.FAILED, failure=failure))
    opened("curves", run=run.id)
    slide = projector.data["slide"]
    assert slide["state"] == "failed" and slide["title"] == "first: failed"
    assert slide["sentence"] == "A file was gone."
    assert slide["notes"] == ["Check the data set."] and slide["progress"] is None


def test_a_run_that_is_gone_is_told(projector: Projector, folder: Path) -> None:
    run = write_finished_run(folder, "first")
    shutil.rmtree(run.folder)
    opened("curves", run=run.id)
    slide = projector.data["slide"]
    assert slide["state"] == "failed" and run.id in slide["sentence"]


def test_the_verdict_is_that_of_compare(projector: Projector, folder: Path) -> None:
    good = write_finished_run(folder, "good", sharpness=4.0)
    bad = write_finished_run(folder, "bad", sharpness=0.0, seed=1)
    app = opened("compare", runs=f"{good.id},{bad.id}")
    slide = projector.data["slide"]
    assert slide["title"].startswith("good is better than bad by")
    assert slide["sentence"].startswith("Accuracy with its 95 % interval. 40 test")
    good_bar, bad_bar = slide["bars"]
    assert good_bar["name"] == "good" and good_bar["share"] > bad_bar["share"]
    assert good_bar["low"] < good_bar["share"] <= good_bar["high"]
    pressed(app, projector, "down")
    assert "ROC" in projector.data["slide"]["sentence"]
    # Without a choice the two newest of the data set are taken.
    opened("compare", dataset=str(folder))
    assert "good" in projector.title and "bad" in projector.title


def test_one_model_alone_asks_for_another(projector: Projector, folder: Path) -> None:
    write_finished_run(folder, "lonely")
    app = opened("compare")
    assert "lonely is the only one" in projector.data["slide"]["sentence"]
    pressed(app, projector, "action")
    assert step_of(app) == "train"


@pytest.mark.parametrize(
    ("step", "title"),
    [
        ("data", "Data sets"),
        ("train", "Train"),
        ("curves", "Runs"),
        ("compare", "Compare"),
    ],
)
def test_leaving_opens_the_page_of_the_step(
    projector: Projector, folder: Path, step: str, title: str
) -> None:
    app = opened(step)
    pressed(app, projector, "leave")
    assert app.title[0].value == title
    assert "present" not in app.query_params


def test_dark_and_light_by_key(projector: Projector) -> None:
    app = opened("data")
    before = projector.data["dark"]
    pressed(app, projector, "dark")
    assert projector.data["dark"] is not before
    pressed(app, projector, "dark")
    assert projector.data["dark"] is before


def test_the_page_of_a_normal_address_opens_with_present(projector: Projector) -> None:
    app = open_page("models/runs.py", present="train")
    assert app.title[0].value == "Presenter mode"
    assert projector.data["place"] == "2 / 5"


@pytest.mark.parametrize(
    ("page", "step"),
    [("models/runs.py", "curves"), ("results/compare.py", "compare")],
)
def test_the_button_on_a_page_opens_its_step(
    projector: Projector, folder: Path, page: str, step: str
) -> None:
    run = write_finished_run(folder, "first")
    app = open_page(page, run=run.id)
    (button,) = (b for b in app.sidebar.button if b.label == "Present")
    button.click().run()
    assert not app.exception
    assert step_of(app) == step
    assert parameter(app, "run") == run.id
    assert not [b for b in app.sidebar.button if b.label == "Present"]


def test_diagnose_needs_consent_a_model_and_an_image(
    projector: Projector, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("diagnose")
    pressed(app, projector, "action")
    assert projector.title == "No model yet"
    assert projector.data["action"] == "Go to Train"
    run = write_finished_run(folder, "first")
    monkeypatch.setattr(diagnose_scene, "warm", lambda run: None)
    monkeypatch.setattr(diagnose_scene, "starting", lambda: True)
    app.query_params["run"] = run.id
    app.run()
    assert projector.title == "No image yet"
    pressed(app, projector, "action")
    assert projector.title == "Loading the model", projector.data["slide"]
    assert projector.data["slide"]["state"] == "busy"


@pytest.fixture
def diagnosed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A model that answers at once, about images of one pixel value."""
    run = write_finished_run(folder, "first")
    pixels = np.full((8, 8, 1), 90, np.uint8)
    state = SimpleNamespace(
        run=run, unlike=False, digests={}, scores=[0.25, 0.75], pixels=pixels
    )

    def answer(run: Run, cases: Any) -> list[Any]:
        scores = np.array(state.scores)
        names = [f"class {i}" for i in range(len(scores))]
        return [
            SimpleNamespace(
                run=run,
                case=case,
                pixels=pixels,
                classes=names,
                probabilities=scores,
                first_choice=int(scores.argmax()),
                prediction=SimpleNamespace(temperature=None),
            )
            for case in cases
        ]

    cases = [SimpleNamespace(label="class 1", digest=d) for d in ("a", "b")]
    replaced = {
        "warm": lambda run: None,
        "starting": lambda: False,
        "test_samples": lambda run, first: cases,
        "pixels_of": lambda case: state.pixels,
        "pixel_digest_of": lambda case: case.digest,
        "ask": answer,
        "heatmap_of": lambda answer, position: np.ones((8, 8), np.float32),
        "is_unlike_training": lambda answer: state.unlike,
        "_training_digests": lambda folder: state.digests,
    }
    for name, function in replaced.items():
        monkeypatch.setattr(diagnose_scene, name, function)
    return state


def diagnose(projector: Projector, run: Run) -> AppTest:
    """Consent, then images of the test split."""
    app = opened("diagnose", run=run.id)
    pressed(app, projector, "action")
    return pressed(app, projector, "action")


def test_an_answer_has_image_map_and_bars(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    app = diagnose(projector, diagnosed.run)
    slide = projector.data["slide"]
    assert slide["title"] == "Predicted class: class 1 (75 %)"
    assert slide["sentence"] == "first. True class: class 1."
    assert [i["title"] for i in slide["images"]] == [
        *("As in the data set", "Saliency map: class 1")
    ]
    assert all(i["source"].startswith("data:image/png") for i in slide["images"])
    bars = [(bar["name"], bar["text"]) for bar in slide["bars"]]
    assert bars == [("class 1", "75 %"), ("class 0", "25 %")]
    assert "not the outline of a lesion" in slide["notes"][0]
    assert "not calibrated" in slide["notes"][1]
    assert slide["notes"][2] == "Image 1 of 2."
    pressed(app, projector, "down")
    assert projector.data["slide"]["notes"][2] == "Image 2 of 2."
    pressed(app, projector, "down")
    assert projector.data["slide"]["notes"][2] == "Image 1 of 2."


@pytest.mark.parametrize(
    ("split", "word"), [("train", "trained"), ("val", "validation")]
)
def test_an_image_that_was_learned_is_said_to_be(
    projector: Projector, diagnosed: SimpleNamespace, split: str, word: str
) -> None:
    diagnosed.digests = {"a": split}
    app = diagnose(projector, diagnosed.run)
    assert word in projector.data["slide"]["notes"][1]
    pressed(app, projector, "down")
    assert word not in projector.data["slide"]["notes"][1]


def test_a_strange_image_gets_no_probabilities(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    diagnosed.unlike = True
    diagnose(projector, diagnosed.run)
    slide = projector.data["slide"]
    assert slide["title"] == "Unlike the training data"
    assert not slide["bars"] and len(slide["images"]) == 1
    assert "75" not in str([slide["title"], slide["sentence"], slide["notes"]])


def test_of_many_classes_five_and_the_rest(
    projector: Projector, diagnosed: SimpleNamespace
) -> None:
    diagnosed.scores = [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]
    diagnose(projector, diagnosed.run)
    bars = projector.data["slide"]["bars"]
    assert len(bars) == 6
    assert (bars[-1]["name"], bars[-1]["text"]) == ("2 more classes", "20 %")


# --- phones --------------------------------------------------------------------------


class StandIn:
    """A room without a process."""

    def __init__(self, address: str, port: int, present: Callable[[], bool]) -> None:
        self.address, self.port, self.present = address, port, present
        self.link = f"http://{address}:{port}/code/"
        self.open = True
        self.attendance = Attendance()
        self.published: list[tuple[Slide, bool]] = []

    def publish(self, slide: Slide, with_images: bool = False) -> Attendance:
        self.published.append((slide, with_images))
        return self.attendance

    def look(self) -> Attendance:
        return self.attendance

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
    assert room.published[-1][0].title == "Two models are needed"
    # Another page is none of theirs.
    pressed(app, projector, "leave")
    assert room.published[-1][0] == room_view.PAUSE


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
