"""Atomic files (JSON, CSV): readers see the old content or the new, never half."""

from __future__ import annotations

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeVar

from medmodel.core.errors import (
    DECODER_ERRORS,
    NPY_HEADER_ERRORS,
    FileError,
    os_reason,
    storage_fault,
)
from medmodel.core.regular_files import open_beneath, open_for_writing, open_regular
from medmodel.language import _

if TYPE_CHECKING:
    import numpy as np

MOST_JSON_BYTES = 256 << 20
"""No JSON file that this program writes comes near: larger ones are not read."""
LITTLE_SPACE = 2e9
"""Bytes free on a disk below which people are warned."""
_LONGEST_LINE = 2**16
_BLOCK_BYTES = 4 << 20
_OF_ONE_FILE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EIO)
"""Errors that may concern a single file, while its disk works."""
Content = TypeVar("Content")


@contextlib.contextmanager
def renaming(
    path: Path,
    temporary: Path | None = None,
    rename: Callable[[Path, Path], object] = os.replace,
) -> Iterator[Path]:
    """Names a temporary file that takes the name `path` when the block succeeds.

    If the block fails, the temporary file is removed and `path` stays as it was.

    Args:
        path: The file's name.
        temporary: In the same folder. By default the name depends on `path` alone and
            ends as it does: for files that one process writes at a time.
        rename: Gives the finished file its name.

    Raises:
        OSError: The disk is full or fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary or path.with_name(f".new-{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Opens a temporary file of its own that takes the name `path`, see `renaming`."""
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "")
    with (
        renaming(path, unique_name(path)) as temporary,
        temporary.open(mode, encoding=encoding, newline=newline) as file,
    ):
        yield file


def unique_name(path: Path) -> Path:
    """Name of a hidden file beside another that no other process chooses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def remove_temporaries(folder: Path, names: Iterable[str]) -> None:
    """Removes what a process left that was killed while it wrote files of these names.

    Args:
        folder: Where they are.
        names: Of files that nobody writes at this moment.
    """
    names = set(names)
    for path in folder.glob(".*"):
        if path.name.removeprefix(".new-") in names or path.stem[1:] in names:
            path.unlink(missing_ok=True)


def write_json(path: Path, values: Any) -> None:
    """Writes plain values and dataclasses as readable JSON, wholly or not at all."""
    with replacing(path) as file:
        json.dump(values, file, indent=2, ensure_ascii=False, default=asdict)


def read_bytes(path: Path, most: int, root: Path | None = None) -> bytes | None:
    """The content of a file of the workspace; None if there is no such file.

    Args:
        path: The file.
        most: Bytes above which it is not one of ours.
        root: A folder above it, below which no folder may be a link either.

    Raises:
        FileError: It is a link, a folder or a pipe, is too large or cannot be read.
    """
    try:
        opened = (
            open_beneath(root, str(path.relative_to(root)))
            if root
            else open_regular(path)
        )
        with opened as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise FileError(
                    _(
                        "{path} is damaged: it has {size:,} bytes. Restore it from a "
                        "backup, or remove it.",
                        path=path,
                        size=size,
                    )
                )
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> FileError:
    """The error of a file that cannot be opened, with its name and what to do."""
    fault = storage_fault(error)
    if fault is not None and error.errno not in _OF_ONE_FILE:
        return FileError(
            _(
                "{path} cannot be read: {what}. To do: {advice}.",
                path=path,
                what=_(fault.what),
                advice=_(fault.advice),
            )
        )
    return FileError(
        _(
            "{path} cannot be read: {reason}. Restore it from a backup, or "
            "see whose it is, and who may read it.",
            path=path,
            reason=os_reason(error),
        )
    )


def damaged(path: Path, reason: object = "") -> FileError:
    """The error of a file whose content is not what was written.

    Args:
        path: The file.
        reason: What is wrong, if that helps.
    """
    if not str(reason):
        return FileError(
            _("{path} is damaged: restore it from a backup, or remove it.", path=path)
        )
    return FileError(
        _(
            "{path} is damaged ({reason}): restore it from a backup, or remove it.",
            path=path,
            reason=reason,
        )
    )


def set_aside(path: Path) -> Path:
    """Renames a damaged file, which somebody may mend; returns its new name.

    Raises:
        OSError: The disk fails.
    """
    place = path.with_name(f"{path.name}.damaged")
    number = 1
    while os.path.lexists(place):
        number += 1
        place = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(place)
    return place


def set_irregular_aside(path: Path) -> None:
    """Makes room where a link, a folder or a pipe is in the place of a file.

    Raises:
        OSError: The disk fails.
    """
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        set_aside(path)


def open_log(root: Path, relative: str, append: bool = False) -> IO[bytes]:
    """Opens a file for what a process prints, as `open_for_writing` does.

    A link, a folder or a pipe in its place is set aside: nothing shall depend on a log.

    Raises:
        OSError: A folder on the way is a link, or the disk is full or fails.
    """
    set_irregular_aside(root / relative)
    return open_for_writing(root, relative, append)


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if there is no such file.

    Raises:
        FileError: It is no JSON, or cannot be read.
    """
    content = read_bytes(path, MOST_JSON_BYTES)
    if content is None:
        return None
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(path) from error


