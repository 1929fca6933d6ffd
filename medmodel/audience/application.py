"""What the audience address answers: one page below a secret code, and nothing else."""

from __future__ import annotations

import asyncio
import hmac
import html
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from medmodel.audience.accept_language import preferred_language
from medmodel.audience.ballot import LONGEST_BODY, Ballot, BallotBox, Refused
from medmodel.audience.nickname import MOST_LETTERS
from medmodel.audience.records import BallotRecords
from medmodel.core.environment import REPOSITORY
from medmodel.language import N_, _, present_language, speaking

ASSETS = REPOSITORY / "assets"
FILES = {
    "audience.css": ("audience.css", "text/css"),
    "slide.css": ("slide.css", "text/css"),
    "audience.js": ("audience.js", "text/javascript"),
    "ballot.css": ("ballot.css", "text/css"),
    "ballot.js": ("ballot.js", "text/javascript"),
    "slide.js": ("slide.js", "text/javascript"),
}
"""What lies below the code -> file of `ASSETS` and its type."""
ANSWERS = ("seat", "nickname", "vote")
"""What a phone may send to, below the code, while a reading room is open."""
BODY_SECONDS = 10.0
"""How long what a phone sends may take."""
BEAT_SECONDS = 10.0
"""Seconds of silence after which a phone is told that the line still holds."""
MOST_FOLLOWERS = 400
"""Phones that may follow at a time."""
DELAY_SECONDS = 1.0
"""How long whoever brings a wrong code waits for the answer."""
MOST_DELAYED = 20
"""How many wait so at a time; those beyond are told at once to come back later."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "cross-origin-resource-policy": "same-origin",
    # One request for a connection: nobody holds one open between two.
    "connection": "close",
}
NOTHING = N_("There is nothing here.")
NOT_COUNTED = {
    400: N_("This is no answer."),
    403: N_("This phone has no seat any more. Load the page again."),
    409: N_("This image is not asked about any more."),
    503: N_("There is no room for more phones."),
}
"""Status -> why an answer is not counted."""
_CODE = re.compile(r"/([A-Za-z0-9_-]+)(?:/(.*))?", re.DOTALL)


@dataclass
class Shown:
    """The slide that was published last.

    Args:
        event: It as a server-sent event, the same bytes for everybody.
        images: Digest -> PNG file of each of its images.
        number: Grows with every slide.
    """

    event: bytes = b""
    images: Mapping[str, bytes] = field(default_factory=dict)
    number: int = 0


class Application:
    """ASGI application of one opened audience address.

    Args:
        code: The secret part of every path.
        hosts: Host headers that are right, as `name:port`; see `host_and_port`.
        origins: Origin headers that are right.
        records: Of a reading room, see `BallotBox`; one that was there goes on.
    """

    def __init__(
        self,
        code: str,
        hosts: Collection[str],
        origins: Collection[str],
        records: BallotRecords | None = None,
    ) -> None:
        self.code = code
        self.hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(origin.lower() for origin in origins)
        self.shown = Shown()
        self.records = records
        self.box: BallotBox | None = None
        if records is not None and records.question() is not None:
            self.box = BallotBox(records)
        self.followers = 0
        self.wrong_codes = 0
        self._delayed = 0
        self._news = asyncio.Event()
        self._ended = False
        # Read once: no path that is asked for ever reaches the file system.
        self._template = Template(_asset("audience.html").decode())
        self._files = {
            path: (_asset(name), kind) for path, (name, kind) in FILES.items()
        }

    def show(
        self,
        slide: Mapping[str, Any],
        images: Mapping[str, bytes],
        ballot: Ballot | None = None,
    ) -> None:
        """Shows a slide to everybody; to be called in the server's own thread.

        Args:
            slide: As from `Slide.facts`.
            images: Digest -> PNG file of its images; all others are forgotten.
            ballot: What is asked about it; with the first one phones may answer.
        """
        if ballot is not None and self.box is None:
            self.box = BallotBox(self.records)
        if self.box is not None:
            self.box.ask(ballot)
        facts = {**slide, "ballot": ballot.facts()} if ballot else slide
        text = json.dumps(facts, separators=(",", ":"), ensure_ascii=True)
        self.shown = Shown(
            f"event: slide\ndata: {text}\n\n".encode(), images, self.shown.number + 1
        )
        self._tell()

    def end(self) -> None:
        """Tells everybody that it is over, and lets their connections end."""
        self._ended = True
        self._tell()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI asks."""
        if scope["type"] != "http":
            # Asked for no socket, this server speaks none.
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        # What the page itself says is in the phone's language; slides come in that of
        # the presenter.
        with speaking(preferred_language(headers.get("accept-language", ""))):
            response = await self._response(scope, headers, receive)
        if response is None:
            await self._follow(receive, send)
        else:
            await response(scope, receive, send)

    async def _response(
        self, scope: Scope, headers: Headers, receive: Receive
    ) -> Response | None:
        """What answers a request; None where the phone may follow the slides."""
        match = _CODE.fullmatch(scope["raw_path"].decode("latin-1"))
        answers = self.box is not None and match is not None and match[2] in ANSWERS
        response = self._refusal(scope, headers, answers)
        if response is not None:
            return response
        if match is None:
            return refusal(404, _(NOTHING))
        if not hmac.compare_digest(match[1], self.code):
            return await self._wrong_code()
        # Messengers add parameters to a link that is sent on; the page has none.
        if scope["query_string"] and match[2]:
            return refusal(404, _(NOTHING))
        if scope["method"] == "POST":
            return await self._count(match[2], receive)
        if match[2] != "events":
            return self._page(match[2])
        if self.followers < MOST_FOLLOWERS:
            return None
        return refusal(503, _("There is no room for more followers."))

    async def _count(self, path: str, receive: Receive) -> Response:
        """Answers a phone that takes its seat, or votes."""
        assert self.box is not None
        try:
            body = await asyncio.wait_for(_body(receive), BODY_SECONDS)
            if path == "seat":
                return JSONResponse(self.box.take_seat(body), headers=HEADERS)
            if path == "nickname":
                return JSONResponse(self.box.take_nickname(body), headers=HEADERS)
            self.box.vote(body)
        except Refused as refused:
            return refusal(refused.status, _(NOT_COUNTED[refused.status]))
        except asyncio.TimeoutError:
            return refusal(408, _(NOT_COUNTED[400]))
        return Response(status_code=204, headers=HEADERS)

    def _refusal(
        self, scope: Scope, headers: Headers, answers: bool
    ) -> Response | None:
        """Why a request is refused whatever it asks for; None if it is not.

        Args:
            scope: The request.
            headers: Its headers.
            answers: Whether a phone may send to its path.
        """
        posted = answers and scope["method"] == "POST"
        if scope["method"] != "GET" and not posted:
            response = refusal(405, _("This address can only be read."))
            response.headers["allow"] = "GET"
            return response
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or host_and_port(hosts[0], "http") not in self.hosts:
            return refusal(
                400,
                _(
                    "This is not the address that was opened. Behind a proxy, "
                    "MEDMODEL_AUDIENCE_URL must name the proxy's address."
                ),
            )
        if any(origin.lower() not in self.origins for origin in origins):
            return refusal(403, _("This request comes from a page of another server."))
        if posted and (not origins or _media_type(headers) != "application/json"):
            # Every browser names where a message comes from.
            return refusal(400, _(NOT_COUNTED[400]))
        sent = not posted and headers.get("content-length", "0") != "0"
        if sent or "transfer-encoding" in headers or "upgrade" in headers:
            return refusal(400, _("This address takes no message and opens no socket."))
        return None

    async def _wrong_code(self) -> Response:
        self.wrong_codes += 1
        if self._delayed >= MOST_DELAYED:
            return refusal(429, _("Too many wrong codes: try again later."))
        self._delayed += 1
        try:
            await asyncio.sleep(DELAY_SECONDS)
        finally:
            self._delayed -= 1
        return refusal(404, _(NOTHING))

    def _page(self, path: str | None) -> Response:
        if path is None:  # the link without its last stroke
            return RedirectResponse(f"{self.code}/", 308, HEADERS)
        if path == "":
            return Response(self._html(), headers=HEADERS, media_type="text/html")
        if path in self._files:
            content, kind = self._files[path]
            return Response(content, headers=HEADERS, media_type=kind)
        folder, _slash, digest = path.partition("/")
        if folder == "image" and digest in self.shown.images:
            png = self.shown.images[digest]
            return Response(png, headers=HEADERS, media_type="image/png")
        return refusal(404, _(NOTHING))

    def _html(self) -> str:
        """The page in the present language; its script finds its texts in it."""
        texts = {name: html.escape(text) for name, text in page_texts().items()}
        return self._template.substitute(texts)

    async def _follow(self, receive: Receive, send: Send) -> None:
        """Server-sent events (HTML 9.2): the slide, then each that follows it.

        A phone that is slow gets the newest slide next, never a queue of old ones.
        """
        kind = {"content-type": "text/event-stream; charset=utf-8"}
        headers = [(k.encode(), v.encode()) for k, v in (HEADERS | kind).items()]
        gone: asyncio.Future[Any] = asyncio.ensure_future(_until_gone(receive))
        self.followers += 1
        try:
            await send(
                {"type": "http.response.start", "status": 200, "headers": headers}
            )
            await self._send_events(send, gone)
        finally:
            self.followers -= 1
            gone.cancel()

    async def _send_events(self, send: Send, gone: asyncio.Future[Any]) -> None:
        number = -1
        while not (self._ended or gone.done()):
            news = self._news
            if number != self.shown.number:
                number, event = self.shown.number, self.shown.event
            else:
                event = b"event: beat\ndata:\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})
            if number == self.shown.number and not self._ended:
                await _wait(news, gone)
        last = b"event: end\ndata:\n\n"
        await send({"type": "http.response.body", "body": last, "more_body": False})

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def page_texts() -> dict[str, str]:
    """Name in `assets/audience.html` -> what stands there in the present language."""
    return {
        "lang": present_language().replace("_", "-"),
        "waiting": _("What the presenter shows will appear here."),
        "noscript": _(
            "This page follows the presenter with JavaScript, which is switched off "
            "here."
        ),
        "clinical": _("Not for clinical use."),
        "research": _("Research and teaching only."),
        "ended": _("The presenter has ended the presentation."),
        "unreachable": _(
            "The presentation cannot be reached any more. Scan the code again."
        ),
        "lost": _("Connection lost, trying again…"),
        "nickname": _("Nickname (optional)"),
        "shown_to": _("Only the presenter sees it; it is forgotten with the room."),
        "saved": _("Saved. Only the presenter sees it; it is forgotten with the room."),
        "longest": str(MOST_LETTERS),
        "save": _("Save"),
        "question": _("What do you see?"),
        "confidence": _("Confidence"),
        "send": _("Send"),
        "sending": _("Sending…"),
        "sent": _("Your answer is counted. You may change it until the reveal."),
        "closed": _("No more answers."),
        "yours": _("Your answer"),
        "change": _("Change"),
        "unanswered": _("You did not answer."),
        "retry": _("Not sent. Try again."),
    }


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(receive: Receive) -> bytes:
    """What a phone sent.

    Raises:
        Refused: It is longer than any answer, or the phone has gone.
    """
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if message["type"] == "http.disconnect" or len(body) > LONGEST_BODY:
            raise Refused(400)
    return body


def _asset(name: str) -> bytes:
    return (ASSETS / name).read_bytes()


def refusal(status: int, sentence: str) -> Response:
    """A refusal in one sentence."""
    return Response(sentence, status, HEADERS, "text/plain")


def host_and_port(host: str, scheme: str) -> str:
    """A Host header in lower case with its port, also where that is the usual one."""
    usual = {"http": 80, "https": 443}[scheme]
    name = host.lower()
    return name if re.search(r":\d+$", name) else f"{name}:{usual}"


async def _wait(news: asyncio.Event, gone: asyncio.Future[Any]) -> None:
    waiting: asyncio.Future[Any] = asyncio.ensure_future(news.wait())
    await asyncio.wait(
        {waiting, gone}, timeout=BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    waiting.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
