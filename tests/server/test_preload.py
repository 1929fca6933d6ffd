"""Streamlit's page names the scripts of widgets; any other answer stays as it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from medmodel.server import preload
from medmodel.server.guard import package_folder

PAGE = "<html><head><title>x</title></head><body>&lt;/head></body></html>"
OF_FILE = {"etag": '"1"', "last-modified": "today"}
BROWSER = {
    "accept": "text/html,*/*",
    "accept-encoding": "gzip",
    "if-none-match": '"1"',
    "if-modified-since": "today",
}


def answer(
    response: Response, asked: dict[str, str], method: str = "GET", path: str = "/"
) -> tuple[dict[str, str], str, dict[str, str]]:
    """Headers and body that come back, and the headers that were passed on."""
    sent: list[Any] = []
    passed_on: dict[str, str] = {}

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed_on.update((k.decode(), v.decode()) for k, v in scope["headers"])
        await response(scope, receive, send)

    headers = [(name.encode(), value.encode()) for name, value in asked.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(preload.Preload(app)(scope, receive, send))
    start, body = sent
    got = {name.decode(): value.decode() for name, value in start["headers"]}
    assert int(got["content-length"]) == len(body["body"])
    return got, body["body"].decode(), passed_on


def test_a_page_for_a_browser_names_them_at_the_end_of_its_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preload, "preload_tags", lambda widgets: b"<link>")
    page = HTMLResponse(PAGE, headers=OF_FILE)
    headers, body, passed_on = answer(page, BROWSER)
    added = f"<link>{preload.HOLD_STILL.decode()}</head>"
    assert body == PAGE.replace("</head>", added, 1)
    # A browser would keep it for that of the file, which has another head.
    assert not set(OF_FILE) & set(headers)
    assert set(passed_on) == {"accept"}


def test_any_other_answer_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "preload_tags", lambda widgets: b"<link>")
    for response, asked, method in (
        (PlainTextResponse(PAGE, headers=OF_FILE), BROWSER, "GET"),
        (HTMLResponse(PAGE, headers=OF_FILE), {**BROWSER, "accept": "*/*"}, "GET"),
        (HTMLResponse(PAGE, headers=OF_FILE), BROWSER, "POST"),
    ):
        headers, body, _ = answer(response, asked, method)
        assert body == PAGE
        assert set(OF_FILE) <= set(headers)


def test_scripts_come_with_what_they_import_once(tmp_path: Path) -> None:
    for name, text in {
        "Radio.a1.js": 'import{a}from"./b.js";import"./c.js";import("./late.js")',
        "b.js": "import{d}from`./c.js`",
        "c.js": 'import"./gone.js";import"./b.js"',
        "late.js": "",
        "RadioGroup.a2.js": "",
    }.items():
        (tmp_path / name).write_text(text)
    assert preload.scripts_of_widgets(tmp_path) == ["Radio.a1.js", "b.js", "c.js"]


def test_streamlit_has_a_script_for_every_widget_that_is_named() -> None:
    folder = package_folder("streamlit") / "static" / "static" / "js"
    for name in preload.WIDGETS:
        assert len(list(folder.glob(f"{name}.*.js"))) == 1
    assert set(preload.FIRST_PAGE_WIDGETS) <= set(preload.WIDGETS)
    tags = preload.preload_tags().decode()
    page = (package_folder("streamlit") / "static" / "index.html").read_text()
    assert "/Radio." in tags and "PlotlyChart" not in tags
    for tag in tags.splitlines():
        assert (folder / tag.split("/js/")[1].split('"')[0]).is_file()
        assert tag not in page


@pytest.mark.parametrize(
    ("path", "widgets"),
    [
        ("/", preload.FIRST_PAGE_WIDGETS),
        ("/behind/a/proxy/", preload.FIRST_PAGE_WIDGETS),
        ("/train", preload.WIDGETS),
    ],
)
def test_the_first_page_waits_for_its_own_scripts_alone(
    monkeypatch: pytest.MonkeyPatch, path: str, widgets: tuple[str, ...]
) -> None:
    monkeypatch.setattr(preload, "preload_tags", lambda widgets: repr(widgets).encode())
    _, body, _ = answer(HTMLResponse(PAGE), BROWSER, path=path)
    assert repr(widgets) in body
