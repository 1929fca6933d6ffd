"""A run's first screen on a projector, in each of its states; nothing is trained."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from medmodel.core.config import config_for
from medmodel.runs.run import Run
from medmodel.runs.status import Failure, RunStatus
from medmodel.runs.tables.curves import append_epoch, append_steps
from tests.browser.conftest import AppServer, at_rest
from tests.finished_run import create_ended

pytestmark = pytest.mark.browser
NOT_A_NUMBER = Failure("not_a_number", "The loss stopped being a number.", "Try less.")
UNREADABLE = Failure("data", "No image can be read.", "Check the data set.")


@pytest.fixture(autouse=True)
def workspace_of_the_server(app: AppServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))


def ended(state: RunStatus, epochs: int = 3, **changes: Any) -> Run:
    """A run that has a curve, with the lowest validation loss in its second epoch."""
    run = create_ended(config_for("compact", "/data/lungs", name="Lungs"))
    for epoch in range(1, epochs + 1):
        losses = {"loss": 1 / epoch, "val_loss": 2.0 if epoch == 3 else 1 / epoch}
        shares = {"accuracy": 0.8, "val_accuracy": 0.7}
        row = {"epoch": epoch, "step": 10 * epoch, **losses, **shares}
        append_epoch(run, row)
        append_steps(run, [(0, epoch, 10 * epoch, 1 / epoch, 0.8)])
    run.write_status(
        replace(run.status, state=state, best_epoch=min(2, epochs), **changes)
    )
    return run


def watch(page: Page, app: AppServer, run: Run) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{app.url}/runs?run={run.id}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    at_rest(page)


@pytest.mark.parametrize(
    ("state", "failure", "word"),
    [
        (RunStatus.DONE, None, "Done"),
        (RunStatus.STOPPED, None, "Stopped"),
        (RunStatus.FAILED, NOT_A_NUMBER, "Failed"),
    ],
)
def test_both_curves_stand_whole_on_the_first_screen(
    page: Page, app: AppServer, state: RunStatus, failure: Failure | None, word: str
) -> None:
    watch(page, app, ended(state, failure=failure))
    expect(page.locator(".mm-word")).to_have_text(word)
    for name in ("loss", "accuracy"):
        chart = page.locator(f"[data-chart={name}] .main-svg").first
        chart.wait_for()
        box = chart.bounding_box()
        assert box and box["height"] > 180 and box["y"] + box["height"] < 720
    # The ring is where validation loss is lowest.
    ring = page.locator("[data-chart=loss]").evaluate("el => el.data[2].y")
    assert ring == [0.5]


def test_the_charts_tools_hide_no_curve(page: Page, app: AppServer) -> None:
    watch(page, app, ended(RunStatus.DONE))
    chart = page.locator("[data-chart=accuracy]")
    tools = chart.locator(".modebar")
    page.mouse.move(0, 0)
    expect(tools).to_have_css("opacity", "0")
    chart.hover()
    expect(tools).to_have_css("opacity", "1")
    # The axis follows the curves: 70 and 80 %.
    low = page.evaluate(
        "() => document.querySelector('[data-chart=accuracy]').layout.yaxis.range[0]"
    )
    assert low > 60


def test_a_single_step_is_a_point_within_the_axes(page: Page, app: AppServer) -> None:
    run = ended(RunStatus.STOPPED, epochs=0)
    append_steps(run, [(0, 1, 1, 0.8, 0.3)])
    watch(page, app, run)
    page.wait_for_function(
        "() => document.querySelector('[data-chart=accuracy]')?.data?.[0].x.length"
    )
    mode, low, high = page.evaluate(
        "() => { const chart = document.querySelector('[data-chart=accuracy]');"
        "return [chart.data[0].mode, ...chart.layout.yaxis.range]; }"
    )
    assert mode == "lines+markers"
    assert -5 <= low < 30 < high <= 110


def test_a_failure_before_the_first_point_has_no_axes_and_no_full_bar(
    page: Page, app: AppServer
) -> None:
    run = ended(RunStatus.FAILED, epochs=0, failure=UNREADABLE, done=6, total=6)
    watch(page, app, run)
    expect(page.locator(".mm-word")).to_have_text("Failed")
    expect(page.locator("[data-chart=loss]")).to_be_hidden()
    share = page.locator(".mm-bar").get_attribute("aria-valuenow")
    assert int(share or 0) < 100
    expect(page.get_by_role("button", name="Open the data set")).to_be_visible()


def test_what_was_deleted_elsewhere_can_be_neither_resumed_nor_deleted(
    page: Page, app: AppServer
) -> None:
    run = ended(RunStatus.STOPPED)
    watch(page, app, run)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    shutil.rmtree(run.folder)
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    expect(page.get_by_text("it may have been deleted")).to_be_visible()


def test_a_listener_hears_the_end(page: Page, app: AppServer) -> None:
    run = ended(RunStatus.RUNNING, epoch=2, epochs=0)
    with run.lock:
        watch(page, app, run)
        expect(page.locator(".mm-said")).to_contain_text("Training")
        status = replace(run.status, state=RunStatus.FAILED, failure=NOT_A_NUMBER)
        run.write_status(status)
        expect(page.locator(".mm-said")).to_have_text(
            "Failed. The loss stopped being a number."
        )


def test_what_computes_is_in_sight_beside_all_other_facts(
    page: Page, app: AppServer
) -> None:
    """One row of facts is shown at 1280 pixels: what is dotted is said there, too."""
    run = ended(RunStatus.DONE, device="Processor", precision="mixed_bfloat16")
    run.write_config(replace(run.config, training="frozen"))
    watch(page, app, run)
    facts = page.locator(".mm-facts")
    box = facts.bounding_box()
    for fact in ("Processor · mixed_bfloat16", "images not yet learned"):
        word = facts.get_by_text(fact).bounding_box()
        assert box and word and word["y"] + word["height"] <= box["y"] + box["height"]
