"""Streamed uploads: from the browser to the disk in pieces, bounded, then let go.

Streamlit's own uploads lie in the server's memory. Ours go to `uploads` in the
workspace in pieces, under names of our own: what a file is called is kept beside it as
text and never used as a path. An upload belongs to a page that asked for a ticket; it
is removed when it is finished, when nobody has touched it for an hour, and, where the
process died that received it, when the next one looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from medmodel.audience.accept_language import preferred_language
from medmodel.core.environment import workspace_root
from medmodel.core.errors import DataError, os_reason
from medmodel.core.locks import Lock, locked
from medmodel.data import importing
from medmodel.language import N_, _, speaking
from medmodel.server.guard import FROM_OWN_PAGE

KEPT = 3600.0
"""Seconds after which an upload that nobody touches is removed."""
MOST_TICKETS = 200
_PIECE = 2**20
_DRAINED = 2**26
"""Bytes of a refused file that are taken for its answer to be read."""
_GONE = N_(
    "This upload is not open any more: reload the page and choose the files again."
)


@dataclass
class Upload:
    """What one page has sent so far.

    Args:
        folder: Where its files lie, `0`, `1`, ...
        lock: Held while this process has it.
        files: (relative path as the browser says, file), in the order of arrival.
        bytes: Of all files together, unfinished ones included.
        touched: When something last arrived, monotonic seconds.
        started: Files that have begun to arrive.
    """

    folder: Path
    lock: Lock
    files: list[tuple[str, Path]] = field(default_factory=list)
    bytes: int = 0
    touched: float = field(default_factory=time.monotonic)
    started: int = 0


_open: dict[str, Upload] = {}


def begin() -> str:
    """A ticket for one upload; nothing is written before the first byte arrives."""
    remove_abandoned()
    while len(_open) >= MOST_TICKETS:
        close(min(_open, key=lambda ticket: _open[ticket].touched))
    ticket = secrets.token_hex(16)
    folder = _home() / ticket
    _open[ticket] = Upload(folder, Lock(folder.with_suffix(".lock")))
    return ticket


def opened(ticket: str) -> Upload | None:
    """The upload with this ticket; None if it was closed."""
    upload = _open.get(ticket)
    if upload is not None:
        upload.touched = time.monotonic()
    return upload


def close(ticket: str) -> None:
    """Removes an upload and all of its files; harmless where there is none."""
    upload = _open.pop(ticket, None)
    if upload is not None:
        _remove(upload.folder)
        upload.lock.release()


def remove_abandoned() -> None:
    """Removes uploads that nobody touches, and those of processes that died."""
    for ticket, upload in list(_open.items()):
        if time.monotonic() - upload.touched > KEPT:
            close(ticket)
    if not _home().is_dir():
        return
    for lock in _home().glob("*.lock"):
        if lock.stem not in _open and not locked(lock):
            _remove(lock.with_suffix(""))


async def receive(ticket: str, name: str, pieces: AsyncIterator[bytes]) -> None:
    """Writes one file of an upload.

    Args:
        ticket: From `begin`.
        name: Relative path, as the browser says.
        pieces: Its content.

    Raises:
        DataError: There is no such upload, or it is too large.
        OSError: The disk is full or fails.
    """
    upload = opened(ticket)
    if upload is None:
        raise DataError(_(_GONE))
    if upload.started >= importing.MOST_FILES:
        raise DataError(
            _(
                "These are more than {most:,} files.",
                most=importing.MOST_FILES,
            )
        )
    if not upload.started:
        upload.lock.acquire()
        upload.folder.mkdir(parents=True)
    target = upload.folder / str(upload.started)
    upload.started += 1
    size = 0
    try:
        with target.open("xb") as file:
            async for piece in _gathered(pieces):
                size += len(piece)
                upload.bytes += len(piece)
                if upload.bytes > importing.MOST_BYTES:
                    raise importing.too_much()
                await asyncio.to_thread(_write, file, piece)
                if opened(ticket) is None:
                    raise DataError(_(_GONE))
    except BaseException:
        upload.bytes -= size
        target.unlink(missing_ok=True)
        raise
    upload.files.append((name, target))


async def put(request: Request) -> Response:
    """`PUT /upload/{ticket}`; what the page shows of the answer is in its language."""
    with speaking(preferred_language(request.headers.get("accept-language", ""))):
        return await _put(request)


async def _put(request: Request) -> Response:
    """`PUT /upload/{ticket}`, one file, its name in the header X-File-Name.

    Only a page from here may do so: browsers send the Origin with every PUT, and our
    header with none that another site's form could send.
    """
    file_name = request.headers.get("x-file-name")
    if file_name is None or not request.scope.get(FROM_OWN_PAGE):
        return JSONResponse({"error": _("Only pages of this server may upload.")}, 403)
    try:
        ticket = request.path_params["ticket"]
        await receive(ticket, unquote(file_name), request.stream())
    except DataError as error:
        await _drain(request)
        return JSONResponse({"error": str(error)}, 413)
    except OSError as error:
        message = _("It cannot be kept here: {reason}.", reason=os_reason(error))
        return JSONResponse({"error": message}, 507)
    except ClientDisconnect:
        return Response(status_code=499)
    return JSONResponse({"ok": True})


async def _drain(request: Request) -> None:
    """Takes what is still on its way, and forgets it.

    Who is still sending when the connection ends, be it a browser or a proxy, never
    reads the answer that says why.
    """
    size = 0
    with contextlib.suppress(ClientDisconnect, RuntimeError):
        async for piece in request.stream():
            size += len(piece)
            if size > _DRAINED:
                return


async def _gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of about a megabyte."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        if len(buffer) >= _PIECE:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _write(file: IO[bytes], piece: bytes) -> None:
    importing.check_room(len(piece))
    file.write(piece)


def _home() -> Path:
    return workspace_root() / "uploads"


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)
