"""Uploads that stream to the disk: whole, bounded, refused, abandoned."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from medmodel.core.errors import DataError
from medmodel.core.locks import Lock
from medmodel.data import importing
from medmodel.server import uploads
from medmodel.server.guard import Guard


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    for ticket in list(uploads._open):
        uploads.close(ticket)


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


def sent(ticket: str, name: str, *content: bytes) -> None:
    asyncio.run(uploads.receive(ticket, name, pieces(*content)))


def put(ticket: str, content: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """What the route answers to one PUT."""
    known = {"host": "here:8501", "origin": "http://here:8501", **headers}
    names = {name.replace("_", "-").encode(): v.encode() for name, v in known.items()}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def ask() -> Any:
        scope = {
            "type": "http",
            "method": "PUT",
            "path": f"/upload/{ticket}",
            "scheme": "http",
            "path_params": {"ticket": ticket},
            "headers": list(names.items()),
        }
        sent: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            sent.append(await uploads.put(Request(scope, receive)))

        async def send(message: Any) -> None:
            sent.append(message)

        guarded = Guard(app, allowed_origins=["https://ct.lab.org"])
        await guarded(scope, receive, send)
        return sent

    first, *_rest = asyncio.run(ask())
    if isinstance(first, Response):
        return first.status_code, json.loads(bytes(first.body))
    return first["status"], {"error": "refused by the guard"}


def test_files_arrive_under_names_of_ours(workspace: Path) -> None:
    ticket = uploads.begin()
    assert not (workspace / "uploads").exists()  # nothing before the first byte
    sent(ticket, "../../a/ü 1.png", b"one", b"", b" and more")
    sent(ticket, "b/2.png", bytes(3 * 2**20))
    upload = uploads.opened(ticket)
    assert upload is not None
    assert [name for name, _ in upload.files] == ["../../a/ü 1.png", "b/2.png"]
    assert [p.name for _, p in upload.files] == ["0", "1"]
    assert upload.files[0][1].read_bytes() == b"one and more"
    assert upload.files[1][1].stat().st_size == 3 * 2**20
    uploads.close(ticket)
    assert not list((workspace / "uploads").iterdir())
    assert uploads.opened(ticket) is None
    uploads.close(ticket)


def test_about_a_megabyte_is_in_memory_and_no_byte_is_lost() -> None:
    async def sizes(*content: int) -> list[int]:
        stream = pieces(*(bytes(size) for size in content))
        return [len(piece) async for piece in uploads._gathered(stream)]

    megabyte = 2**20
    assert asyncio.run(sizes(*[megabyte // 4] * 9)) == [*[megabyte] * 2, megabyte // 4]
    assert asyncio.run(sizes(megabyte - 1, 1, 5)) == [megabyte, 5]
    assert asyncio.run(sizes(3 * megabyte)) == [3 * megabyte]
    assert asyncio.run(sizes()) == []


def test_too_much_is_refused(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_BYTES", 10)
    ticket = uploads.begin()
    sent(ticket, "a", b"12345")
    with pytest.raises(DataError, match="There is room for"):
        sent(ticket, "b", b"123456")
    upload = uploads.opened(ticket)
    assert upload is not None and len(upload.files) == 1 and upload.bytes == 5
    assert len(list(upload.folder.iterdir())) == 1
    monkeypatch.setattr(importing, "MOST_FILES", 2)
    with pytest.raises(DataError, match="more than 2 files"):
        sent(ticket, "c", b"")


def test_a_full_disk_is_told_before_it_is_full(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "SPARE", 2**60)
    ticket = uploads.begin()
    status, answer = put(ticket, b"x", x_file_name="a.png")
    assert status == 413 and "There is room for 0.0 GB" in answer["error"]


def test_the_route(workspace: Path) -> None:
    ticket = uploads.begin()
    assert put(ticket, b"one", x_file_name="a%2F%C3%BC.png") == (200, {"ok": True})
    upload = uploads.opened(ticket)
    assert upload is not None and upload.files[0][0] == "a/ü.png"
    status, answer = put("unknown", b"one", x_file_name="a.png")
    assert status == 413 and "not open any more" in answer["error"]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x_file_name": "a", "origin": "http://elsewhere"}, "refused by the guard"),
        ({"x_file_name": "a", "origin": ""}, "refused by the guard"),
        ({"x_file_name": "a", "origin": "null"}, "refused by the guard"),
        ({"x_file_name": "a", "origin": "http://["}, "refused by the guard"),
        ({"x_file_name": "a", "origin": "https://here:8501"}, "refused by the guard"),
        ({}, "Only pages of this server"),
    ],
)
def test_only_our_pages_may_upload(
    workspace: Path, headers: dict[str, str], words: str
) -> None:
    ticket = uploads.begin()
    status, answer = put(ticket, b"one", **headers)
    assert status == 403 and words in answer["error"]
    assert not (workspace / "uploads").exists()


def test_programs_that_name_no_page_may_not_upload(workspace: Path) -> None:
    ticket = uploads.begin()
    headers = {"x-file-name": "a", "host": "here:8501"}
    scope = {"type": "http", "method": "PUT", "path_params": {"ticket": ticket}}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = asyncio.run(uploads.put(Request({**scope, "headers": raw})))
    assert answer.status_code == 403


def test_pages_of_an_address_that_the_settings_name_may_upload(workspace: Path) -> None:
    """Behind a proxy that sends another name than the page's."""
    ticket = uploads.begin()
    named = {"x_file_name": "a", "origin": "https://ct.lab.org"}
    assert put(ticket, b"one", **named) == (200, {"ok": True})


def test_a_broken_line_leaves_nothing(workspace: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(2**21)
        raise uploads.ClientDisconnect

    ticket = uploads.begin()
    with pytest.raises(uploads.ClientDisconnect):
        asyncio.run(uploads.receive(ticket, "a", broken()))
    upload = uploads.opened(ticket)
    assert upload is not None and not list(upload.folder.iterdir())
    assert upload.files == [] and upload.bytes == 0


def test_an_upload_that_is_closed_on_the_way_leaves_nothing(workspace: Path) -> None:
    ticket = uploads.begin()

    async def closing() -> AsyncIterator[bytes]:
        yield bytes(2**20)
        uploads.close(ticket)
        yield bytes(2**20)

    with pytest.raises(DataError, match="not open any more"):
        asyncio.run(uploads.receive(ticket, "a", closing()))
    assert not list((workspace / "uploads").iterdir())


def test_abandoned_uploads_are_removed(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = uploads.begin()
    sent(ticket, "a", b"one")
    dead = workspace / "uploads" / "dead"
    dead.mkdir()
    dead.with_suffix(".lock").touch()
    (dead / "0").write_bytes(b"left by a process that was killed")
    other = workspace / "uploads" / "other"
    other.mkdir()
    with Lock(other.with_suffix(".lock")):
        uploads.remove_abandoned()
        assert not dead.exists() and other.exists() and uploads.opened(ticket)
    monkeypatch.setattr(uploads, "KEPT", -1.0)
    uploads.remove_abandoned()
    assert not list((workspace / "uploads").iterdir())


def test_there_are_only_so_many_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_TICKETS", 2)
    first, *others = (uploads.begin() for _ in range(3))
    assert uploads.opened(first) is None
    assert all(map(uploads.opened, others))
