"""A foreign model's files: which format they are, unpacked within limits."""

from __future__ import annotations

import functools
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from medmodel.core.errors import DataError
from medmodel.core.regular_files import open_regular
from medmodel.data.archives import zip_names, zip_reader
from medmodel.data.importing import copy_pieces
from medmodel.language import _
from medmodel.model_import.description import SourceFormat, read_labels

MOST_BYTES = 2 * 2**30
"""Of a model with all that belongs to it, packed or not."""
MOST_FILES = 2000
LARGEST_LABELS = 100_000
_LABEL_FILES = ("labels.txt", "classes.txt", "class_names.txt")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_SAVED_MODEL = "saved_model.pb"
_ENDINGS: dict[str, SourceFormat] = {
    ".keras": "keras",
    ".h5": "h5",
    ".hdf5": "h5",
    ".onnx": "onnx",
}


@dataclass(frozen=True)
class ModelSource:
    """A model's files on this server.

    Args:
        path: The file, or the folder of a SavedModel.
        format: By its content.
        labels: Names from a list beside it, empty without one.
    """

    path: Path
    format: SourceFormat
    labels: list[str]


def copy_in(files: list[tuple[str, Path]], place: Path) -> None:
    """Copies what was sent into a folder, a ZIP file unpacked.

    Args:
        files: (relative path as it was said, file).
        place: A new folder.

    Raises:
        DataError: It is too much, or a ZIP file cannot be unpacked.
        OSError: The disk is full or fails.
    """
    place.mkdir(parents=True)
    left = MOST_BYTES
    for name, path in files[: MOST_FILES + 1]:
        if path.is_symlink():
            raise DataError(_("{file} is a link: it is not followed.", file=path.name))
        with open_regular(path) as file:
            if name.lower().endswith(".zip"):
                left -= _unpack(file, name, place, left)
            else:
                left -= _write(
                    iter(functools.partial(file.read, 2**20), b""), place, name, left
                )
    if len(files) > MOST_FILES:
        raise _too_many()


def _unpack(file: IO[bytes], name: str, place: Path, room: int) -> int:
    archive = cast(BinaryIO, file)
    try:
        entries = zip_reader.read_entries(archive, MOST_FILES)
        names = zip_names.decode_names(entries)
        zip_reader.check_readable(entries, names)
        written = 0
        for path, entry in zip(names, entries, strict=True):
            pieces = zip_reader.content(archive, entry)
            written += _write(pieces, place, path, room - written)
    except zip_reader.TooManyEntries as error:
        raise _too_many() from error
    except zipfile.BadZipFile as error:
        raise DataError(
            _("{name} cannot be unpacked: {reason}.", name=name, reason=error)
        ) from error
    return written


