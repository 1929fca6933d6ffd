"""The list of runs and one run's page, in each of their states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medmodel.core.config import config_for
from medmodel.core.devices import Device
from medmodel.runs import queue, run_index
from medmodel.runs.notes import Notes, change_notes, notes_of
from medmodel.runs.queue_plan import WaitingRun
from medmodel.runs.run import Run
from medmodel.runs.run_store import RunStore
from medmodel.runs.status import Failure, RunStatus
from pages._shared.runs.queue_view import _when
from pages._shared.runs.run_view import purpose_of
from tests.pages.page import labels, open_page

NOTING = {"Pin", "Keep"}
EVIL = "<b>x</b> **bold** $a$"


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ensure_worker", lambda store: None)


@pytest.fixture
def make(workspace: Path) -> Callable[..., Run]:
    def make(state: RunStatus, name: str = "", **changes: Any) -> Run:
        run = RunStore(workspace).create(config_for("instant", "/data/lungs"))
        if name:
            run.folder.joinpath("config.json").write_text(
                run.folder.joinpath("config.json")
                .read_text()
                .replace('"name": ""', f'"name": "{name}"')
            )
        run.write_status(replace(run.status, state=state, started=1, **changes))
        return run

    return make


def opened(**address: str) -> AppTest:
    return open_page("models/runs.py", **address)


def test_without_runs_one_button_leads_to_training() -> None:
    assert labels(opened()) == ["Train the first model"]


def test_all_runs_with_their_states(make: Callable[..., Run]) -> None:
    make(RunStatus.DONE)
    make(RunStatus.QUEUED, name=EVIL)
    table = opened().dataframe[0].value
    assert set(table["State"]) == {"Done", "Waiting"}
    assert EVIL in set(table["Run"])


def test_a_damaged_run_is_named_beside_the_others(make: Callable[..., Run]) -> None:
    sound, damaged = make(RunStatus.DONE), make(RunStatus.DONE)
    (damaged.folder / "status.json").write_text("{")
    app = opened()
    assert len(app.dataframe[0].value) == 1
    assert damaged.id.replace("-", "\\-") in app.warning[0].value
    assert sound.id.replace("-", "\\-") not in app.warning[0].value


def test_of_lost_settings_no_recipe_is_said(make: Callable[..., Run]) -> None:
    run = make(RunStatus.DONE)
    for name in ("best.keras", "model.json"):
        (run.folder / name).touch()
    (run.folder / "config.json").write_text("{")
    app = opened(run=run.id)
    texts = [text.value for text in app.main.markdown]
    assert any("Its settings are lost" in text for text in texts)
    assert not any("Instant" in text for text in texts)


def test_the_table_is_searched_and_filtered(make: Callable[..., Run]) -> None:
    change_notes(make(RunStatus.DONE, name="first"), tags=["best"])
    make(RunStatus.QUEUED, name="second")
    app = opened()
    shown = app.dataframe[0].value
    assert set(shown["Run"]) == {"first", "second"} and "Tags" in shown
    app.text_input[0].set_value("best").run()
    assert list(app.dataframe[0].value["Run"]) == ["first"]
    app.text_input[0].set_value("").run()
    app.multiselect(key="tags-runs").set_value(["best"]).run()
    assert list(app.dataframe[0].value["Run"]) == ["first"]
    app.text_input[0].set_value("nowhere").run()
    assert not app.exception and not app.dataframe
    assert "No run fits" in " ".join(caption.value for caption in app.caption)


def test_a_filter_for_what_is_gone_is_forgotten(make: Callable[..., Run]) -> None:
    first, _ = make(RunStatus.QUEUED), make(RunStatus.DONE)
    change_notes(first, tags=["soon"])
    app = opened()
    app.pills(key="states-runs").set_value(["queued"]).run()
    app.multiselect(key="tags-runs").set_value(["soon"]).run()
    assert len(app.dataframe[0].value) == 1
    first.write_status(replace(first.status, state=RunStatus.DONE))
    change_notes(first, tags=[])
    app.run()
    assert not app.exception and len(app.dataframe[0].value) == 2


def test_only_settings_that_differ(make: Callable[..., Run]) -> None:
    make(RunStatus.DONE, name="first")
    RunStore().create(config_for("instant", "/data/lungs", name="x", epochs=5))
    app = opened()
    app.segmented_control(key="shown-runs").set_value("Settings that differ").run()
    assert not app.exception
    shown = app.dataframe[0].value
    assert set(shown) == {"Pin", "Run", "Test accuracy", "Epochs at most"}


def test_tags_note_and_pin(make: Callable[..., Run]) -> None:
    run = make(RunStatus.DONE)
    app = opened(run=run.id)
    app.multiselect(key=f"tags-{run.id}").set_value(["<b>Friday"])
    app.text_area(key=f"note-{run.id}").set_value("Shown to **all**.")
    next(b for b in app.button if b.label == "Keep").click().run()
    next(b for b in app.button if b.label == "Pin").click().run()
    assert not app.exception
    assert notes_of(run) == Notes(("<b>Friday",), "Shown to **all**.", True)
    text = " ".join(m.value for m in app.markdown)
    assert r"Shown to \*\*all\*\*\." in text
    assert "Unpin" in labels(app)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RunStatus.QUEUED, {"Stop", "Train again", *NOTING}),
        (RunStatus.DONE, {"Train again", "Delete", *NOTING}),
        (RunStatus.STOPPED, {"Resume", "Train again", "Delete", *NOTING}),
        (RunStatus.INTERRUPTED, {"Resume", "Train again", "Delete", *NOTING}),
    ],
)
def test_each_state_offers_what_makes_sense(
    make: Callable[..., Run], state: RunStatus, expected: set[str]
) -> None:
    assert set(labels(opened(run=make(state).id))) == expected


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("data", "Open the data set"),
        ("cluster", "Resume"),
        ("storage", "Resume"),
        ("device", "Train again"),
        ("not_a_number", "Train again"),
        ("out_of_memory", "Train again"),
        ("bug", "Train again"),
        ("disk_full", "Resume"),
        ("killed", "Resume"),
    ],
)
def test_what_failed_is_not_simply_tried_again(
    make: Callable[..., Run], kind: str, first: str
) -> None:
    run = make(RunStatus.FAILED, failure=Failure(kind, "It failed.", "Mend it."))
    app = opened(run=run.id)
    primary = [b.label for b in app.button if b.proto.type == "primary"]
    assert primary == [first, "Keep"]
    assert "Resume" in labels(app)


def test_from_a_failure_to_its_data_set(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        st, "switch_page", lambda page, query_params: asked.append((page, query_params))
    )
    run = make(RunStatus.FAILED, failure=Failure("data", "Unreadable.", "Look."))
    app = opened(run=run.id)
    next(b for b in app.button if b.label == "Open the data set").click().run()
    assert asked[0] == ("data/datasets.py", {"dataset": "/data/lungs"})


def _record_live_charts(
    charts: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collects what each live chart is given, instead of drawing it."""

    real = st.components.v2.component

    def component(name: str, **files: Any) -> Callable[..., Any]:
        def record(**data: Any) -> None:
            charts.append(data)

        return record if name == "live_chart" else real(name, **files)

    monkeypatch.setattr(st.components.v2, "component", component)


