"""A reading room of a presenter and two phones; reader mode over ten images by keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from medmodel.evaluation.clinical.reader_study import studies
from medmodel.runs.run import Run
from tests.browser.conftest import AppServer, at_rest, press
from tests.browser.test_presenter import open_room, press_key
from tests.conftest import draw_class_folders
from tests.finished_run import write_finished_run

pytestmark = pytest.mark.browser


@pytest.fixture
def run(app: AppServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run whose images the server may read."""
    folder = app.workspace / "datasets" / "to be read"
    if not folder.is_dir():
        draw_class_folders(folder, images_per_class=20)
    monkeypatch.setenv("MEDMODEL_WORKSPACE", str(app.workspace))
    return write_finished_run(folder, "Reader")


@pytest.fixture
def phones(browser: Browser) -> Iterator[list[Page]]:
    """Two phones of two people."""
    contexts = [
        browser.new_context(viewport={"width": 390, "height": 844}) for _ in range(2)
    ]
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()


def answer(phone: Page, name: str) -> None:
    phone.get_by_label(name, exact=True).check()
    phone.get_by_role("button", name="Send").click()
    said(phone, f"Your answer: {name}, 75 %. Your answer is counted.")


def said(phone: Page, sentence: str) -> None:
    expect(phone.locator("#answer")).to_contain_text(sentence)


def bar(page: Page, name: str) -> Locator:
    row = page.locator(".mm-shown .mm-bar").filter(has_text=name)
    return row.locator(".mm-value")


def test_a_room_reads_and_sees_the_model(
    page: Page, phones: list[Page], app: AppServer, run: Run
) -> None:
    link = open_room(page, app)
    press(page, page.get_by_role("button", name="Back to the slides"))
    press_key(page, "End", "Scan the code")
    expect(page.locator(".mm-code svg")).to_be_visible()
    one, two = phones
    for phone in phones:
        phone.goto(link)
        expect(phone.locator(".mm-title")).to_have_text("You take part")
        expect(phone.locator("#ballot")).to_be_hidden()
    one.get_by_label("Nickname (optional)").fill(" <b>Anna</b>\u202e ")
    one.get_by_role("button", name="Save").click()
    expect(one.locator("#nickname-note")).to_contain_text("Saved.")
    expect(one.get_by_label("Nickname (optional)")).to_have_value("Anna")
    expect(page.locator(".mm-sentence")).to_have_text("2 phones are there.")
    press_key(page, "Enter", "Image 1 of 10")
    expect(page.locator(".mm-code")).to_be_hidden()
    for phone in phones:
        expect(phone.locator(".mm-image img")).to_be_visible()
        expect(phone.get_by_role("button", name="Send")).to_be_disabled()
        assert phone.evaluate("document.documentElement.scrollWidth") == 390
    answer(one, "dark")
    answer(two, "dark")
    expect(bar(page, "dark")).to_have_text("2")
    # A changed answer takes the place of the former one; one phone, one vote.
    two.get_by_role("button", name="Change").click()
    answer(two, "light")
    expect(bar(page, "light")).to_have_text("1")
    expect(bar(page, "dark")).to_have_text("1")
    expect(page.locator(".mm-sentence")).to_have_text("Answers: 2 of 2 phones")
    # A phone that lost the line, or its page, comes back to its place.
    two.context.set_offline(True)
    one.reload()
    said(one, "Your answer: dark, 75 %. Your answer is counted.")
    press_key(page, "Enter", "True class")
    two.context.set_offline(False)
    for phone, name in ((one, "dark"), (two, "light")):
        expect(phone.locator(".mm-title")).to_contain_text("True class")
        expect(phone.locator(".mm-sentence")).to_contain_text("The model says")
        said(phone, f"Your answer: {name}, 75 %.")
        expect(phone.get_by_role("button", name="Change")).to_be_hidden()
    press_key(page, "Enter", "Image 2 of 10")
    for phone in phones:
        expect(phone.locator("#answer")).to_be_empty()
    answer(one, "light")
    press_key(page, "Enter", "True class")
    said(two, "You did not answer.")
    press_key(page, "e", "Accuracy on 2 images")
    expect(one.locator(".mm-title")).to_have_text("Accuracy on 2 images")
    expect(one.locator("#ballot")).to_be_hidden()
    page.locator(".mm-stage[aria-busy=false]").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("1 reader answered every image.").wait_for()
    at_rest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Answers").click()
    rows = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(rows) == 4 and rows[0].startswith("image,path,true_class")
    assert "Anna" not in "".join(rows)
    page.goto(f"{app.url}/?present=room")
    press(page, page.get_by_role("button", name="Close the address"))
    for phone in phones:
        expect(phone.get_by_text("has ended the presentation")).to_be_visible()
    assert one.evaluate("Object.keys(localStorage).length") == 0


def enter(page: Page, then: str) -> None:
    """Presses Enter once the page listens, some time after it is drawn."""
    for _ in range(6):
        at_rest(page)
        page.keyboard.press("Enter")
        try:
            page.get_by_text(then).first.wait_for(timeout=10_000)
        except PlaywrightTimeout:
            continue
        return
    page.get_by_text(then).first.wait_for()


def test_reader_mode_over_ten_images_by_keys(
    page: Page, app: AppServer, run: Run
) -> None:
    page.goto(f"{app.url}/read?run={run.id}")
    press(page, page.get_by_role("radio", name="10", exact=True))
    press(page, page.get_by_role("button", name="Begin"))
    for number in range(1, 11):
        page.get_by_text(re.compile(rf"^Image {number} of 10$")).first.wait_for()
        page.get_by_text("Your reading", exact=True).wait_for()
        at_rest(page)
        assert not page.get_by_text("The model says").count()
        group = page.get_by_role("radiogroup", name="Class")
        group.get_by_role("radio").first.focus()
        page.keyboard.press("Space")
        expect(
            page.get_by_role("button", name="Commit, and show the model")
        ).to_be_enabled()
        enter(page, "The model says")
        if number == 3:
            page.reload()
            page.get_by_text("The model says").wait_for()
        following = f"Image {number + 1} of 10" if number < 10 else "Results of 10"
        enter(page, following)
    page.get_by_role("heading", name="Results of 10 images").wait_for()
    (study,) = studies(run)
    assert study.finished
