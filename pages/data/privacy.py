"""Identifying elements of a DICOM file, and a de-identified copy."""

from __future__ import annotations

from math import ceil
from pathlib import PurePosixPath

import pandas as pd
import streamlit as st

from medmodel.core import audit
from medmodel.core.errors import ImageError
from medmodel.core.processes.sandbox import ImageTimeoutError
from medmodel.imaging import scans
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.images import Pixels
from medmodel.imaging.untrusted import OpenedImage, open_image
from medmodel.language import N_, _, translate
from pages._shared.common.downloads import noted
from pages._shared.common.glossary import meaning
from pages._shared.common.image_view import show_image
from pages._shared.common.tables import show_table
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain

_MOST_REGIONS = 10
_EDGES = (N_("Left"), N_("Top"), N_("Right"), N_("Bottom"))


def show_header(data: bytes, name: str) -> None:
    """Technical elements; identifying values only when asked for, which is noted."""
    rows = scans.header_rows(data, name, False)  # first: it may be no DICOM file
    st.subheader(_("DICOM header"), anchor=False)
    reveal = st.toggle(
        _("Show identifying values"),
        key=f"reveal-{name}",
        help=_(
            "Names, IDs, dates and the like. The audit log notes that they "
            "were shown, not the values."
        ),
    )
    if reveal and not st.session_state.get(f"told-{name}"):
        st.session_state[f"told-{name}"] = True
        audit.record("reveal_header", files=1)
    if reveal:
        rows = scans.header_rows(data, name, reveal)
    hidden = sum(row.identifying for row in rows)
    show_table(
        pd.DataFrame(
            {
                _("Tag"): [row.tag for row in rows],
                _("Name"): [row.keyword for row in rows],
                _("Value"): [
                    _("hidden") if row.value is None else row.value for row in rows
                ],
            }
        ),
        hide_index=True,
        height=420,
    )
    values = {"file": plain(name), "elements": len(rows), "identifying": hidden}
    st.caption(
        _(
            "{file}: {elements} elements, of which {identifying} may identify the "
            "patient (shown).",
            **values,
        )
        if reveal
        else _(
            "{file}: {elements} elements, of which {identifying} may identify the "
            "patient (hidden).",
            **values,
        )
    )


def image_of(data: bytes, name: str) -> OpenedImage | None:
    """The first frame that shows something, as stored; None where there is no image.

    Raises:
        ImageTimeoutError: It takes so long that nothing else of the file is tried.
    """
    try:
        return open_image(data, name, DecodeOptions("file", square_pixels=False))
    except ImageTimeoutError:
        raise
    except ImageError as error:
        st.info(plain(translate(str(error))))
        return None


def ask_regions(
    width: int, height: int, suggested: list[scans.Region], name: str
) -> list[scans.Region]:
    """Rectangles to black out, in pixels of the file; suggestions first."""
    start = pd.DataFrame(suggested, columns=list(_EDGES))
    st.markdown(
        _("**Redaction** :gray[rectangles in pixels, made black in every frame]"),
        help=meaning("redaction"),
    )
    edited = st.data_editor(
        start.astype("Int64"),
        num_rows="dynamic",
        hide_index=True,
        key=f"regions-{name}",
        column_config={
            column: st.column_config.NumberColumn(
                _(column), min_value=0, max_value=most, step=1
            )
            for column, most in zip(
                start.columns, (width, height, width, height), strict=True
            )
        },
    )
    rows = edited.dropna().astype(int).itertuples(index=False)
    boxes: list[scans.Region] = [tuple(row) for row in rows]
    good = [box for box in boxes if box[0] < box[2] and box[1] < box[3]]
    return good[:_MOST_REGIONS]


def blackened(image: OpenedImage, regions: list[scans.Region]) -> Pixels:
    """The image as it is shown, which may be smaller than the file's, with black."""
    pixels = image.decoded.pixels.copy()
    scale = len(pixels) / image.height
    for region in regions:
        left, top, right, bottom = (length * scale for length in region)
        pixels[int(top) : ceil(bottom), int(left) : ceil(right)] = 0
    return pixels


def show_copy(data: bytes, name: str) -> None:
    """The de-identified copy, its warnings, and regions to black out."""
    st.subheader(
        _("De-identified copy"), anchor=False, help=meaning("de-identification")
    )
    image = image_of(data, name)
    first = scans.deidentify(data, name)
    for warning in first.warnings:
        st.warning(plain(translate(warning)), icon=":material/warning:")
    regions: list[scans.Region] = []
    if image is not None:
        regions = ask_regions(image.width, image.height, first.regions, name)
        frame = max(image.decoded.frame, 0) + 1
        show_image(
            blackened(image, regions),
            _("Frame {frame} as it will be in the copy", frame=frame),
            _("The image"),
        )
    redacted = scans.deidentify(data, name, regions) if regions else first
    st.download_button(
        _("Download the copy"),
        noted(lambda: redacted.data, "deidentify", files=1, regions=len(regions)),
        "deidentified.dcm",
        "application/dicom",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    st.caption(
        _(
            "By the DICOM Basic Application Level Confidentiality Profile "
            "(PS3.15 E). Dates and UIDs are shifted alike in all files of one "
            "patient. Check the image yourself: burned-in text may be missed."
        )
    )


page_header(
    _("Privacy"),
    _(
        "See the identifying elements of a DICOM file, and download a "
        "de-identified copy."
    ),
)
st.markdown(_("The file stays in this server's memory and is not saved."))
file = st.file_uploader(_("DICOM file"), key="privacy-file")
if file is not None:
    shown_name = PurePosixPath(file.name.replace("\\", "/")).name or _("The file")
    with errors_shown():
        header, copy = st.columns(2, gap="large")
        with header:
            show_header(file.getvalue(), shown_name)
        with copy:
            show_copy(file.getvalue(), shown_name)
