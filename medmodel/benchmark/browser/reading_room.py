"""Phones that answer in a reading room: how late the presenter sees an answer."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from medmodel.benchmark import Measurement, at_most
from medmodel.benchmark.browser.serving import finished_run
from medmodel.benchmark.browser.staged_pages import PROJECTOR, settled
from medmodel.benchmark.servers import (
    browser,
    free_port,
    percentile,
    serving,
    temporary_workspace,
)
from medmodel.core.config import config_for
from medmodel.core.errors import DataError
from medmodel.data.synthetic import ensure_sample_dataset

PHONES = 200
IMAGES = 3
"""Images that are answered, one after the other."""
SEATED = 60.0
"""Seconds within which every phone must have its seat."""
SPREAD = 10.0
"""Seconds within which all phones answer: people do not press in the same instant."""

_COUNTED = """(slide) => {
  window.counted = [];
  let last = 0;
  const look = () => {
    const text = slide.querySelector('.mm-sentence')?.textContent ?? '';
    const count = Number((text.match(/\\d+/) ?? [0])[0]);
    if (count !== last) window.counted.push([Date.now() / 1000, last = count]);
    requestAnimationFrame(look);
  };
  look();
}"""


@dataclass
class Phones:
    """Phones of one room; each follows its events and answers when asked.

    Args:
        link: What they opened.
        sent: Number of the image -> when each answer was sent, seconds since 1970.
        replied: Seconds until each answer was acknowledged.
    """

    link: str
    sent: dict[int, list[float]] = field(default_factory=dict)
    replied: list[float] = field(default_factory=list)
    ready: int = 0

    def follow(self) -> None:
        """Runs until the room ends."""
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        await asyncio.gather(*(self._phone(number) for number in range(PHONES)))

    async def _phone(self, number: int) -> None:
        reader, writer = await self._send("GET", "events")
        seat = json.loads(await self._post("seat", {}))["seat"]
        self.ready += 1
        while line := await reader.readline():
            if not line.startswith(b"data: {"):
                continue
            slide = json.loads(line[6:])
            for image in slide["images"]:
                _reader, _writer = await self._send("GET", image["source"])
                await _reader.read()
                _writer.close()
            ballot = slide.get("ballot")
            if ballot and ballot["open"] and ballot["number"]:
                await asyncio.sleep(SPREAD * (0.1 + number / PHONES))
                await self._vote(seat, ballot, number)
        writer.close()

    async def _vote(self, seat: str, ballot: dict[str, Any], number: int) -> None:
        facts = {
            "seat": seat,
            "reading": ballot["reading"],
            "number": ballot["number"],
            "choice": number % len(ballot["options"]),
            "confidence": 75,
        }
        began = time.time()
        self.sent.setdefault(ballot["number"], []).append(began)
        await self._post("vote", facts)
        self.replied.append(time.time() - began)

    async def _post(self, path: str, facts: dict[str, Any]) -> bytes:
        reader, writer = await self._send("POST", path, json.dumps(facts))
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]

    async def _send(self, method: str, path: str, body: str = "") -> Any:
        host, _slash, code = self.link.removeprefix("http://").partition("/")
        name, _colon, port = host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port), limit=1 << 22)
        headers = f"Host: {host}\r\nOrigin: http://{host}\r\n"
        if body:
            headers += f"Content-Type: application/json\r\nContent-Length: {len(body)}"
            headers += "\r\n"
        request = f"{method} /{code}{path} HTTP/1.1\r\n{headers}\r\n{body}"
        writer.write(request.encode())
        return reader, writer


def room_200() -> list[Measurement]:
    """200 phones read images together: from sending an answer to seeing it counted."""
    with temporary_workspace() as workspace, browser() as chromium:
        config = config_for("compact", str(ensure_sample_dataset()), epochs=1, size=32)
        run = finished_run(config)
        with serving(workspace) as server:
            page = chromium.new_page(viewport=PROJECTOR)
            phones = Phones(_open_room(page, server.url, run.id))
            threading.Thread(target=phones.follow, daemon=True).start()
            _await_phones(page, phones)
            delays = _read(page, phones)
    shown, due = len(delays), PHONES * IMAGES
    note = (
        f"{shown} answers of {due} seen, median {statistics.median(delays):.2f} s; "
        f"acknowledged to the phone after {percentile(phones.replied, 0.95):.3f} s "
        "(95th centile)"
    )
    value = percentile(delays, 0.95) if shown == due else float("inf")
    return [at_most("room_200", value, 0.5, "s", note)]


def _await_phones(page: Any, phones: Phones) -> None:
    """Waits until every phone has its seat.

    Raises:
        DataError: Some have none within `SEATED`.
    """
    deadline = time.monotonic() + SEATED
    while phones.ready < PHONES:
        if time.monotonic() > deadline:
            raise DataError(f"{phones.ready} of {PHONES} phones have a seat.")
        page.wait_for_timeout(100)


def _open_room(page: Any, url: str, run: str) -> str:
    page.goto(f"{url}/?present=read&run={run}")
    page.locator(".mm-action").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name="Network address").click()
    page.get_by_role("option", name="this machine only").click()
    settled(page)
    page.get_by_label("Port").fill(str(free_port()))
    page.get_by_label("Port").press("Enter")
    settled(page)
    page.get_by_role("button", name="Show to phones in the room").click()
    link = str(page.get_by_test_id("stCode").locator("code").inner_text()).strip()
    page.get_by_role("button", name="Back to the slides").click()
    page.locator(".mm-code svg").wait_for()
    return link


def _read(page: Any, phones: Phones) -> list[float]:
    """Seconds until each answer was on the presenter's screen."""
    delays: list[float] = []
    for number in range(1, IMAGES + 1):
        title = page.locator(".mm-title", has_text=re.compile(f"^Image {number} of"))
        _press(page, "Begin" if number == 1 else "Next image")
        title.wait_for()
        page.locator(".mm-shown").evaluate(_COUNTED)
        deadline = time.monotonic() + SPREAD + 30
        while time.monotonic() < deadline:
            page.wait_for_timeout(500)
            counted = page.evaluate("window.counted")
            if counted and counted[-1][1] >= PHONES:
                break
        delays += late(sorted(phones.sent.get(number, [])), counted)
        _press(page, "Reveal")
        page.locator(".mm-title", has_text="True class").wait_for()
    return delays


def _press(page: Any, action: str) -> None:
    page.locator(".mm-action", has_text=action).wait_for()
    page.keyboard.press("Enter")


def late(sent: Sequence[float], counted: Sequence[tuple[float, int]]) -> list[float]:
    """Seconds from sending each answer to seeing at least as many as were sent.

    Args:
        sent: When each answer was sent, in order.
        counted: When another number was seen, and that number.
    """
    delays = []
    for place, began in enumerate(sent, 1):
        seen = [at for at, count in counted if count >= place and at >= began]
        if seen:
            delays.append(min(seen) - began)
    return delays
