"""Size of the pixels of an image as it is shown, in mm where the file says so."""

from __future__ import annotations

from medmodel.core import samples
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.measurement.measuring import Measured, measure, read
from medmodel.imaging.measurement.shapes import Shape
from medmodel.imaging.measurement.spacing import Source
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
    across, down = measure(source, name, options, _lines(shape), (width, height))
    return across, down


def _lines(shape: tuple[int, int]) -> list[Shape]:
    x, y = shape[1] / 2, shape[0] / 2
    return [
        Shape("line", ((x, y), (x + 1, y))),
        Shape("line", ((x, y), (x, y + 1))),
    ]


def pixel_size_of(
    data: bytes, name: str, shape: tuple[int, int], options: DecodeOptions
) -> tuple[float, float, Source] | None:
    """Height and width of a pixel in mm, and who says so; in a process of the pool.

    Args:
        data: The file.
        name: What to call it in messages.
        shape: Height and width of the image as it is shown, in pixels.
        options: With which it was decoded.

    Returns:
        None where the file does not say.

    Raises:
        ImageError: It cannot be read.
    """
    lines = [[line.kind, line.points] for line in _lines(shape)]
    size = (shape[1], shape[0])
    answer = read(data, name, None, options._asdict(), lines, size, None)
    across, down = answer["measured"]
    if not across["in_mm"]:
        return None
    return down["length"], across["length"], across["source"]
