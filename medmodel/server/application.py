"""Web server beside Streamlit's pages: routes, guards, background work.

* `/live/{run}`: a WebSocket that pushes a run's new points to everybody who watches.
* `/vendor/plotly.js`: Plotly's script as shipped in its Python package.
* `/upload/{ticket}`: takes a file of a data set, in pieces, see `uploads`.
* `/healthz`: whether the process answers.
* A guard around all of them and around Streamlit's own, see `guard`.
* The scripts of widgets, named in Streamlit's page, see `preload`.
* At the start: a line that says where it listens, and one for the workspace.
* In the background: the sample data set, a warm worker and predictor, the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from medmodel.core.environment import REPOSITORY, workspace_root
from medmodel.core.errors import RunError
from medmodel.language import LANGUAGES, SOURCE, speaking
from medmodel.runs import queue, run_index, trash
from medmodel.runs.progress.live import POINTS, Feed, Position
from medmodel.runs.run import BATCHES
from medmodel.runs.run_store import RunStore
from medmodel.server.guard import Guard, package_folder
from medmodel.server.preload import Preload

log = logging.getLogger("medmodel.server")
LOOK_EVERY = 0.15
"""Seconds between two looks at a run that is watched and at work."""
MOST_TEXTS = 64
"""Messages of one run that are kept, for viewers that stand at the same position."""
FIRST_PAGE = 3.0
"""Seconds after the start that belong to the first page alone."""
QUEUE_EVERY = 2.0
"""Seconds between two looks at the queue."""
_LOOKS_PER_CLEANING = 1800
"""Looks at the queue between two at the trash: an hour."""


def routes() -> list[BaseRoute]:
    """Our own addresses beside Streamlit's."""
    return [
        WebSocketRoute("/live/{run}", live),
        Route("/vendor/plotly.js", plotly_script),
        Route("/upload/{ticket}", upload, methods=["PUT"]),
        Route("/healthz", health),
    ]


def middleware(
    allowed_hosts: Sequence[str] = (), allowed_origins: Sequence[str] = ()
) -> list[Middleware]:
    """Guards around every answer, see `guard.Guard`, and `preload.Preload`."""
    return [
        Middleware(
            Guard,
            allowed_hosts=tuple(allowed_hosts),
            allowed_origins=tuple(allowed_origins),
        ),
        Middleware(Preload),
    ]


async def health(request: Request) -> Response:
    """Answers `{"status": "ok"}`."""
    return JSONResponse({"status": "ok"})


async def upload(request: Request) -> Response:
    """A file of a data set, see `uploads.put`."""
    # The server listens the sooner for not reading here what decodes images.
    from medmodel.server import uploads

    return await uploads.put(request)


async def plotly_script(request: Request) -> Response:
    """Plotly's script; its address carries the version, so it is kept for long."""
    path = package_folder("plotly") / "package_data" / "plotly.min.js"
    return FileResponse(
        path,
        media_type="text/javascript",
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )


# --- watching ------------------------------------------------------------------------


