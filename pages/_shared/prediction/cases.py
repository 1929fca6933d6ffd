"""Uploaded images of Diagnose: kept in memory, never on disk.

A name is text to show, never a path. What they hold is read in the sandbox, and comes
back as small as a page needs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from medmodel.core.errors import DataError, MedModelError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.samples import Axis, Part, join, split
from medmodel.data import folders
from medmodel.evaluation.ood.traits import ImageTraits, image_traits
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.images import Pixels, thumbnail
from medmodel.imaging.untrusted import (
    DataFile,
    OpenedImage,
    open_for_model,
    open_image,
)
from medmodel.language import _, translate
from medmodel.reports.plots import framed
from medmodel.runs.run import Run
from medmodel.runs.tables.findings import finding_names, read_findings, truth_and_score
from medmodel.runs.tables.predictions import read_predictions
from medmodel.runs.tables.segmentation import read_segmentation
from pages._shared.common.image_view import data_uri
from pages._shared.prediction.file_facts import FileFacts

MOST_IMAGES = 200
_THUMBNAIL = 80


@dataclass(frozen=True)
class Case:
    """One image that could be read.

    Args:
        key: Tells it from the others of this session.
        name: What its owner calls it.
        source: The file's content, or the file of a data set.
        digest: Equal for equal pixels.
        file: What its caption says of the file.
        preview: A PNG of at most 80 pixels as a data URI.
        facts: Its size and colour before it was prepared.
        label: Its class where that is known, else "".
        frames: Frames, pages or slices in the file.
        frame: Which of them, from 0; -1: the first, of a volume the middle.
        axis: How a NIfTI volume is cut.
        seen: How the model's automatic window shows a scan, in words; else "".
        scan: Whether it is DICOM or NIfTI.
        windowed: Whether its values can be seen through other windows.
        prepared: What models see, by preprocessing.
    """

    key: str
    name: str
    source: bytes | DataFile
    digest: str
    file: FileFacts
    preview: str
    facts: ImageTraits
    label: str = ""
    frames: int = 1
    frame: int = -1
    axis: Axis = "axial"
    seen: str = ""
    scan: bool = False
    windowed: bool = False
    # Arrays have no single answer to ==.
    prepared: dict[Preprocessing, Pixels] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Refused:
    """One file that could not be read, and why in one sentence with its name."""

    key: str
    name: str
    reason: str


def uploaded(
    files: Sequence[UploadedFile], first: Preprocessing, page: str = "diagnose"
) -> list[Case]:
    """The images among the uploaded files; refused ones are named on the page.

    Each file is decoded once per session.

    Args:
        files: What the upload widget holds.
        first: The preprocessing that is certainly asked for.
        page: Whose images they are; each page has its own.
    """
    cases = st.session_state.get(f"cases-{page}", {})
    # Another model may want volumes cut along another axis, or another frame.
    wanted = f"{first.axis}-{first.frame}"
    keys = {file.file_id: f"{file.file_id}-{wanted}" for file in files}
    new = [file for file in files if keys[file.file_id] not in cases]
    bar = st.progress(0.0) if len(new) > 10 else None
    for done, file in enumerate(new):
        if bar:
            bar.progress(
                done / len(new),
                _("Reading image {number} of {count}", number=done + 1, count=len(new)),
            )
        key = keys[file.file_id]
        cases[key] = _read(key, file.name, file.getvalue(), first)
    if bar:
        bar.empty()
    # What its owner removed is forgotten.
    cases = {key: cases[key] for key in keys.values()}
    st.session_state[f"cases-{page}"] = cases
    return [case for case in cases.values() if isinstance(case, Case)]


def refused(page: str = "diagnose") -> list[Refused]:
    """The uploaded files of a page that could not be read."""
    cases = st.session_state.get(f"cases-{page}", {})
    return [case for case in cases.values() if isinstance(case, Refused)]


def test_samples(run: Run, first: Preprocessing, count: int = 3) -> list[Case]:
    """A few images of the run's own test split, of different classes, by chance.

    Raises:
        MedModelError: The predictions or the data set cannot be read any more.
    """
    key = f"samples-{run.id}"
    if key not in st.session_state:
        table = _samples_table(run)
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


def _samples_table(run: Run) -> pd.DataFrame:
    """Columns path, split and label; of a segmentation no label, lesions first.

    Of a run on several findings the label names them.
    """
    if run.config.multi_label:
        table = read_findings(run)
        names = finding_names(table)
        truth = np.stack([truth_and_score(table, name)[0] for name in names], axis=1)
        labels = [
            " + ".join(n for n, has in zip(names, row, strict=True) if has)
            or _("No finding")
            for row in truth
        ]
        return table.assign(label=labels)
    if not run.config.segments:
        return read_predictions(run)
    table = read_segmentation(run).sort_values("area", ascending=False)
    shown = table[table["area"] > 0].drop_duplicates("path")
    return shown.assign(label="")


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
    source = DataFile(folder, join(file))  # whose frame may be changed
    case = _read(str(folder / path), Path(path).name, source, first, label, part)
    if isinstance(case, Refused):
        raise DataError(translate(case.reason))
    return case


def prepared(case: Case, preprocessing: Preprocessing) -> Pixels:
    """What a model with this preprocessing sees of the image.

    Raises:
        ImageError: The image cannot be read, with this window for instance.
    """
    if preprocessing not in case.prepared:
        opened = _open(case, preprocessing.window, preprocessing)
        assert opened.prepared is not None
        case.prepared[preprocessing] = opened.prepared
    return case.prepared[preprocessing]


def pixels_of(case: Case) -> Pixels:
    """The image as large as a page shows it; the last one looked at is kept."""
    pixels: Pixels = _shown(case)[1]
    return pixels


def size_of(case: Case) -> tuple[int, int]:
    """Width and height in pixels of the whole image, of which a page may show fewer."""
    size: tuple[int, int] = _shown(case)[2]
    return size


def _shown(case: Case) -> tuple[str, Pixels, tuple[int, int]]:
    shown = st.session_state.get("opened")
    if shown is None or shown[0] != case.key:
        image = _open(case)
        shown = (case.key, image.decoded.pixels, (image.width, image.height))
        st.session_state["opened"] = shown
    return shown


def pixel_digest_of(case: Case) -> str:
    """As in the index of a data set: of the pixels, whatever the file.

    A scan's own digest is that of its file: only as it opens, it is one image.
    """
    if not case.scan:
        return case.digest
    digests: dict[str, str] = st.session_state.setdefault("pixel-digests", {})
    if case.key not in digests:
        digests[case.key] = _open(case).digest
    return digests[case.key]


def _open(
    case: Case, window: str = "auto", preprocessing: Preprocessing | None = None
) -> OpenedImage:
    options = DecodeOptions(window, case.frame, case.axis)
    return open_image(case.source, case.name, options, preprocessing=preprocessing)


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
    source: bytes | DataFile,
    first: Preprocessing,
    label: str = "",
    part: Part | None = None,
) -> Case | Refused:
    short = PurePosixPath(name.replace("\\", "/")).name or _("The image")
    axis = part.kind if part and part.kind != "frame" else first.axis
    options = DecodeOptions(first.window, part.number, axis) if part else None
    try:
        opened, frame = open_for_model(source, short, first, options, image_traits)
    except MedModelError as error:
        return Refused(key, short, _named(short, str(error)))
    decoded, prepared_image = opened.decoded, opened.prepared
    assert prepared_image is not None
    windowed = _is_scan(decoded) or decoded.many_bits
    if not windowed:  # else it is opened with its values
        size = (opened.width, opened.height)
        st.session_state["opened"] = (key, decoded.pixels, size)
    return Case(
        key=key,
        name=short,
        source=source,
        digest=_digest(opened) + (f"#{axis}{frame}" if part else ""),
        file=FileFacts.of(opened),
        preview=data_uri(framed(thumbnail(decoded.pixels, _THUMBNAIL))),
        facts=ImageTraits(**opened.measured),
        label=label,
        frames=decoded.frames,
        # Of a DICOM file whose first frame is blank it is a later one.
        frame=decoded.frame if frame < 0 < decoded.frame else frame,
        axis=axis,
        seen=decoded.seen,
        scan=_is_scan(decoded),
        windowed=windowed,
        prepared={first: prepared_image},
    )


def _named(name: str, sentence: str) -> str:
    """The sentence with the file's name, which its owner gave and sees anyway."""
    reason = translate(sentence)
    if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", reason):
        return sentence
    return _("{name} cannot be shown: {reason}", name=name, reason=reason)


def _is_scan(decoded: DecodedImage) -> bool:
    return decoded.format in ("DICOM", "NIfTI")


def _digest(opened: OpenedImage) -> str:
    """Of the pixels; of the whole file where windows make many images of it."""
    return opened.file_digest if _is_scan(opened.decoded) else opened.digest
