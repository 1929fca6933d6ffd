"""Reading room on the Reader study page: the way into it, and its results."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from medmodel.evaluation.clinical.reading_room import ReadingRoom
from medmodel.evaluation.clinical.room_results import (
    RoomResults,
    answers_table,
    estimates_table,
    room_results,
)
from medmodel.evaluation.decision.positive_class import positive_class
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import _, join_sentences, ngettext
from medmodel.runs.run import Run
from pages._shared.common import widgets
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain
from pages._shared.presenter.room_view import room_of_session


def show_reading_room(run: Run) -> None:
    """What a reading room is, a button that opens one, and what its phones answered."""
    room = room_of_session()
    reading = room.reading if room is not None else None
    ours = reading if reading is not None and reading.run_id == run.id else None
    with st.container(border=True):
        st.markdown(
            _(
                "**Reading room**: phones in the room scan a code and read test "
                "images together: class and confidence, then truth and model are "
                "revealed. At the end: readers, their majority and the model on the "
                "same images. No account; phones may give a nickname, which stands in "
                "no file; phones are shown the images."
            ),
            help=meaning("reading room"),
        )
        if st.button(
            _("Open a reading room") if ours is None else _("Back to the reading room"),
            icon=":material/groups:",
        ):
            params = {"present": "read", "run": run.id}
            st.switch_page(widgets.PRESENTER, query_params=params)
        if ours is not None and any(ours.answers):
            _show_results(run, ours)


def _show_results(run: Run, reading: ReadingRoom) -> None:
    results = room_results(run, reading)
    positive = positive_class(run, reading.classes)
    position = positive.position if positive else None
    images = ngettext(
        "Results of {count} image", "Results of {count} images", results.images
    )
    st.subheader(images, anchor=False)
    table = estimates_table(results, position)
    # Cells of a table wrap: a frame would hide its last column where images are few.
    st.table(table.set_index(str(table.columns[0])).map(plain))
    if positive:
        st.caption(
            plain(_("Sensitivity and specificity for {name}.", name=positive.name))
        )
    lines = [said_of_readers(results), *said_differences(results)]
    st.markdown("\n".join(f"* {plain(line)}" for line in lines))
    st.caption(
        _(
            "The readers' intervals count both other readers and other images. In the "
            "majority a tie goes to the class that was named with more confidence. "
            "Readers in one room may influence each other, and the tally was on the "
            "projector: they are not independent."
        )
    )
    csv_button(lambda: answers_table(run, reading), "answers", run, _("Answers"))
    csv_button(lambda: table, "reading-room", run, _("Results"))
    st.caption(
        _("Nothing of this is kept: it ends with the room unless you download it.")
    )


def said_of_readers(results: RoomResults) -> str:
    """How many read all images, and what becomes of the others."""
    sentences = [
        ngettext(
            "{count} reader answered every image.",
            "{count} readers answered every image.",
            results.readers,
        )
    ]
    if results.partial:
        sentences.append(
            ngettext(
                "{count} more counts in the majority alone.",
                "{count} more count in the majority alone.",
                results.partial,
            )
        )
    if results.unanswered:
        sentences.append(
            ngettext(
                "{count} image that nobody answered is left out.",
                "{count} images that nobody answered are left out.",
                results.unanswered,
            )
        )
    return join_sentences(sentences)


def said_differences(results: RoomResults) -> list[str]:
    """Difference in accuracy of every pair, as a sentence."""
    return [
        _(
            "{metric}: {sentence}",
            metric=_(METRICS[pair.metric].title),
            sentence=replace(pair, first=_(pair.first), second=_(pair.second)),
        )
        for pair in results.differences()
    ]
