"""Buttons that save the mask of an outlined image: PNG, NIfTI, DICOM SEG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

import numpy as np
import streamlit as st

from medmodel import __version__
from medmodel.imaging import mask_export
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.mask_values import Mask
from medmodel.imaging.measurement.pixel_spacing import pixel_spacing
from medmodel.language import _
from pages._shared.common.downloads import noted
from pages._shared.prediction.segmentation_answer import Outlined


def show_mask_downloads(answer: Outlined) -> None:
    """A button for each format that suits the source."""
    case = answer.case
    values = mask_of(answer)
    options = DecodeOptions("auto", case.frame, case.axis)
    st.markdown(_("**Save the mask**"))
    listed = ", ".join(
        f"{value} {name}"
        for value, name in zip(answer.values, answer.names, strict=True)
    )
    st.caption(_("Values in the mask: {values}.", values=listed))

    def nifti() -> bytes:
        if case.file.format == "NIfTI":
            return mask_export.nifti_mask_of_volume(
                values, case.source, case.name, options
            )
        shape = (values.shape[0], values.shape[1])
        spacing = pixel_spacing(case.source, case.name, shape, options)
        return mask_export.nifti_mask(values, spacing)

    with st.container(horizontal=True):
        _button(answer, "PNG", "png", lambda: mask_export.png_mask(values))
        _button(answer, "NIfTI", "nii.gz", nifti)
        if case.file.format == "DICOM":
            _button(answer, "DICOM SEG", "dcm", lambda: _dicom(answer, options))
    if case.file.format == "DICOM":
        st.caption(
            _(
                "The DICOM SEG holds patient and study of its source, as the standard "
                "requires. PNG and NIfTI hold neither."
            )
        )


def mask_of(answer: Outlined) -> Mask:
    """uint8 (height, width) of values as in the masks that the model learned from."""
    lookup = np.zeros(256, np.uint8)
    lookup[: len(answer.values)] = answer.values
    return lookup[answer.classes]


def _dicom(answer: Outlined, options: DecodeOptions) -> bytes:
    pairs = zip(answer.values[1:], answer.names[1:], strict=True)
    return mask_export.dicom_segmentation(
        mask_of(answer),
        dict(pairs),
        answer.case.source,
        answer.case.name,
        options,
        (answer.run.config.model, __version__),
    )


def _button(
    answer: Outlined, title: str, suffix: str, make: Callable[[], bytes]
) -> None:
    stem = PurePath(answer.case.name).name.split(".")[0]
    st.download_button(
        title,
        noted(make, "export", run=answer.run.id, what=f"mask {title}"),
        file_name=f"{stem}_mask.{suffix}",
        icon=":material/download:",
        key=f"mask-{suffix}",
        on_click="ignore",
    )