def _write(pieces: Iterator[bytes], place: Path, name: str, room: int) -> int:
    """Writes one file below the folder, whatever its name says; returns its size."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    inside = [p for p in parts if p not in ("/", "..", ".") and "\0" not in p]
    target = place.joinpath(*inside[-6:])
    if not inside or target.exists():
        raise DataError(_("The name of a file in it cannot be used, or occurs twice."))
    return copy_pieces(pieces, target, room, _too_much)


def _too_much() -> DataError:
    return DataError(
        _(
            "This is more than {gigabytes:.0f} GB: a classifier of images is smaller.",
            gigabytes=MOST_BYTES / 2**30,
        )
    )


def find_model(place: Path) -> ModelSource:
    """The one model in a folder.

    Raises:
        DataError: There is none, or more than one, or it is of a format that is not
            read.
    """
    models = [
        (path.parent if path.name == _SAVED_MODEL else path)
        for path in sorted(place.rglob("*"))
        if path.is_file() and not path.is_symlink() and _is_model(path)
    ]
    if not models:
        raise DataError(_none_sentence(place))
    if len(models) > 1:
        raise DataError(
            _(
                "There is more than one model in it: {names}. Choose one.",
                names=", ".join(path.name for path in models[:5]),
            )
        )
    return ModelSource(models[0], format_of(models[0]), _labels(place))


def _is_model(path: Path) -> bool:
    return path.name == _SAVED_MODEL or path.suffix.lower() in _ENDINGS


def _none_sentence(place: Path) -> str:
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]
    endings = {path.suffix.lower() for path in files}
    if pickle := next((path for path in files if _is_pickle(path)), None):
        return _(
            "{file} is a pickle, which may run any program when it is opened: it is "
            "not read. Export the model as ONNX where it was trained.",
            file=pickle.name,
        )
    if ".tflite" in endings:
        return _(
            "LiteRT models are not read. Export the model as Keras or ONNX, from "
            "Teachable Machine as TensorFlow, Keras."
        )
    if ".json" in endings:
        return _(
            "There is no model that is read here. From Teachable Machine export it as "
            "TensorFlow, Keras: that gives keras_model.h5 and labels.txt."
        )
    return _(
        "There is no model in it: a .keras, .h5 or .onnx file, or the folder of a "
        "SavedModel."
    )


def _is_pickle(path: Path) -> bool:
    """Whether it is one by its name, or by its content where names say little.

    Weights of TensorFlow.js and of others end in .bin and .ckpt, too; PyTorch writes a
    ZIP file with a pickle in it, and wrote a bare pickle before.
    """
    ending = path.suffix.lower()
    if ending not in (".bin", ".ckpt"):
        return ending in (".pt", ".pth", ".pkl", ".pickle", ".joblib")
    with path.open("rb") as file:
        head = file.read(4)
    return head[:2] in _PICKLES or head == b"PK\x03\x04"


def format_of(path: Path) -> SourceFormat:
    """What a model's file is, by its content.

    Raises:
        DataError: It is not what its name says.
    """
    if path.is_dir():
        return "saved_model"
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_HDF5):
        return "h5"
    if head.startswith(b"PK\x03\x04"):
        return "keras"
    if head[:2] in _PICKLES:
        raise DataError(
            _(
                "{file} is a pickle, which may run any program when it is opened: it "
                "is not read.",
                file=path.name,
            )
        )
    # A message of protocol buffers has no mark of its own.
    if path.suffix.lower() == ".onnx":
        return "onnx"
    raise DataError(
        _("{file} is not what its name says, or it is damaged.", file=path.name)
    )


def _labels(place: Path) -> list[str]:
    """Names from the list beside the model; empty where there is none or more."""
    lists = [p for p in place.rglob("*.txt") if p.name.lower() in _LABEL_FILES]
    if len(lists) != 1 or lists[0].stat().st_size > LARGEST_LABELS:
        return []
    return read_labels(lists[0].read_text("utf-8-sig", "replace"))


def files_of(path: Path) -> list[tuple[str, Path]]:
    """What belongs to a model that lies on this machine, for `copy_in`.

    Files of a SavedModel's folder; of an ONNX file those beside it that begin with its
    name, where its weights may lie; and a list of labels beside it.

    Raises:
        DataError: It is another folder, which is not searched.
    """
    if path.is_dir():
        if not (path / _SAVED_MODEL).is_file():
            raise DataError(
                _(
                    "{folder} is not the folder of a SavedModel: it has no {file}. "
                    "Name the model's file.",
                    folder=path.name,
                    file=_SAVED_MODEL,
                )
            )
        return [
            (f"model/{f.relative_to(path).as_posix()}", f)
            for f in sorted(path.rglob("*"))
            if f.is_file()
        ]
    beside = [path.with_name(name) for name in _LABEL_FILES]
    if path.suffix.lower() == ".onnx":
        beside += sorted(path.parent.glob("*.data")) + sorted(
            path.parent.glob("*.onnx_data")
        )
    return [(file.name, file) for file in (path, *beside) if file.is_file()]


def remove(place: Path) -> None:
    """Removes what was copied in."""
    shutil.rmtree(place, ignore_errors=True)


def _too_many() -> DataError:
    return DataError(_("These are more than {most:,} files.", most=MOST_FILES))
