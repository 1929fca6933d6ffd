"""Step Reading room: phones read an image, then truth and model are revealed."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace

import streamlit as st

from medmodel.audience.ballot import Ballot
from medmodel.audience.room import Room
from medmodel.audience.slide import Bar, Image, Slide
from medmodel.core import audit
from medmodel.evaluation.clinical.reader_study import draw_images
from medmodel.evaluation.clinical.reading_room import ReadingRoom
from medmodel.evaluation.clinical.room_results import (
    MAJORITY,
    MODEL,
    READERS,
    RoomResults,
    room_results,
)
from medmodel.evaluation.decision.predicted_class import highest_classes
from medmodel.imaging.images import png_bytes, thumbnail
from medmodel.language import _, ngettext
from medmodel.language.stored import join_sentences
from medmodel.reports import plots
from medmodel.reports.case.predicted_class import predicted_sentence
from medmodel.runs import run_index
from medmodel.runs.run import Run
from medmodel.runs.tables.predictions import (
    decided_by_threshold,
    predicted_position,
    score_array,
)
from pages._shared.common import run_cache, widgets
from pages._shared.prediction.cases import data_folder, dataset_case, pixels_of
from pages._shared.presenter import room_view
from pages._shared.presenter.scene import PhoneScene, Scene, go_to, turned
from pages._shared.presenter.subject import (
    chosen_run,
    instead_of_chosen,
    trainings,
    with_notes,
)
from pages._shared.reading.room_results_view import said_differences, said_of_readers

SIZES = (10, 20, 40, 5)
"""Images of a reading that up and down choose from."""
SIDE = 640
"""Pixels of the image: enough for a phone in two hands."""
_SIZE = "reading-size"
_IMAGE = "reading-image"


def read_scene() -> Scene:
    """The reading of this session's room: before, at an image, after the last.

    Raises:
        MedModelError: The run or its images cannot be read.
    """
    run, room = _run(), room_view.room_of_session()
    if run is None:
        return _without_model()
    if room is None:
        return _without_room()
    return with_notes(_scene_of(run, room), instead_of_chosen(run))


def _scene_of(run: Run, room: Room) -> Scene:
    reading = room.reading
    if reading is None or reading.run_id != run.id:
        return _lobby(run, room)
    if reading.ended:
        return _results(run, room, reading)
    return _image_scene(run, room, reading)


def _run() -> Run | None:
    """The chosen run if it has predicted test images, else the newest that has."""
    asked = chosen_run()
    candidates = [asked] if asked is not None else []
    candidates += [entry.run for entry in trainings()]
    finished = {entry.run.id for entry in run_index.finished(widgets.store())}
    return next((run for run in candidates if run.id in finished), None)


def _without_model() -> Scene:
    slide = Slide(
        _("Reading room"),
        _("No model yet"),
        _("When a run has ended, phones in the room can read its test images here."),
        state="empty",
    )
    return Scene(slide, _("Go to Train"), lambda: go_to("train"))


def _without_room() -> Scene:
    def open_link() -> None:
        st.session_state["presented-step"] = "read"
        go_to("room")

    slide = Slide(
        _("Reading room"),
        _("The room reads, then the model"),
        _(
            "Test images go to the phones in the room. Each phone gives class and "
            "confidence; then truth and model are revealed."
        ),
        state="empty",
        notes=(
            _("No account; a nickname at most, which only the presenter sees."),
            _("Whoever has the link can see the images."),
            _("Answers lie in memory alone and end with the room."),
        ),
    )
    return Scene(slide, _("Open a link for phones"), open_link)


def _lobby(run: Run, room: Room) -> Scene:
    at = st.session_state.get(_SIZE, 0)
    images = min(SIZES[at], len(run_cache.split(run).truth))

    def begin() -> None:
        paths, classes = draw_images(run, images)
        reading = ReadingRoom(
            secrets.token_hex(6), run.id, tuple(paths), tuple(classes)
        )
        room.reading = reading.turn_on()
        audit.record("begin_reading", run=run.id, images=len(paths))

    def turn(by: int) -> None:
        st.session_state[_SIZE] = turned(len(SIZES), at, by)

    joined = room.attendance.readers
    slide = Slide(
        _("Reading room"),
        _("Scan the code to take part"),
        ngettext("{count} phone is there.", "{count} phones are there.", joined),
        notes=(
            _("{images} test images of {run}.", images=images, run=run.title),
            _("No account; a nickname at most, which only the presenter sees."),
            _("Whoever has the link can see the images."),
        ),
    )
    waiting = Slide(
        _("Reading room"),
        _("You take part"),
        _("The first image will appear here. You need give no name."),
    )
    ballot = Ballot("", 0, tuple(run_cache.split(run).classes), open=False)
    text = ngettext("Begin with {count:,} image", "Begin with {count:,} images", images)
    return Scene(
        slide,
        text,
        begin,
        turn,
        live=True,
        phones=PhoneScene(waiting, ballot),
        code_shown=True,
    )


def _image_scene(run: Run, room: Room, reading: ReadingRoom) -> Scene:
    ballot = Ballot(
        reading.id, reading.number, reading.classes, open=not reading.revealed
    )
    image = Image("", _("The image to be read"), _png(run, reading))
    place = _(
        "Image {number} of {images}", number=reading.number, images=len(reading.paths)
    )
    phones = Slide(_("Reading room"), place, images=(image,))

    def reveal() -> None:
        # No answer comes after those that are counted.
        room.publish(phones, True, replace(ballot, open=False))
        room.reading = reading.reveal(room.answers())

    def turn_on() -> None:
        room.reading = reading.turn_on()

    def end() -> None:
        room.reading = reading.end()

    ending = end if reading.answers else None
    if reading.revealed:
        slide = _revealed(run, reading, replace(phones, step=place))
        act = _("Results") if reading.last else _("Next image")
        return Scene(slide, act, turn_on, end=ending, phones=PhoneScene(slide, ballot))
    tally = room.attendance.tally or (0,) * len(reading.classes)
    answered = _(
        "Answers: {answers} of {phones} phones",
        answers=sum(tally),
        phones=max(room.attendance.readers, sum(tally)),
    )
    slide = replace(
        phones, title=place, sentence=answered, bars=_bars(reading.classes, tally)
    )
    return Scene(
        slide, _("Reveal"), reveal, end=ending, phones=PhoneScene(phones, ballot)
    )


def _revealed(run: Run, reading: ReadingRoom, slide: Slide) -> Slide:
    """Truth, model and room; the same on the projector and on phones."""
    table = run_cache.predictions(run)
    row = table[table["path"] == reading.path]
    classes, truth = reading.classes, str(row["label"].iloc[0])
    scores = score_array(row, list(classes))[0]
    first = predicted_position(row.iloc[0], classes)
    says = _(
        "The model says {name} ({share}).",
        name=classes[first],
        share=plots.per_cent(float(scores[first])),
    )
    tied = len(highest_classes(classes, scores)) > 1
    if tied and not decided_by_threshold(row.iloc[0], classes):
        says = f"{predicted_sentence(classes, scores)}."
    answers = reading.answers[-1]
    counts = Counter(answer.choice for answer in answers)
    right = sum(counts[k] for k, name in enumerate(classes) if name == truth)
    in_room = _(
        "Right in the room: {right} of {answers}.", right=right, answers=len(answers)
    )
    return replace(
        slide,
        title=_("True class: {name}", name=truth),
        sentence=join_sentences([says, in_room]),
        bars=_bars(classes, tuple(counts[k] for k in range(len(classes)))),
        notes=(_("The model's score is the one before calibration."),),
    )


def _bars(classes: tuple[str, ...], tally: tuple[int, ...]) -> tuple[Bar, ...]:
    colours = plots.class_colours(classes)
    total = max(sum(tally), 1)
    return tuple(
        Bar(name, count / total, str(count), colours[name])
        for name, count in zip(classes, tally, strict=True)
    )


def _results(run: Run, room: Room, reading: ReadingRoom) -> Scene:
    def show_table() -> None:
        st.switch_page(widgets.READ, query_params={"run": run.id})

    def again() -> None:
        room.reading = None

    slide = Slide(_("Reading room"), _("Nobody answered"), state="empty")
    act, text = again, _("Read again")
    if any(reading.answers):
        slide = _results_slide(room_results(run, reading))
        act, text = show_table, _("Table and CSV")
    ballot = Ballot(reading.id, 0, reading.classes, open=False)
    return Scene(slide, text, act, phones=PhoneScene(slide, ballot))


def _results_slide(results: RoomResults) -> Slide:
    colours = plots.class_colours([READERS, MAJORITY, MODEL])
    images = results.images
    bars = []
    for name in (READERS, MAJORITY, MODEL):
        estimate = results.estimate(name, "accuracy", None)
        if estimate.measurable:
            ends = (estimate.low, estimate.high) if estimate.has_interval else ()
            low, high = ends or (None, None)
            bars.append(
                Bar(_(name), estimate.value, str(estimate), colours[name], low, high)
            )
    return Slide(
        _("Reading room"),
        ngettext("Accuracy on {count} image", "Accuracy on {count} images", images),
        said_of_readers(results),
        bars=tuple(bars),
        notes=tuple(said_differences(results)),
    )


def _png(run: Run, reading: ReadingRoom) -> bytes:
    """The present image; drawn once, since answers redraw the slide many times."""
    place = (reading.id, reading.number)
    drawn = st.session_state.get(_IMAGE)
    if drawn is None or drawn[0] != place:
        preprocessing = run.model_facts.preprocessing
        case = dataset_case(data_folder(run), reading.path, "", preprocessing)
        pixels = plots.enlarged(thumbnail(pixels_of(case), SIDE), SIDE)
        drawn = (place, png_bytes(pixels))
        st.session_state[_IMAGE] = drawn
    png: bytes = drawn[1]
    return png
