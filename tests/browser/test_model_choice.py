"""The chosen model in a real browser: over pages, Back, reload and dead links."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from medmodel.runs.run import Run
from tests.browser.conftest import AppServer, at_rest, choose
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def runs(app: AppServer) -> Iterator[tuple[Run, Run]]:
    """Two finished runs, the newer one last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
        folder = draw_class_folders(
            app.workspace / "datasets" / "chosen", images_per_class=12
        )
        older = write_finished_run(folder, "older one", sharpness=3.0)
        yield older, write_finished_run(folder, "newer one", sharpness=0.0)


TITLES = {"evaluate": "Evaluate", "network": "How the network sees"}


def shows(page: Page, run: Run, path: str) -> None:
    """Waits until the page speaks of this run, and its address says so.

    Who leaves a page before it is drawn meets it again: Streamlit notes the address of
    what is drawn.
    """
    expect(page).to_have_url(re.compile(rf"/{path}\?run={run.id}$"))
    # The page before had the same model.
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[path])
    model = page.get_by_role("combobox", name="Model")
    expect(model).to_have_value(re.compile(run.config.name))
    at_rest(page)


def test_the_chosen_model_stays_over_pages_back_and_reload(
    page: Page, app: AppServer, runs: tuple[Run, Run]
) -> None:
    older, newer = runs
    page.goto(f"{app.url}/datasets")
    page.get_by_role("link", name="Evaluate").click()
    shows(page, newer, "evaluate")
    name = re.compile("older one")
    choose(page, "Model", lambda: page.get_by_role("option", name=name))
    shows(page, older, "evaluate")
    page.get_by_role("link", name="How the network sees").click()
    shows(page, older, "network")
    page.get_by_role("link", name="Evaluate").click()
    shows(page, older, "evaluate")
    page.reload()
    shows(page, older, "evaluate")
    # Back retraces every step, and nothing else.
    page.go_back()
    shows(page, older, "network")
    page.go_back()
    shows(page, older, "evaluate")
    page.go_back()
    shows(page, newer, "evaluate")
    page.go_back()
    expect(page).to_have_url(re.compile("/datasets$"))


def test_a_link_to_a_missing_run_says_so(
    page: Page, app: AppServer, runs: tuple[Run, Run]
) -> None:
    address = f"{app.url}/evaluate?run=20200101-000000-abcdef"
    page.goto(address)
    expect(page.get_by_text("not here any more")).to_be_visible()
    at_rest(page)
    expect(page).to_have_url(address)
    expect(page.get_by_text("Accuracy")).to_have_count(0)
    name = re.compile("older one")
    choose(page, "Model", lambda: page.get_by_role("option", name=name))
    shows(page, runs[0], "evaluate")