def read_as(path: Path, kind: type[Content]) -> Content | None:
    """The content of a JSON file as a dataclass; None if there is no such file.

    Keys that only newer versions know are ignored. What is returned may keep defaults
    in its class alone: `dataclasses.asdict` knows all of its fields, `vars` does not.

    Raises:
        FileError: It is no JSON, or a value is missing, of another type, or a word
            that this version does not know.
    """
    import msgspec  # here: processes that decode images read no such file

    values = read_json(path)
    if values is None and not os.path.lexists(path):
        return None
    try:
        return msgspec.convert(values, kind)
    except ValueError as error:
        if "enum value" in str(error):
            raise FileError(
                _(
                    "{path} was written by another version of MedModel ({error}): open "
                    "it with that version. If there is none, it is damaged: restore it "
                    "from a backup.",
                    path=path,
                    error=error,
                )
            ) from error
        raise damaged(path, error) from error


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as a CSV file holds them, below their header; without one if it is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([*([header] if header else []), *rows])
    return text.getvalue()


def map_array(
    path: Path, shape: tuple[int, ...], dtype: str, mode: Literal["r", "r+"] = "r"
) -> np.memmap:
    """Maps a .npy file into memory.

    Args:
        path: The file.
        shape: Of the array that it is to hold; not empty.
        dtype: Of its numbers.
        mode: Whether it may be written.

    Raises:
        FileError: It is missing, or holds anything else.
    """
    import numpy as np  # here: many processes read no arrays

    try:
        array = np.lib.format.open_memmap(path, mode=mode)
    except (*DECODER_ERRORS, *NPY_HEADER_ERRORS) as error:
        raise damaged(path, _("it is no array")) from error
    if (array.shape, array.dtype) != (shape, dtype):
        raise damaged(path, _("it is another array"))
    return array


def file_digest(path: Path, each_block: Callable[[], object] = bool) -> str:
    """SHA-256 of a file's content, hexadecimal.

    Args:
        path: The file.
        each_block: Called before every block of 4 MB; what it raises ends the reading.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while block := file.read(_BLOCK_BYTES):
            each_block()
            digest.update(block)
    return digest.hexdigest()


def read_if_whole(path: Path, kind: type[Content]) -> Content | None:
    """As `read_as`, but None for a damaged file too: of what can be made again."""
    try:
        return read_as(path, kind)
    except FileError:
        return None


def write_rows(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Writes a CSV file, wholly or not at all."""
    with replacing(path) as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def append_rows(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Adds rows to a CSV file, all of them or none; a new file begins with the header.

    Half a line at its end, as a machine leaves it that goes down, is cut off.

    Raises:
        OSError: The disk is full or fails; the file ends as it did.
    """
    opened = open_for_writing(path.parent, path.name, append=True, buffering=0)
    with opened as file:
        start = _end_of_lines(file)
        file.truncate(start)
        data = csv_text([] if start else header, rows).encode()
        try:
            # A disk writes what it has room for, and says only then what is wrong.
            while data:
                data = data[file.write(data) :]
        except OSError as error:
            file.truncate(start)  # Readers must never see half a line.
            raise OSError(error.errno, error.strerror, str(path)) from error


def _end_of_lines(file: IO[bytes]) -> int:
    """Where the last whole line of a file ends."""
    end = file.seek(0, os.SEEK_END)
    start = max(end - _LONGEST_LINE, 0)
    file.seek(max(end - 1, 0))
    if not end or file.read(1) == b"\n":
        return end
    file.seek(start)
    return start + file.read().rfind(b"\n") + 1


def newer(path: Path, other: Path) -> bool:
    """Whether `path` exists and was written after the existing file `other`."""
    try:
        return path.stat().st_mtime_ns > other.stat().st_mtime_ns
    except FileNotFoundError:
        return False
