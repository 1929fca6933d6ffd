"""Which model a page speaks of: link, session, newest; a link to a missing run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medmodel.core.config import TrainConfig
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import RunStatus
from pages._shared.common.model_choice import cut_in_the_middle, distinct_labels
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run
from tests.pages.page import open_page, said

EVALUATE = "results/evaluate.py"
PAGES = (EVALUATE, "results/diagnose.py", "learn/network.py")


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Run, Run, Run]:
    """A good one, a bad one, and a newer perfect one of four images."""
    large = draw_class_folders(tmp_path / "data" / "large", ("dark", "light"), 15)
    toy = draw_class_folders(tmp_path / "data" / "Toy", ("dark", "light"), 2)
    return (
        write_finished_run(large, "good", sharpness=3.0),
        write_finished_run(large, "bad", sharpness=0.0),
        write_finished_run(toy, "perfect", sharpness=50.0),
    )


def box(app: AppTest) -> str | None:
    return next(w.value for w in app.selectbox if w.label == "Model")


def opened(page: str, **address: str) -> AppTest:
    app = open_page("home/start.py")
    app.session_state["consent"] = True
    for name, value in address.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert not app.exception
    return app


def visit(app: AppTest, page: str) -> AppTest:
    """As a link of the sidebar does: no parameter travels with it."""
    app.query_params.clear()
    app.switch_page(page).run()
    assert not app.exception
    return app


def test_without_a_choice_it_is_the_newest_run_not_the_best(
    runs: tuple[Run, Run, Run],
) -> None:
    assert box(opened(EVALUATE)) == runs[2].id
    RunStore().delete(runs[2])
    assert box(opened(EVALUATE)) == runs[1].id


def test_the_choice_stays_over_pages(runs: tuple[Run, Run, Run]) -> None:
    app = opened(EVALUATE, run=runs[0].id)
    for page in (*PAGES, EVALUATE):
        assert box(visit(app, page)) == runs[0].id


def test_a_choice_from_the_list_is_written_into_the_address(
    runs: tuple[Run, Run, Run],
) -> None:
    app = opened(EVALUATE, run=runs[0].id)
    app.selectbox(key="model").select(runs[1].id).run()
    assert app.query_params["run"] == runs[1].id
    assert box(app) == runs[1].id
    # As Back does: the address changes behind the list.
    app.query_params["run"] = runs[0].id
    assert box(app.run()) == runs[0].id


def test_the_list_is_grouped_by_data_set_and_ordered_by_accuracy(
    runs: tuple[Run, Run, Run],
) -> None:
    options = next(w.options for w in opened(EVALUATE).selectbox if w.label == "Model")
    assert [option.split(" · ")[:2] for option in options] == [
        ["large", "good, Instant"],
        ["large", "bad, Instant"],
        ["Toy", "perfect, Instant"],
    ]
    assert "test accuracy 100 %" in options[0]
    assert "test accuracy 100 % (2" in options[2]


@pytest.mark.parametrize("path", PAGES)
def test_a_link_to_a_run_that_is_gone_shows_no_other(
    runs: tuple[Run, Run, Run], path: str
) -> None:
    app = opened(path, run="20200101-000000-abcdef")
    assert "not here any more" in said(app)
    assert box(app) is None
    assert app.query_params["run"] == "20200101-000000-abcdef"
    assert "ccuracy" not in said(app)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunStatus.FAILED, "failed before it had a model"),
        (RunStatus.QUEUED, "is not finished yet"),
        (RunStatus.STOPPED, "has no model"),
    ],
)
def test_a_link_to_a_run_without_a_model_says_why(
    runs: tuple[Run, Run, Run], state: RunStatus, words: str
) -> None:
    other = RunStore().create(TrainConfig(runs[0].config.dataset, name="*other*"))
    other.write_status(replace(other.status, state=state))
    app = opened(EVALUATE, run=other.id)
    assert f"*other*, {words}" in said(app)
    assert box(app) is None
    app.selectbox(key="model").select(runs[0].id).run()
    assert box(app) == runs[0].id and not app.error


def test_a_chosen_run_that_was_deleted_gives_way_to_the_newest(
    runs: tuple[Run, Run, Run],
) -> None:
    app = opened(EVALUATE, run=runs[0].id)
    RunStore().delete(runs[0])
    assert box(visit(app, EVALUATE)) == runs[2].id
    assert "chosen before is gone" in said(app)
    assert "chosen before is gone" not in said(visit(app, EVALUATE))


@pytest.mark.parametrize("place", ["胸部X光片" * 3, "Chest radiographs of 5 clinics"])
def test_labels_that_begin_alike_are_told_apart_by_their_ends(place: str) -> None:
    ends = ("28 Nov 2026, 23:28", "28 Nov 2026, 23:29 (a1b2c3)")
    labels = [f"{place} · Instant · test accuracy 83 % · {end}" for end in ends]
    one, other = (cut_in_the_middle(label, 42) for label in labels)
    assert one.startswith(place[:3]) and one.endswith("… · 28 Nov 2026, 23:28")
    assert one != other
    assert len(one) + sum(letter in "胸部光片" for letter in one) <= 42
    assert cut_in_the_middle("x" * 42, 42) == "x" * 42


PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Mobile Safari/537.36"
)


@pytest.mark.parametrize(("agent", "room"), [(PHONE, 34), ("Mozilla/5.0", 60)])
def test_on_a_phone_a_label_is_cut_before_its_end(
    agent: str, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        type(st.context), "headers", property(lambda _context: {"User-Agent": agent})
    )
    label = "Chest radiographs · Instant · test accuracy 83 % (90) · 28 Nov 2026, 23:28"
    runs = {"20261128-232800-abcdef": label}
    runs["20261128-232900-abcdef"] = label.replace("23:28", "23:29")
    for minute, shown in zip((28, 29), distinct_labels(runs, 60).values(), strict=True):
        assert len(shown) <= room < len(label)
        assert shown.startswith("Ch") and " · Instant · " in shown
        assert shown.endswith(f" · 28 Nov 2026, 23:{minute}")


@pytest.mark.parametrize(
    ("widest", "shown"),
    [
        (
            72,
            "Sample CT phantoms · Compact CNN · test accuracy 83 % (9) · 8 Nov, 9:28",
        ),
        (52, "Sample CT phantoms · Compact CNN · 8 Nov, 9:28"),
        (38, "Sample CT phantoms · Compact CNN"),
        (26, "Sample CT p… · Compact CNN"),
    ],
)
def test_of_a_label_its_recipe_is_cut_last(widest: int, shown: str) -> None:
    label = "Sample CT phantoms · Compact CNN · test accuracy 83 % (9) · 8 Nov, 9:28"
    assert distinct_labels({"one": label}, widest) == {"one": shown}
    # A namesake has another date, for which the data set's name gives way.
    two = {"one": label, "two": label.replace("9:28", "9:29")}
    if widest == 38:
        ends = [f"Sample CT… · Compact CNN · 8 Nov, 9:{minute}" for minute in (28, 29)]
        assert list(distinct_labels(two, widest).values()) == ends


def test_what_tells_namesakes_apart_has_room_too() -> None:
    label = "Sample CT phantoms · Instant · test accuracy 83 % · 28 Nov 2026, 23:28"
    other = "Another data set · Instant · test accuracy 83 % · 28 Nov 2026, 23:28"
    runs = {"20261128-232800-abcdef": label, "20261128-232801-123456": label}
    shown = distinct_labels({**runs, "20261128-232802-777777": other}, 38)
    assert [text[-9:] for text in shown.values()] == [
        " (abcdef)",
        " (123456)",
        "· Instant",
    ]
    assert all(len(text) <= 38 for text in shown.values())


def test_before_a_shorter_date_nothing_is_left_over() -> None:
    date = " · 2026年11月29日 18:57"
    label = f"Sample CT phantoms · 即时 · 测试准确率 93 %（95 张图像）{date}"
    assert cut_in_the_middle(label, 34) == f"Sample CT…{date}"
