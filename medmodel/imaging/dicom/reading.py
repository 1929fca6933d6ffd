"""Reads a DICOM file: what it must be to hold an image, and one frame of it, decoded.

To be called in the sandbox (`scans` does so), since damaged files may crash decoders.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from medmodel.core.errors import ImageError
from medmodel.imaging.codecs import (
    check_frames,
    complete_header,
    is_constant,
    stored_values,
)
from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.dicom.display import (
    COLOURS,
    GREY,
    OF_3_SAMPLES,
    Frame,
    modality_of,
    not_offered,
    show_frame,
)
from medmodel.imaging.dicom.elements import (
    DamagedElement,
    number,
    pixel_size,
)
from medmodel.imaging.dicom.frames import (
    SEQUENCE_END,
    declared_frames,
    keep_whole_frames,
)
from medmodel.imaging.dicom.header import (
    image_elements,
    keep_elements,
    kept_elements,
)
from medmodel.imaging.windows import (
    Window,
)
from medmodel.language import N_, _

MAX_PIXELS = 100_000_000
"""Pixels of one frame, told from the header before anything is decoded."""

_NO_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.66.4": N_("a segmentation mask"),
    "1.2.840.10008.5.1.4.1.1.66.7": N_("a segmentation mask"),
    "1.2.840.10008.5.1.4.1.1.481.2": N_("a radiotherapy dose grid"),
    "1.2.840.10008.5.1.4.1.1.30": N_("a parametric map"),
    "1.2.840.10008.1.3.10": N_("a DICOMDIR, a list of other files"),
}
_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def read(
    data: bytes,
    name: str,
    frame: int = -1,
    window: Sequence[Any] | None = None,
    values: bool = False,
    ct_as_soft_tissue: bool = False,
    square_pixels: bool = True,
) -> dict[str, Any]:
    """Decodes one frame.

    Args:
        data: The file.
        name: For messages.
        frame: From 0; -1 is the first that shows something.
        window: Arguments of `Window`; None: the file's own, or an automatic one.
        values: Whether the answer includes `values`.
        ct_as_soft_tissue: Whether CT is shown so, whatever window the file asks for.
        square_pixels: Whether an image is widened whose pixels are not square.

    Returns:
        The fields of `DecodedImage`; `patient` is in clear.

    Raises:
        ImageError: It is no image, damaged, too large, constant, or of a kind for
            which there is no decoder.
    """
    with _damage_named(name):
        kept = kept_elements(data)
        dataset, declared = kept or _elements(data, name)
        check_image(dataset, name)
        frames = dataset.NumberOfFrames if kept else keep_whole_frames(dataset)
        if frames > 1:
            keep_elements(data, dataset, declared)
        if not -1 <= frame < frames:
            raise ImageError(
                _(
                    "{name} has no frame {number}: it has {frames}.",
                    name=name,
                    number=frame + 1,
                    frames=frames,
                )
            )
        check_frames(dataset, name)
        number_of_frame, stored, photometric = _stored(dataset, name, frame, frames)
        size = pixel_size(dataset, number_of_frame) if square_pixels else (1.0, 1.0)
        shown = show_frame(
            Frame(dataset, number_of_frame, stored, photometric, size, name),
            Window(*window) if window else None,
            values,
            ct_as_soft_tissue,
        )
        bits = int(number(dataset, "BitsStored") or 8 * stored.itemsize)
        image = DecodedImage(
            pixels=shown.pixels,
            format="DICOM",
            mode=_mode(photometric, bits),
            frames=frames,
            frame=number_of_frame,
            patient=patient(dataset),
            seen="" if window else _seen(shown.seen, frame, number_of_frame),
            missing_frames=max((declared or 0) - frames, 0),
            modality=modality_of(dataset),
            values=shown.values if values else None,
            window=shown.window,
            inverted=photometric == "MONOCHROME1",
        )
    return vars(image)


def _elements(data: bytes, name: str) -> tuple[Dataset, int | None]:
    dataset = image_elements(data) or parse(data, name)
    return dataset, declared_frames(dataset)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Whatever pydicom or a decoder raises is the fault of the file, told by its name.

    Of what it raises nothing is repeated but the element: it may hold a patient's name.
    """
    try:
        with warnings.catch_warnings():
            # pydicom warns of oddities that do not change the image.
            warnings.simplefilter("ignore")
            yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, DamagedElement):
            sentence = _(
                "{name} cannot be read: its DICOM header is damaged or incomplete "
                "({element}). Export it again from its source.",
                name=name,
                element=error,
            )
        else:
            sentence = _(
                "{name} cannot be read: its DICOM header is damaged or incomplete. "
                "Export it again from its source.",
                name=name,
            )
        raise ImageError(sentence) from error


