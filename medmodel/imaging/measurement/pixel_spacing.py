"""Size of the pixels of an image as it is shown, in mm where the file says so."""

from __future__ import annotations

from medmodel.core import samples
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.measurement.measuring import Measured, measure
from medmodel.imaging.measurement.shapes import Shape
from medmodel.imaging.untrusted import DataFile


def pixel_spacing(
    source: DataFile | bytes,
    name: str,
    shape: tuple[int, int],
    options: DecodeOptions | None = None,
) -> tuple[float, float] | None:
    """Height and width of a pixel in mm; None where the file does not say.

    Args:
        source: A file of a data set, or a file's content.
        name: What to call it in messages.
        shape: Height and width of the image as it is shown, in pixels.
        options: Which image of the file is meant; default: what a data file's name
            says.

    Raises:
        ImageError: It cannot be read.
        DataError: A file of a data set cannot be read any more.
    """
    across, down = pixel_measures(source, name, shape, options)
    if not across.in_mm or across.length is None or down.length is None:
        return None
    return down.length, across.length


def pixel_measures(
    source: DataFile | bytes,
    name: str,
    shape: tuple[int, int],
    options: DecodeOptions | None = None,
) -> tuple[Measured, Measured]:
    """Lines of one pixel across and down in the middle of an image, measured.

    Args:
        source: As in `pixel_spacing`, like all that follow.
        name: See there.
        shape: See there.
        options: See there.
    """
    if options is None:
        part = None
        if isinstance(source, DataFile):
            file, part = samples.split(source.sample)
            source = DataFile(source.folder, samples.join(file))
        axis = part.kind if part and part.kind != "frame" else "axial"
        options = DecodeOptions("auto", part.number if part else -1, axis)
    height, width = shape
    x, y = width / 2, height / 2
    lines = [
        Shape("line", ((x, y), (x + 1, y))),
        Shape("line", ((x, y), (x, y + 1))),
    ]
    across, down = measure(source, name, options, lines, (width, height))
    return across, down
