"""Uploaded images of Diagnose: kept in memory, never on disk.

A name is text to show, never a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from medmodel.core.errors import DataError, ImageError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.samples import Axis, Part, split
from medmodel.data import folders
from medmodel.evaluation.ood import ImageTraits, image_traits
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.images import (
    Pixels,
    decode,
    pixel_digest,
    prepare_image,
    read_data_file,
    thumbnail,
)
from medmodel.reports.plots import framed
from medmodel.runs.run import Run
from medmodel.runs.tables import read_predictions
from pages._shared.common.image_view import data_uri

MOST_IMAGES = 200
_THUMBNAIL = 80


@dataclass(frozen=True)
class Case:
    """One image that could be read.

    Args:
        key: Tells it from the others of this session.
        name: What its owner calls it.
        source: The file's content.
        digest: Equal for equal pixels.
        about: Size and format, for the caption.
        preview: A PNG of at most 80 pixels as a data URI.
        facts: Its size and colour before it was prepared.
        label: Its class where that is known, else "".
        frames: Frames, pages or slices in the file.
        frame: Which of them, from 0; -1: the first, of a volume the middle.
        axis: How a NIfTI volume is cut.
        seen: How the model's automatic window shows a scan, in words; else "".
        scan: Whether it is DICOM or NIfTI, which have windows.
        prepared: What models see, by preprocessing.
    """

    key: str
    name: str
    source: bytes
    digest: str
    about: str
    preview: str
    facts: ImageTraits
    label: str = ""
    frames: int = 1
    frame: int = -1
    axis: Axis = "axial"
    seen: str = ""
    scan: bool = False
    prepared: dict[Preprocessing, Pixels] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """One file that could not be read, and why in one sentence with its name."""

    key: str
    name: str
    reason: str


def uploaded(files: Sequence[UploadedFile], first: Preprocessing) -> list[Case]:
    """The images among the uploaded files; refused ones are named on the page.

    Each file is decoded once per session.

    Args:
        files: What the upload widget holds.
        first: The preprocessing that is certainly asked for.
    """
    cases = st.session_state.get("cases", {})
    # Another model may want volumes cut along another axis, or another frame.
    wanted = f"{first.axis}-{first.frame}"
    keys = {file.file_id: f"{file.file_id}-{wanted}" for file in files}
    new = [file for file in files if keys[file.file_id] not in cases]
    bar = st.progress(0.0) if len(new) > 10 else None
    for done, file in enumerate(new):
        if bar:
            bar.progress(done / len(new), f"Reading picture {done + 1} of {len(new)}")
        key = keys[file.file_id]
        cases[key] = _read(key, file.name, file.getvalue(), first)
    if bar:
        bar.empty()
    # What its owner removed is forgotten.
    cases = {key: cases[key] for key in keys.values()}
    st.session_state["cases"] = cases
    return [case for case in cases.values() if isinstance(case, Case)]


def refused() -> list[Refused]:
    """The uploaded files that could not be read."""
    cases = st.session_state.get("cases", {})
    return [case for case in cases.values() if isinstance(case, Refused)]


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
        folder = data_folder(run)
        st.session_state[key] = [
            dataset_case(folder, str(row.path), str(row.label), first) for row in rows
        ]
    samples: list[Case] = st.session_state[key]
    return samples


def data_folder(run: Run) -> Path:
    """The data set of a run.

    Raises:
        DataError: It is not there any more, or not under an allowed root.
    """
    return folders.safe_folder(run.config.dataset)


def dataset_case(folder: Path, path: str, label: str, first: Preprocessing) -> Case:
    """An image of a data set, whose label is known.

    Args:
        folder: The data set's folder.
        path: Its file, with the slice as `samples` names it.
        label: Its class.
        first: The preprocessing that is certainly asked for.

    Raises:
        DataError: It is not there any more, or cannot be read.
    """
    file, part = split(path)
    content = data_file(folder, file)
    case = _read(str(folder / path), Path(path).name, content, first, label, part)
    if isinstance(case, Refused):
        raise DataError(case.reason)
    return case


def data_file(folder: Path, path: str) -> bytes:
    """The content of a data set's file.

    Raises:
        DataError: It is not there any more, cannot be read, or lies outside the
            allowed roots.
    """
    try:
        return read_data_file(folder, path)
    except FileNotFoundError as error:
        raise DataError(
            f"The image {Path(path).name} is not in the data set any more."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror}.") from error


def prepared(case: Case, preprocessing: Preprocessing) -> Pixels:
    """What a model with this preprocessing sees of the image."""
    if preprocessing not in case.prepared:
        window = preprocessing.window
        pixels = decode(case.source, case.name, window, case.frame, case.axis).pixels
        case.prepared[preprocessing] = prepare_image(pixels, preprocessing)
    return case.prepared[preprocessing]


def pixels_of(case: Case) -> Pixels:
    """The image at full size; the last one looked at is kept."""
    opened = st.session_state.get("opened")
    if opened is None or opened[0] != case.key:
        decoded = decode(case.source, case.name, frame=case.frame, axis=case.axis)
        opened = st.session_state["opened"] = (case.key, decoded.pixels)
    pixels: Pixels = opened[1]
    return pixels


def pixel_digest_of(case: Case) -> str:
    """As in the index of a data set: of the pixels, whatever the file.

    A scan's own digest is that of its file: only as it opens, it is one image.
    """
    if not case.scan:
        return case.digest
    digests: dict[str, str] = st.session_state.setdefault("pixel-digests", {})
    if case.key not in digests:
        decoded = decode(case.source, case.name, frame=case.frame, axis=case.axis)
        digests[case.key] = pixel_digest(decoded.pixels)
    return digests[case.key]


def at_frame(case: Case, frame: int) -> Case:
    """Another frame or slice of the same file, as a case of its own."""
    if frame == case.frame:
        return case
    return replace(
        case,
        key=f"{case.key}#{frame}",
        digest=f"{case.digest}#{frame}",
        frame=frame,
        prepared={},
    )


def _read(
    key: str,
    name: str,
    source: bytes,
    first: Preprocessing,
    label: str = "",
    part: Part | None = None,
) -> Case | Refused:
    short = PurePosixPath(name.replace("\\", "/")).name or "The picture"
    frame = part.number if part else -1
    axis = part.kind if part and part.kind != "frame" else first.axis
    try:
        decoded = decode(source, short, first.window, frame, axis)
        frames = decoded.frames if decoded.format != "NIfTI" else 1
        if first.frame and part is None and frames > 1:
            frame = min(first.frame, frames - 1)
            decoded = decode(source, short, first.window, frame, axis)
    except ImageError as error:
        return Refused(key, short, str(error))
    height, width = decoded.pixels.shape[:2]
    return Case(
        key=key,
        name=short,
        source=source,
        digest=_digest(source, decoded) + (f"#{axis}{frame}" if part else ""),
        about=f"{width} × {height} pixels, {_kind(decoded)}",
        preview=data_uri(framed(thumbnail(decoded.pixels, _THUMBNAIL))),
        facts=image_traits(decoded.pixels),
        label=label,
        frames=decoded.frames,
        # Of a DICOM file whose first frame is blank it is a later one.
        frame=decoded.frame if frame < 0 < decoded.frame else frame,
        axis=axis,
        seen=decoded.seen,
        scan=_is_scan(decoded),
        prepared={first: prepare_image(decoded.pixels, first)},
    )


def _kind(decoded: DecodedImage) -> str:
    """The format in words."""
    if decoded.series == 1:
        return decoded.format
    return f"{decoded.format}, the first of {decoded.series:,} volumes"


def _is_scan(decoded: DecodedImage) -> bool:
    return decoded.format in ("DICOM", "NIfTI")


def _digest(source: bytes, decoded: DecodedImage) -> str:
    """Of the pixels; of the whole file where windows make many images of it."""
    if _is_scan(decoded):
        return hashlib.blake2b(source, digest_size=16).hexdigest()
    return pixel_digest(decoded.pixels)
