"""Download of a public data set in the background, only on request.

`python -m medmodel.data.fetching KEY SIZE`, in a process of its own, which outlives
pages. What came is kept when the line breaks off; asking again goes on from there. Only
a file with the published checksum is used.
"""

from __future__ import annotations

import http.client
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from medmodel.core.environment import workspace_root
from medmodel.core.errors import DataError
from medmodel.core.job import UNATTENDED, Job
from medmodel.core.processes.background import BackgroundTask, TaskState
from medmodel.core.regular_files import open_for_writing
from medmodel.data import importing
from medmodel.data.medmnist import SETS, SIZES, import_npz, md5_of
from medmodel.language import N_, _

_PIECE = 2**18
_SILENCE = 30.0
"""Seconds without a byte after which the line counts as broken."""


def start(key: str, size: int) -> None:
    """Starts the download of a set in the background, unless that is going on.

    Raises:
        DataError: There is no such set.
    """
    _task(key, size).start()


def state_of(key: str, size: int) -> TaskState:
    """How far it is; `folder` is the data set once it is finished.

    Raises:
        DataError: There is no such set.
    """
    return _task(key, size).state()


def _task(key: str, size: int) -> BackgroundTask:
    file = _place(key, size)
    return BackgroundTask(
        arguments=("medmodel.data.fetching", key, str(size)),
        state_path=file.with_suffix(".json"),
        lock_path=file.with_suffix(".lock"),
        log_path=file.with_suffix(".log"),
        interrupted=N_("It was interrupted. Start it again; it goes on where it was."),
        unusable=N_("It cannot be kept here"),
    )


def fetch(key: str, size: int, job: Job = UNATTENDED) -> Path:
    """Gets a set and writes it out as a data set.

    Args:
        key: Of `medmnist.SETS`.
        size: Height and width of its images, of `medmnist.SIZES`.
        job: Told ("fetching", bytes, all bytes), ("importing", images, all).

    Returns:
        The data set's folder.

    Raises:
        DataError: There is no internet, no room, or the file is not as published.
        OSError: The disk is full or fails.
    """
    file = _place(key, size)
    dataset = SETS[key]
    part = file.with_suffix(".part")
    importing.check_room(2 * dataset.most_bytes(size))
    _download(dataset.address(size), part, dataset.most_bytes(size), job)
    if md5_of(part) != dataset.md5[SIZES.index(size)]:
        part.unlink()
        raise DataError(
            _(
                "{name} does not have the published checksum: it was damaged or "
                "changed on the way and was thrown away. Try again later.",
                name=file.name,
            )
        )
    imported = import_npz(part, file.name, job)
    part.unlink()
    return imported.folder


def _download(address: str, part: Path, most: int, job: Job) -> None:
    """Gets the file, or what is missing of it.

    Raises:
        DataError: There is no internet, it is too large, or the line broke off.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"User-Agent": "MedModel"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    host = urllib.parse.urlsplit(address).hostname
    try:
        with urllib.request.urlopen(request, timeout=_SILENCE) as answer:
            goes_on = answer.status == 206
            have = have if goes_on else 0
            length = answer.headers.get("Content-Length", "")
            total = have + int(length) if length.isdigit() else 0
            if total > most:
                raise DataError(
                    _("{host} offers another file: it is larger than known.", host=host)
                )
            with open_for_writing(part.parent, part.name, append=goes_on) as file:
                while piece := answer.read(_PIECE):
                    have += len(piece)
                    if have > most:
                        raise DataError(
                            _("{host} sends more than the file can have.", host=host)
                        )
                    file.write(piece)
                    job.progress("fetching", have, total)
                    job.check()
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # all of it is here already
                return
            raise DataError(
                _(
                    "{host} does not give the file (answer {status}). Try again later, "
                    "or bring the file from elsewhere.",
                    host=host,
                    status=error.code,
                )
            ) from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DataError(_unreachable(str(host), have)) from error
    except http.client.HTTPException as error:
        raise DataError(_unreachable(str(host), have)) from error
    if total and have < total:
        raise DataError(_unreachable(str(host), have))


def _unreachable(host: str, have: int) -> str:
    if have:
        return _(
            "The line to {host} broke off after {megabytes:,.1f} MB, which are "
            "kept: start it again to go on.",
            host=host,
            megabytes=have / 1e6,
        )
    return _(
        "{host} cannot be reached: this server seems to have no internet. "
        "Get the file on another computer and bring it in as a file.",
        host=host,
    )


def _place(key: str, size: int) -> Path:
    """Where the file would lie; what belongs to it has other endings."""
    if key not in SETS or size not in SIZES:
        raise DataError(
            _("There is no public set {key!r} with {size} pixels.", key=key, size=size)
        )
    folder = workspace_root() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / SETS[key].file(size)


def main() -> None:
    """Gets the set named on the command line; its state file tells how it goes."""
    key, size = sys.argv[1], int(sys.argv[2])
    task = _task(key, size)
    task.run(lambda: task.write("finished", folder=str(fetch(key, size, task.job()))))


if __name__ == "__main__":
    main()