def parse(data: bytes, name: str) -> FileDataset:
    """The elements of a file, with or without preamble and file meta information.

    Raises:
        ImageError: It is damaged.
    """
    with _damage_named(name):
        dataset = dcmread(io.BytesIO(data), force=True)
        if any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
            return dataset
        # pydicom drops compressed pixel data without an end: of a file that was cut.
        return dcmread(io.BytesIO(data + SEQUENCE_END), force=True)


def check_image(dataset: Dataset, name: str) -> None:
    """Refuses what is no image or too large.

    Elements that are empty or missing, and that others tell, are completed.

    Raises:
        ImageError: For one of these reasons.
    """
    with _damage_named(name):
        kind = _NO_IMAGES.get(str(dataset.get("SOPClassUID", ""))) or (
            _NO_IMAGES.get(str(dataset.file_meta.get("MediaStorageSOPClassUID", "")))
        )
        if kind:
            raise ImageError(
                _("{name} is no image but {kind}.", name=name, kind=_(kind))
            )
        if not any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
            raise ImageError(_without_image(dataset, name))
        complete_header(dataset)
        height, width = int(dataset.Rows), int(dataset.Columns)
        samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
    if height * width > MAX_PIXELS:
        raise ImageError(
            _(
                "{name} has more than {millions} million pixels: scale it down before.",
                name=name,
                millions=MAX_PIXELS // 10**6,
            )
        )
    if height < 1 or width < 1:
        raise ImageError(_("{name} has no pixels.", name=name))
    photometric = dataset.PhotometricInterpretation
    if photometric not in (*GREY, *COLOURS):
        raise not_offered(name, photometric)
    if samples in (1, 3) and (samples == 3) != (photometric in OF_3_SAMPLES):
        raise ImageError(
            _(
                "{name} cannot be read: its header says {photometric} with "
                "{samples} samples per pixel. Export it again from its source.",
                name=name,
                photometric=photometric,
                samples=samples,
            )
        )
    if samples not in (1, 3) or bits not in (1, 8, 16, 32, 64):
        raise ImageError(
            _(
                "{name} stores {samples} samples of {bits} bits per pixel, which "
                "cannot be shown: export it as grey or RGB.",
                name=name,
                samples=samples,
                bits=bits,
            )
        )


def _stored(
    dataset: Dataset, name: str, frame: int, frames: int
) -> tuple[int, npt.NDArray[Any], str]:
    """The frame asked for, its stored values and their photometric interpretation.

    Raises:
        ImageError: It has a single value, or all frames have.
    """
    for candidate in range(frames) if frame < 0 else [frame]:
        stored, photometric = stored_values(dataset, name, candidate)
        if not is_constant(stored):
            return candidate, stored, photometric
    if frames > 1 and frame < 0:
        raise ImageError(
            _(
                "{name} shows nothing: each of its {frames} frames has a single value.",
                name=name,
                frames=frames,
            )
        )
    value = ", ".join(f"{v:g}" for v in np.atleast_1d(stored[0, 0]))
    if frames > 1:
        raise ImageError(
            _(
                "{name} shows nothing in frame {frame}: all pixels have the value "
                "{value}.",
                name=name,
                frame=frame + 1,
                value=value,
            )
        )
    raise ImageError(
        _(
            "{name} shows nothing: all pixels have the value {value}.",
            name=name,
            value=value,
        )
    )


def _mode(photometric: str, bits: int) -> str:
    if bits == 8:
        return photometric
    return f"{photometric}, {bits} bit{'s' * (bits > 1)}"


def _seen(seen: str, asked: int, shown: int) -> str:
    """Also says so where the first frame is left out, as it shows nothing."""
    if asked >= 0 or not shown:
        return seen
    if not seen:
        return _("frame {number}, as all before it are blank", number=shown + 1)
    return _(
        "{how}, frame {number}, as all before it are blank",
        how=seen,
        number=shown + 1,
    )


def patient(dataset: Dataset) -> str:
    """Whom the image shows, in clear; empty if the file does not say.

    The same number may be another person in another hospital, so the issuer counts.
    """
    number = str(dataset.get("PatientID") or "").strip()
    if not number:
        return ""
    return f"{str(dataset.get('IssuerOfPatientID') or '').strip()}|{number}"


def _without_image(dataset: Dataset, name: str) -> str:
    """What kind of file it is; nothing else of a header goes into a message."""
    kind = UID(str(dataset.get("SOPClassUID") or ""))
    if not kind.is_valid or kind.is_private or kind.name == kind:
        return _("{name} is a DICOM file without an image.", name=name)
    return _(
        "{name} is a DICOM file without an image ({kind}).", name=name, kind=kind.name
    )