class Watch:
    """One run's feed and the task that keeps it up to date while somebody watches."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.viewers = 0
        self.news = asyncio.Event()
        self.task = asyncio.create_task(self._follow())
        self._texts: dict[tuple[Position, str], str] = {}

    async def _follow(self) -> None:
        while True:
            if await asyncio.to_thread(self._look):
                self._texts.clear()
                self.news.set()
                self.news = asyncio.Event()
            await asyncio.sleep(LOOK_EVERY if self.feed.active else 1.0)

    def _look(self) -> bool:
        try:
            return self.feed.poll()
        except Exception:
            # Whoever watches keeps what is shown; the next look may succeed.
            log.exception("Could not read the run %s", self.feed.run.id)
            return False

    def text(self, position: Position, language: str) -> str:
        """The message for a viewer there, made once for all that stand there."""
        key = position, language if language in LANGUAGES else SOURCE
        if key not in self._texts:
            if len(self._texts) >= MOST_TEXTS:  # viewers may say anything
                self._texts.clear()
            with speaking(language):
                self._texts[key] = self.feed.message(position)
        return self._texts[key]


_watches: dict[str, Watch] = {}


@contextlib.asynccontextmanager
async def watching(feed: Feed) -> AsyncIterator[Watch]:
    """The one `Watch` of this run, shared; ends with the last of its viewers."""
    name = str(feed.run.folder)
    if name not in _watches:
        await asyncio.to_thread(feed.poll)
    watch = _watches.get(name)
    if watch is None:
        watch = _watches[name] = Watch(feed)
    watch.viewers += 1
    try:
        yield watch
    finally:
        watch.viewers -= 1
        if not watch.viewers:
            watch.task.cancel()
            _watches.pop(name, None)


async def live(websocket: WebSocket) -> None:
    """Sends what the viewer lacks of a run, then what is new, until it goes away."""
    store = RunStore()
    try:
        run = store.get(websocket.path_params["run"])
    except RunError:
        # Accepted first: a browser tells a refused handshake from a lost line by code.
        await websocket.accept()
        await websocket.close(4404)
        return
    await websocket.accept()
    position = Position.parse(websocket.query_params.get("have", ""))
    async with watching(Feed(run, store)) as watch:
        gone = asyncio.create_task(_until_gone(websocket))
        try:
            await _push(websocket, watch, position, gone)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the viewer left while we were sending
        finally:
            gone.cancel()


async def _push(
    websocket: WebSocket, watch: Watch, position: Position, gone: asyncio.Task[None]
) -> None:
    extended = 0
    # Else the status is told as it is kept, in English.
    language = websocket.query_params.get("lang", SOURCE)
    while not gone.done():
        news = watch.news
        feed = watch.feed
        if position != feed.position:
            extended += len(feed.steps) - position.steps
            if extended > 2 * POINTS and position.key == feed.key:
                # So many points were added one by one: send the curve thinned anew.
                position, extended = Position(status=position.status), 0
            text = watch.text(position, language)
            position = feed.position
            await websocket.send_text(text)
        if watch.news is news:
            waiting = asyncio.create_task(news.wait())
            await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()


async def _until_gone(websocket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await websocket.receive_text()


# --- start and background ------------------------------------------------------------


def listening_message(
    address: str, port: int, base_path: str = "", tls: bool = False, taken_port: int = 0
) -> str:
    """Startup message: the URL on which the server listens.

    Args:
        address: The network address it is bound to; a wildcard or "" for all.
        port: The port it is bound to.
        base_path: Path of the first page.
        tls: Whether it speaks HTTPS.
        taken_port: The port that it would have, were it free; 0 where it got its own.
    """
    everywhere = address in ("", "0.0.0.0", "::")
    host = "localhost" if everywhere else f"[{address}]" if ":" in address else address
    path = f"/{base_path.strip('/')}".rstrip("/")
    start = f"Port {taken_port} is taken: " if taken_port else ""
    also = ", and on every other address of this machine" if everywhere else ""
    return (
        f"{start}MedModel listens on http{'s' * tls}://{host}:{port}{path}"
        f"{' instead' if taken_port else ''}{also}"
    )


@contextlib.asynccontextmanager
async def lifespan(app: Any, message: str = "") -> AsyncIterator[None]:
    """Says where it is, starts the background work and ends it with the server.

    Args:
        app: The application that is served.
        message: As from `listening_message`; "" where another program says it.
    """
    for line in filter(None, (message, f"Workspace: {workspace_root()}")):
        print(line, flush=True)  # noqa: T201
    # What is loaded now stays: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    task = asyncio.create_task(_background())
    try:
        yield
    finally:
        task.cancel()
        for watch in list(_watches.values()):
            watch.task.cancel()
        await asyncio.to_thread(_close_predictor)


async def _background() -> None:
    # The first page goes first: everything here may wait for it.
    await asyncio.sleep(FIRST_PAGE)
    await asyncio.to_thread(_attempt, _remove_leftovers)
    await asyncio.to_thread(_attempt, _draw_samples)
    await asyncio.to_thread(_attempt, _look_at_queue)
    await asyncio.to_thread(_attempt, _go_on_with_sweeps)
    await asyncio.to_thread(_attempt, _go_on_with_exports)
    await asyncio.to_thread(_attempt, _warm_predictor)
    await asyncio.to_thread(_attempt, _warm_sandbox)
    await asyncio.to_thread(_attempt, _warm_imports)
    for look in itertools.count(1):
        await asyncio.sleep(QUEUE_EVERY)
        await asyncio.to_thread(_attempt, _look_at_queue)
        if look % _LOOKS_PER_CLEANING == 0:
            await asyncio.to_thread(_attempt, _remove_expired)


def _attempt(step: Callable[[], None]) -> None:
    """Does one thing in the background; a failure is logged and ends only itself."""
    try:
        step()
    except Exception:
        log.exception("Background work failed: %s", step.__name__.strip("_"))


def _draw_samples() -> None:
    code = (
        "import os; os.nice(19)\n"
        "from medmodel.data.synthetic import draw_sample_unless_deleted\n"
        "draw_sample_unless_deleted()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def _remove_leftovers() -> None:
    from medmodel.data import importing
    from medmodel.model_import import task
    from medmodel.server import uploads

    RunStore().remove_leftovers()
    RunStore(place=BATCHES).remove_leftovers()
    importing.remove_leftovers()
    task.remove_leftovers()
    uploads.remove_abandoned()


def _remove_expired() -> None:
    trash.remove_expired(workspace_root())


def _look_at_queue() -> None:
    queue.ensure_worker(RunStore())


def _go_on_with_sweeps() -> None:
    from medmodel.sweeps.sweep import keep_going

    keep_going()


def _go_on_with_exports() -> None:
    from medmodel.export import mlflow_run

    mlflow_run.send_again(RunStore())


def _warm_predictor() -> None:
    from medmodel import predictor

    newest = [e for e in run_index.entries(RunStore()) if e.has_model]
    if newest:
        predictor.shared().warm(newest[0].run.id)


def _warm_sandbox() -> None:
    import numpy as np

    from medmodel.imaging import images
    from medmodel.imaging.untrusted import open_image

    # The first upload should not wait until a process has imported its decoders.
    open_image(images.png_bytes(np.zeros((64, 64, 1), np.uint8)))


def _close_predictor() -> None:
    from medmodel import predictor

    # It ends by itself when this process is gone: wait for it only so long.
    ending = threading.Thread(target=predictor.shared().close, daemon=True)
    ending.start()
    ending.join(2.0)


def _warm_imports() -> None:
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401
    import scipy.special  # noqa: F401

    # What the pages of results need, for whoever opens the first of them.
    from medmodel.reports import evaluation_html, evaluation_pdf, figures  # noqa: F401

    gc.collect()
    gc.freeze()
