"""What a segmentation's batch says in all: outlines of each class, masks to save."""

from __future__ import annotations

import functools
import io

import pandas as pd
import streamlit as st

from medmodel.batch import masks, outlines, table
from medmodel.language import _, ngettext
from medmodel.runs.run import Run
from pages._shared.common.downloads import noted
from pages._shared.common.glossary import meaning
from pages._shared.common.tables import show_table
from pages._shared.common.words import plain
from pages._shared.prediction.measurement_words import number

MOST_BYTES = 500_000_000
"""Of a ZIP file that a page makes in its memory."""
_SCALED = {"detector", "uncalibrated", "magnification"}
"""Sources of a pixel's size that say nothing certain of the patient."""


def show_outlined_classes(rows: pd.DataFrame) -> None:
    """On how many images each class was outlined, and how large."""
    readable = rows[rows["problem"] == ""]
    show_table(
        outline_class_table(readable),
        hide_index=True,
        alt=_("On how many images each class was outlined"),
    )
    st.caption(" ".join(map(plain, scale_sentences(readable))), help=meaning("Dice"))


def outline_class_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A line for each class.

    Args:
        rows: As from `outlines.described`, the images that could be read.
    """
    lines = []
    for name in outlines.outlined_classes(rows):
        sizes = outlines.sizes(rows, name)
        area = sizes.area[sizes.area > 0]
        unit = f"{sizes.unit}²"
        lines.append(
            {
                _("Class"): name,
                _("Images with an outline"): len(area),
                _("Median area"): f"{number(area.median())} {unit}"
                if len(area)
                else "–",
                _("Largest area"): f"{number(area.max())} {unit}" if len(area) else "–",
                _("Longest diameter"): f"{number(sizes.longest.max())} {sizes.unit}"
                if len(area)
                else "–",
            }
        )
    return pd.DataFrame(lines)


def scale_sentences(rows: pd.DataFrame) -> list[str]:
    """What the areas are of, and how far millimetres can be trusted.

    Args:
        rows: As for `outline_class_table`.
    """
    sentences = [
        _(
            "Medians are of the images with an outline; images that are unlike the "
            "training data are counted, too. The model's Dice on test images says how "
            "good its outlines are."
        )
    ]
    found = rows[rows["outlined"] != ""]
    without = int(found["pixel_height_mm"].isna().sum())
    if without:
        sentences.append(
            ngettext(
                "The file of {count:,} image with an outline does not say how large a "
                "pixel is: areas of classes that are outlined there are in pixels.",
                "The files of {count:,} images with an outline do not say how large a "
                "pixel is: areas of classes that are outlined there are in pixels.",
                without,
            )
        )
    if set(found[table.SIZE_FROM]) & _SCALED:
        sentences.append(
            _(
                "Some files give the size of a pixel at the detector, or do not say "
                "whether magnification was corrected for: in the patient lengths may "
                "be smaller."
            )
        )
    return sentences


def show_mask_download(batch: Run, rows: pd.DataFrame) -> None:
    """The masks as a ZIP file, made when it is asked for."""
    strange = int((rows["unlike_training"] == 1).sum())
    anyway = bool(strange) and st.checkbox(
        ngettext(
            "Also the mask of {count:,} image that is unlike the training data",
            "Also the masks of {count:,} images that are unlike the training data",
            strange,
        ),
        key=f"batch-masks-anyway-{batch.id}",
    )
    chosen = masks.taken(rows, anyway)
    if chosen.empty:
        st.caption(_("There is no mask to save."))
        return
    if chosen["mask_bytes"].sum() > MOST_BYTES:
        st.caption(
            _(
                "These masks are too large for a download from a page. Write them on "
                "the server: medmodel watch {id} --output FILE.csv {options}",
                id=batch.id,
                options="--masks FOLDER --anyway" if anyway else "--masks FOLDER",
            )
        )
        return
    st.download_button(
        ngettext(
            "Download {count:,} mask (PNG in a ZIP file)",
            "Download {count:,} masks (PNG in a ZIP file)",
            len(chosen),
        ),
        noted(
            functools.partial(_zip, batch, chosen),
            "export",
            batch=batch.id,
            what="batch masks",
        ),
        file_name=f"masks-{batch.id}.zip",
        mime="application/zip",
        icon=":material/download:",
        key="batch-masks",
        on_click="ignore",
        help=_(
            "A mask for each image, as large as the image, with the values of the "
            "masks that the model learned from; 0 where nothing is outlined."
        ),
    )
    if count := masks.shortened(chosen):
        st.caption(plain(masks.shortened_sentence(count)))


def _zip(batch: Run, rows: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    masks.write_zip(batch.folder, rows, buffer)
    return buffer.getvalue()
