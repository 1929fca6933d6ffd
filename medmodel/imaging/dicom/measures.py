"""What a DICOM file says for measuring: size of pixels, unit of values."""

from __future__ import annotations

from medmodel.imaging.decoded_image import DecodedImage
from medmodel.imaging.dicom.reading import parse
from medmodel.imaging.dicom.spacing import calibration
from medmodel.imaging.dicom.value_units import value_unit
from medmodel.imaging.measurement.spacing import Calibration


def facts(
    data: bytes, name: str, decoded: DecodedImage
) -> tuple[Calibration, float, str]:
    """Of one decoded frame; to be called in the sandbox.

    Returns:
        How large its pixels are; what values are multiplied by; the unit that they then
        have, "" where the file does not say.

    Raises:
        ImageError: The header is damaged.
    """
    dataset = parse(data, name)
    frame = max(decoded.frame, 0)
    factor, unit = value_unit(dataset, frame)
    if decoded.values is None:
        factor, unit = 1.0, "grey levels"  # colours
    return calibration(dataset, frame), factor, unit
