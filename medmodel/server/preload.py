"""What is added to the head of Streamlit's page, so that nothing jumps.

Streamlit asks for a widget's script only when the widget is to be drawn: a bar of one
line stands there until it has come, and all that is below moves when it is replaced.
And it draws the page before the menu beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medmodel.server.guard import package_folder

WIDGETS = (
    *("BidiComponent", "Button", "ButtonGroup", "Checkbox", "DownloadButton"),
    *("FileUploader", "Html", "ImageList", "Metric", "Multiselect", "NumberInput"),
    *("PageLink", "Progress", "Radio", "Selectbox", "Slider", "TextInput"),
)
"""What stands on the pages' first screens; charts and tables are ten times as large."""
FIRST_PAGE_WIDGETS = ("BidiComponent", "Button", "ButtonGroup", "Html", "PageLink")
"""What stands on the page without a path, which is seen first: 60 scripts more would
hold it up for half a second."""
HOLD_STILL = b"""<style>
#root {
  visibility: hidden;
  transition: visibility 0s 99999s;
  animation: 0s 8s forwards show-page;
}
#root:has(h1, [role="alert"], [role="dialog"]) {
  animation: 0s 3s forwards show-unfinished-page;
}
#root:has(h1, [role="alert"], [role="dialog"]):not(:has([data-testid="stSkeleton"])) {
  visibility: visible;
  transition-delay: 0.25s;
}
@keyframes show-page { to { visibility: visible; } }
@keyframes show-unfinished-page { to { visibility: visible; } }
#root [data-testid="stMarkdown"] > div,
#root [data-testid="stWidgetLabel"],
#root [data-testid="stMetricLabel"] {
  visibility: inherit;
}
.st-key-disclaimer {
  position: absolute !important;
}
</style>
"""
"""Shows nothing until the page has a heading, for eight seconds at most, and then until
none of its parts is a placeholder any more, for three more at most.

By then the menu has its place: Streamlit draws the page over the whole width first and
moves it aside when the menu comes, a layout shift of a fifth of the window; a widget, a
chart or a table that takes the place of its placeholder moves all below it. In the
quarter of a second after the last one all find their places unseen. The endless
transition keeps what was shown once: a change of page leaves none for a moment. The
last rule but one is for texts that Streamlit makes visible whatever they lie in. The
last takes no room above the title for the line that is drawn before every page.
"""
_IMPORT = re.compile(r"""(?:from|import)\s*["'`]\./([\w.-]+\.js)["'`]""")
_ENDS_HEAD = b"</head>"
# A page from the cache, or a compressed one, could not be added to.
_UNWANTED = {b"accept-encoding", b"if-none-match", b"if-modified-since"}
_OF_FILE = ("etag", "last-modified")


def scripts_of_widgets(folder: Path, widgets: Sequence[str] = WIDGETS) -> list[str]:
    """Names of the widgets' scripts and of all that they import.

    Args:
        folder: Streamlit's scripts. Of a version that names them otherwise there are
            none: its pages work, and jump.
        widgets: Streamlit's names of them.
    """
    waiting = [path.name for name in widgets for path in folder.glob(f"{name}.*.js")]
    names: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        path = folder / name
        if name not in names and path.is_file():
            names[name] = None
            waiting += _IMPORT.findall(path.read_text(encoding="utf-8"))
    return sorted(names)


@lru_cache
def preload_tags(widgets: Sequence[str] = WIDGETS) -> bytes:
    """A `<link rel="modulepreload">` for each script that the page does not name."""
    static = package_folder("streamlit") / "static"
    page = (static / "index.html").read_text(encoding="utf-8")
    names = scripts_of_widgets(static / "static" / "js", widgets)
    tags = [
        f'<link rel="modulepreload" crossorigin href="./static/js/{name}">\n'
        for name in names
        if name not in page
    ]
    return "".join(tags).encode()


class Preload:
    """Adds `preload_tags` and `HOLD_STILL` to every HTML page that a browser asks for.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or connection, as ASGI asks."""
        asked = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if scope.get("method") != "GET" or "text/html" not in asked.get("accept", ""):
            return await self.app(scope, receive, send)
        headers = [x for x in scope["headers"] if x[0] not in _UNWANTED]
        first = scope["path"].endswith("/")
        answer = _Answer(send, FIRST_PAGE_WIDGETS if first else WIDGETS)
        await self.app({**scope, "headers": headers}, receive, answer.take)


class _Answer:
    """Holds an HTML page back until it is whole; passes anything else on."""

    def __init__(self, send: Send, widgets: Sequence[str]) -> None:
        self.send = send
        self.widgets = widgets
        self.start: Message | None = None
        self.body = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if kind.startswith("text/html"):
                self.start = message
                return
        if self.start is None or message["type"] != "http.response.body":
            await self.send(message)
            return
        self.body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._send_page(self.start)

    async def _send_page(self, start: Message) -> None:
        tags = preload_tags(self.widgets)
        page = self.body.replace(_ENDS_HEAD, tags + HOLD_STILL + _ENDS_HEAD, 1)
        headers = MutableHeaders(raw=list(start["headers"]))
        for name in _OF_FILE:
            del headers[name]
        headers["content-length"] = str(len(page))
        await self.send({**start, "headers": headers.raw})
        await self.send({"type": "http.response.body", "body": page})
