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
from medmodel.imaging.dicom.header import (
    image_elements,
    keep_elements,
    kept_elements,
)
from medmodel.imaging.windows import (
    Window,
)

MAX_PIXELS = 100_000_000
"""Pixels of one frame, told from the header before anything is decoded."""

_NO_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation mask",
    "1.2.840.10008.5.1.4.1.1.66.7": "a segmentation mask",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose grid",
    "1.2.840.10008.5.1.4.1.1.30": "a parametric map",
    "1.2.840.10008.1.3.10": "a DICOMDIR, a list of other files",
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
        dataset = kept_elements(data) or image_elements(data) or parse(data, name)
        frames = check_image(dataset, name)
        if frames > 1:
            keep_elements(data, dataset)
        if not -1 <= frame < frames:
            raise ImageError(f"{name} has no frame {frame + 1}: it has {frames}.")
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
            modality=modality_of(dataset),
            values=shown.values if values else None,
            window=shown.window,
            inverted=photometric == "MONOCHROME1",
        )
    return vars(image)


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
        element = f" ({error})" if isinstance(error, DamagedElement) else ""
        raise ImageError(
            f"{name} cannot be read: its DICOM header is damaged or incomplete"
            f"{element}. Export it again from its source."
        ) from error


def parse(data: bytes, name: str) -> FileDataset:
    """The elements of a file, with or without preamble and file meta information.

    Raises:
        ImageError: It is damaged.
    """
    with _damage_named(name):
        return dcmread(io.BytesIO(data), force=True)


def check_image(dataset: Dataset, name: str) -> int:
    """Refuses what is no image or too large; returns the number of frames.

    Elements that are empty or missing, and that others tell, are completed.

    Raises:
        ImageError: For one of these reasons.
    """
    with _damage_named(name):
        kind = _NO_IMAGES.get(str(dataset.get("SOPClassUID", ""))) or (
            _NO_IMAGES.get(str(dataset.file_meta.get("MediaStorageSOPClassUID", "")))
        )
        if kind:
            raise ImageError(f"{name} is no image but {kind}.")
        if not any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
            raise ImageError(
                f"{name} is a DICOM file without an image{_class_name(dataset)}."
            )
        complete_header(dataset)
        height, width = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames", 1))
        samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
    if height * width > MAX_PIXELS:
        raise ImageError(
            f"{name} has more than {MAX_PIXELS // 10**6} million pixels: "
            "scale it down before."
        )
    if height < 1 or width < 1 or frames < 1:
        raise ImageError(f"{name} has no pixels.")
    photometric = dataset.PhotometricInterpretation
    if photometric not in (*GREY, *COLOURS):
        raise not_offered(name, photometric)
    if samples in (1, 3) and (samples == 3) != (photometric in OF_3_SAMPLES):
        raise ImageError(
            f"{name} cannot be read: its header says {photometric} with {samples} "
            "samples per pixel. Export it again from its source."
        )
    if samples not in (1, 3) or bits not in (1, 8, 16, 32, 64):
        raise ImageError(
            f"{name} stores {samples} samples of {bits} bits per pixel, which cannot "
            "be shown: export it as grey or RGB."
        )
    return frames


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
            f"{name} shows nothing: each of its {frames} frames has a single value."
        )
    value = ", ".join(f"{v:g}" for v in np.atleast_1d(stored[0, 0]))
    within = f" in frame {frame + 1}" if frames > 1 else ""
    raise ImageError(
        f"{name} shows nothing{within}: all pixels have the value {value}."
    )


def _mode(photometric: str, bits: int) -> str:
    if bits == 8:
        return photometric
    return f"{photometric}, {bits} bit{'s' * (bits > 1)}"


def _seen(seen: str, asked: int, shown: int) -> str:
    """Also says so where the first frame is left out, as it shows nothing."""
    if asked >= 0 or not shown:
        return seen
    blank = f"frame {shown + 1}, as all before it are blank"
    return f"{seen}, {blank}" if seen else blank


def patient(dataset: Dataset) -> str:
    """Whom the image shows, in clear; empty if the file does not say.

    The same number may be another person in another hospital, so the issuer counts.
    """
    number = str(dataset.get("PatientID") or "").strip()
    if not number:
        return ""
    return f"{str(dataset.get('IssuerOfPatientID') or '').strip()}|{number}"


def _class_name(dataset: Dataset) -> str:
    """What kind of file it is; nothing else of a header goes into a message."""
    kind = UID(str(dataset.get("SOPClassUID") or ""))
    named = kind.is_valid and not kind.is_private and kind.name != kind
    return f" ({kind.name})" if named else ""
