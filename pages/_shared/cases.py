"""Pictures that somebody brought to Diagnose: kept in memory, never on disk.

A name is text to show, never a path.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from medmodel import folders
from medmodel.config import Preprocessing
from medmodel.errors import DataError, ImageError
from medmodel.evaluation import read_predictions
from medmodel.images import (
    Pixels,
    decode,
    pixel_digest,
    png_bytes,
    prepare_image,
    thumbnail,
)
from medmodel.plots import framed
from medmodel.runs import Run

MOST_IMAGES = 200
_THUMBNAIL = 80


@dataclass(frozen=True)
class Case:
    """One picture that could be read.

    Args:
        key: Tells it from the others of this session.
        name: What its owner calls it.
        source: The file's content.
        digest: Equal for equal pixels.
        about: Size and format, for the caption.
        preview: A PNG of at most 80 pixels as a data URI.
        label: Its class where that is known, else "".
        prepared: What models see, by preprocessing.
    """

    key: str
    name: str
    source: bytes
    digest: str
    about: str
    preview: str
    label: str = ""
    prepared: dict[Preprocessing, Pixels] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """One file that could not be read, and why in one sentence with its name."""

    key: str
    name: str
    reason: str


def uploaded(files: Sequence[UploadedFile], first: Preprocessing) -> list[Case]:
    """The pictures among the uploaded files; refused ones are told on the page.

    Each file is decoded once per session.

    Args:
        files: What the upload widget holds.
        first: The preprocessing that is certainly asked for.
    """
    known = st.session_state.get("cases", {})
    new = [file for file in files if file.file_id not in known]
    bar = st.progress(0.0) if len(new) > 10 else None
    for done, file in enumerate(new):
        if bar:
            bar.progress(done / len(new), f"Reading picture {done + 1} of {len(new)}")
        known[file.file_id] = _read(file.file_id, file.name, file.getvalue(), first)
    if bar:
        bar.empty()
    # What was taken back by its owner is forgotten.
    kept = {file.file_id: known[file.file_id] for file in files}
    st.session_state["cases"] = kept
    return [case for case in kept.values() if isinstance(case, Case)]


def refused() -> list[Refused]:
    """The uploaded files that could not be read."""
    known = st.session_state.get("cases", {})
    return [case for case in known.values() if isinstance(case, Refused)]


def test_samples(run: Run, first: Preprocessing, count: int = 3) -> list[Case]:
    """A few images of the run's own test split, of different classes, by chance.

    Raises:
        MedModelError: The predictions or the data set cannot be read any more.
    """
    key = f"samples-{run.id}"
    if key not in st.session_state:
        table = read_predictions(run)
        tested = table[table["split"] == "test"].sample(frac=1, random_state=0)
        different = tested.groupby("label", sort=False).head(1)
        rest = tested.drop(different.index)
        rows = [*different.itertuples(), *rest.itertuples()][:count]
        folder = folders.safe_folder(run.config.dataset)
        st.session_state[key] = [
            _sample(folder / str(row.path), str(row.label), first) for row in rows
        ]
    found: list[Case] = st.session_state[key]
    return found


def prepared(case: Case, preprocessing: Preprocessing) -> Pixels:
    """What a model with this preprocessing sees of the picture."""
    if preprocessing not in case.prepared:
        pixels = decode(case.source, case.name).pixels
        case.prepared[preprocessing] = prepare_image(pixels, preprocessing)
    return case.prepared[preprocessing]


def pixels_of(case: Case) -> Pixels:
    """The picture at full size; the last one looked at is kept."""
    kept = st.session_state.get("opened")
    if kept is None or kept[0] != case.key:
        kept = (case.key, decode(case.source, case.name).pixels)
        st.session_state["opened"] = kept
    opened: Pixels = kept[1]
    return opened


def data_uri(pixels: Pixels) -> str:
    """The picture as a PNG within a link."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def _read(
    key: str, name: str, source: bytes, first: Preprocessing, label: str = ""
) -> Case | Refused:
    short = PurePosixPath(name.replace("\\", "/")).name or "The picture"
    try:
        decoded = decode(source, short)
    except ImageError as error:
        return Refused(key, short, str(error))
    height, width = decoded.pixels.shape[:2]
    return Case(
        key=key,
        name=short,
        source=source,
        digest=pixel_digest(decoded.pixels),
        about=f"{width} × {height} pixels, {decoded.format}",
        preview=data_uri(framed(thumbnail(decoded.pixels, _THUMBNAIL))),
        label=label,
        prepared={first: prepare_image(decoded.pixels, first)},
    )


def _sample(file: Path, label: str, first: Preprocessing) -> Case:
    try:
        case = _read(str(file), file.name, file.read_bytes(), first, label)
    except OSError as error:
        raise DataError(
            f"The test image {file.name} is not in the data set any more: "
            "upload a picture instead."
        ) from error
    if isinstance(case, Refused):
        raise DataError(case.reason)
    return case