def test_a_run_without_a_point_has_no_place_for_curves(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts: list[dict[str, Any]] = []
    _record_live_charts(charts, monkeypatch)
    opened(run=make(RunStatus.QUEUED).id)
    failure = Failure("data", "Unreadable.", "Look.")
    failed = make(RunStatus.FAILED, failure=failure)
    opened(run=failed.id)
    (failed.folder / "steps.csv").touch()
    opened(run=failed.id)
    waiting, bare, failed_later = [chart["data"] for chart in charts]
    assert bare["bare"] and not waiting["bare"] and not failed_later["bare"]
    assert bare["height"] < failed_later["height"] < waiting["height"]


def test_a_model_can_be_asked_when_there_is_one(make: Callable[..., Run]) -> None:
    run = make(RunStatus.STOPPED)
    (run.folder / "best.keras").touch()
    assert "Diagnose with this model" in labels(opened(run=run.id))


def test_an_external_test_leads_to_its_model_and_is_told_apart(
    make: Callable[..., Run],
) -> None:
    model, test = make(RunStatus.DONE, name="model"), make(RunStatus.DONE, name="test")
    (test.folder / "external.json").write_text(f'{{"model": "{model.id}"}}')
    (test.folder / "best.keras").touch()
    assert "Diagnose with this model" in labels(opened(run=test.id))
    app = opened()
    for kind in ("Training", "External test"):
        app.pills(key="kind-runs").set_value(kind).run()
        assert not app.exception
        name = "test" if kind == "External test" else "model"
        assert list(app.dataframe[0].value["Run"]) == [name]
    RunStore().delete(model)
    assert "Diagnose with this model" not in labels(opened(run=test.id))


def test_the_curves_of_a_run_follow_it(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    charts: list[dict[str, Any]] = []
    _record_live_charts(charts, monkeypatch)
    run = make(RunStatus.STOPPED)
    opened(run=run.id)
    (chart,) = charts
    plotly = f"/vendor/plotly.js?v={version('plotly')}"
    follow = {"url": f"/live/{run.id}", "plotly": plotly, "state": "stopped"}
    assert follow.items() <= chart["data"].items()
    # Without a key it would be drawn anew; without the callback nobody would be told.
    assert chart["key"] == f"live-{run.id}-en" and callable(chart["on_changed_change"])


def test_a_name_is_shown_as_it_is(make: Callable[..., Run]) -> None:
    app = opened(run=make(RunStatus.DONE, name=EVIL).id)
    assert app.title[0].value.startswith(r"\<b\>x\</b\> \*\*bold\*\*")


def test_a_failure_says_what_to_do_and_keeps_the_traceback_close(
    make: Callable[..., Run],
) -> None:
    failure = Failure("out_of_memory", "The GPU was full.", "Halve the batch size.")
    run = make(RunStatus.FAILED, failure=failure)
    (run.folder / "log.txt").write_text("Traceback: here\n10%\r20%\r100%\n")
    app = opened(run=run.id)
    assert "Halve the batch size" in app.error[0].value
    assert "Traceback: here" in app.code[0].value
    assert "20%" not in app.code[0].value and "100%" in app.code[0].value


def test_a_stopped_run_goes_back_to_the_queue(make: Callable[..., Run]) -> None:
    run = make(RunStatus.STOPPED)
    app = opened(run=run.id)
    next(b for b in app.button if b.label == "Resume").click().run()
    assert run.status.state is RunStatus.QUEUED
    assert "Stop" in labels(app)


@pytest.mark.parametrize(("seconds", "time"), [(49, "50 s"), (1122, "19 min")])
def test_a_start_is_told_no_more_exactly_than_it_is_known(
    seconds: float, time: str, make: Callable[..., Run], workspace: Path
) -> None:
    make(RunStatus.QUEUED)
    (entry,) = run_index.entries(RunStore(workspace))
    waiting = WaitingRun(entry, seconds, 0, 0, Device("cpu", "Processor"))
    assert _when(waiting) == f"Expected to start in about {time}."


def test_a_waiting_run_leaves_the_queue(make: Callable[..., Run]) -> None:
    run = make(RunStatus.QUEUED)
    app = opened(run=run.id)
    next(b for b in app.button if b.label == "Stop").click().run()
    assert run.status.state is RunStatus.STOPPED


def test_delete_asks_and_then_deletes(make: Callable[..., Run]) -> None:
    run = make(RunStatus.DONE)
    app = opened(run=run.id)
    next(b for b in app.button if b.label == "Delete").click().run()
    assert run.folder.exists()
    # A browser keeps the dialog open; here it has to be opened in the same run.
    next(b for b in app.button if b.label == "Delete").click()
    next(b for b in app.button if b.label == "Delete it").click().run()
    assert not run.folder.exists()


@pytest.mark.parametrize("name", ["20000101-000000-abcdef", "../../etc", "<b>"])
def test_an_unknown_run_is_one_sentence(name: str) -> None:
    app = opened(run=name)
    assert len(app.error) == 1
    assert len(app.title) == 1


def test_below_a_title_stands_what_it_does_not_say(tmp_path: Path) -> None:
    """Below "Instant on x" it said "Instant, trained on x."."""
    config = config_for("instant", str(tmp_path / "x"))
    run = RunStore().create(config)
    assert purpose_of(run, config) == (
        "Network: EfficientNet-Lite0, pretrained on ImageNet, offline."
    )
    named = replace(config, name="for Tuesday")
    assert purpose_of(run, named) == "Instant, trained on x."
