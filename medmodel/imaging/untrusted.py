"""Images opened in the sandbox, for processes that must stay small and quick.

A file of 12 KB may hold 100 million pixels. Here it is opened, measured, prepared
and scaled down in the sandbox; what comes back has a size that a page can hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from medmodel.core import samples
from medmodel.core.errors import DataError, ImageError, os_reason
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes import sandbox
from medmodel.imaging import images
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.windows import Pixels, Values
from medmodel.language import _

LONGEST_SIDE = 2048
"""Pixels of the longer side above which an image comes back scaled down."""


class DataFile(NamedTuple):
    """A sample of a data set, read by the sandbox as `images.decode_data_file` does.

    Args:
        folder: The data set's folder.
        sample: Path from there, with its slice or frame as `samples` names it.
    """

    folder: Path
    sample: str


@dataclass(frozen=True)
class OpenedImage:
    """An image whose pixels may be fewer than those of its file.

    Args:
        decoded: With pixels, and values if wanted, of at most the side asked for.
        width: In pixels, as the file has it.
        height: Likewise.
        digest: `images.pixel_digest` of all pixels.
        file_digest: 32 hexadecimal digits, equal for equal files.
        prepared: What a model sees, from all pixels, if that was asked for.
        measured: What the function that was asked for says of all pixels.
    """

    decoded: DecodedImage
    width: int
    height: int
    digest: str
    file_digest: str
    prepared: Pixels | None = None
    measured: dict[str, Any] = field(default_factory=dict)


def open_image(
    source: DataFile | bytes,
    name: str = "",
    options: DecodeOptions | None = None,
    longest_side: int = LONGEST_SIDE,
    preprocessing: Preprocessing | None = None,
    measure: Callable[[Pixels], Any] | None = None,
) -> OpenedImage:
    """Opens an image file of which nothing is known.

    Args:
        source: A file of a data set, or a file's content.
        name: What to call it in messages; default: the file's name.
        options: Which image of the file is meant, unless the sample's name says it.
        longest_side: Pixels of the longer side above which it is scaled down.
        preprocessing: Of `prepared`.
        measure: Module-level function of uint8 (height, width, channels), whose answer
            is a dataclass of plain values.

    Raises:
        ImageError: It cannot be read, or not within the sandbox's limits.
        DataError: A file of a data set is not there any more, cannot be opened, or
            lies outside the allowed roots.
    """
    fields = ask(
        f"{__name__}:read",
        source,
        name,
        options=(options or DecodeOptions())._asdict(),
        longest_side=longest_side,
        preprocessing=asdict(preprocessing) if preprocessing else None,
        measure=f"{measure.__module__}:{measure.__qualname__}" if measure else "",
    )
    decoded = {key: fields.pop(key) for key in DecodedImage.__dataclass_fields__}
    return OpenedImage(images.from_fields(decoded), **fields)


def ask(
    function: str,
    source: DataFile | bytes,
    name: str,
    seconds: int = sandbox.PAGE_SECONDS,
    **arguments: Any,
) -> dict[str, Any]:
    """Runs `function(data, name, file, **arguments)` in the sandbox.

    Args:
        function: As in `sandbox.ask`; it finds the file's content by `content`.
        source: A file of a data set, or a file's content.
        name: What to call it in messages; "" for the file's name.
        seconds: Wall time until it is given up.
        **arguments: Must survive JSON.

    Raises:
        ImageError: As `open_image`.
        DataError: Likewise.
    """
    file = source if isinstance(source, DataFile) else None
    data = b"" if isinstance(source, DataFile) else source
    name = name or (Path(file.sample).name if file else _("The image"))
    if not file and not data:
        raise ImageError(_("{name} is empty (0 bytes).", name=name))
    try:
        return sandbox.ask(
            function,
            data,
            name,
            seconds=seconds,
            file=[str(file.folder), file.sample] if file else None,
            **arguments,
        )
    except FileNotFoundError as error:
        raise DataError(
            _("The image {name} is not in the data set any more.", name=name)
        ) from error
    except OSError as error:
        raise DataError(
            _(
                "{name} cannot be opened: {reason}.",
                name=name,
                reason=os_reason(error),
            )
        ) from error


def content(
    data: bytes, file: tuple[str, str] | None, options: dict[str, Any]
) -> tuple[bytes, DecodeOptions]:
    """In the sandbox: a file's content, and which image of it is meant.

    Args:
        data: The content, unless it is a file of a data set.
        file: The fields of a `DataFile`.
        options: The fields of `DecodeOptions`; the sample's name counts before them.

    Raises:
        ImageError: It is too large.
        OSError: It cannot be read.
    """
    chosen = DecodeOptions(**options)
    if not file:
        return data, chosen
    path, part = samples.split(file[1])
    if part is not None:
        axis = chosen.axis if part.kind == "frame" else part.kind
        chosen = chosen._replace(frame=part.number, axis=axis)
    return images.read_data_file(Path(file[0]), path), chosen


def open_for_model(
    source: DataFile | bytes,
    name: str,
    preprocessing: Preprocessing,
    options: DecodeOptions | None = None,
    measure: Callable[[Pixels], Any] | None = None,
) -> tuple[OpenedImage, int]:
    """Opens an image file as a model sees it, with the frame that the model wants.

    Args:
        source: As for `open_image`, like `name` and `measure`.
        name: What to call it in messages.
        preprocessing: The model's; says window, axis and frame.
        options: Which image of the file is meant, where somebody says so.
        measure: As for `open_image`.

    Returns:
        The image, and the frame that was asked for, from 0; -1 for none, see
        `DecodeOptions`.

    Raises:
        ImageError: As `open_image`.
        DataError: Likewise.
    """
    chosen = options or DecodeOptions(preprocessing.window, axis=preprocessing.axis)
    opened = open_image(
        source, name, chosen, preprocessing=preprocessing, measure=measure
    )
    frames = opened.decoded.frames if opened.decoded.format != "NIfTI" else 1
    if options is None and preprocessing.frame and frames > 1:
        # Of files with fewer frames the last one.
        chosen = chosen._replace(frame=min(preprocessing.frame, frames - 1))
        opened = open_image(
            source, name, chosen, preprocessing=preprocessing, measure=measure
        )
    return opened, chosen.frame


def read(
    data: bytes,
    name: str,
    file: tuple[str, str] | None,
    options: dict[str, Any],
    longest_side: int,
    preprocessing: dict[str, Any] | None,
    measure: str,
) -> dict[str, Any]:
    """What the sandbox runs: the fields of an `OpenedImage` and its `DecodedImage`.

    Raises:
        ImageError: As `open_image`.
        OSError: Likewise.
    """
    data, chosen = content(data, file, options)
    decoded = images.decode(data, name, **chosen._asdict())
    pixels = decoded.pixels
    return vars(reduced(decoded, longest_side)) | {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "digest": images.pixel_digest(pixels),
        "file_digest": hashlib.blake2b(data, digest_size=16).hexdigest(),
        "prepared": preprocessing
        and images.prepare_image(pixels, Preprocessing(**preprocessing)),
        "measured": _measured(pixels, measure),
    }


def _measured(pixels: Pixels, function: str) -> dict[str, Any]:
    if not function:
        return {}
    answer = sandbox.function_named(function)(pixels)
    assert is_dataclass(answer) and not isinstance(answer, type)
    return asdict(answer)


def reduced(decoded: DecodedImage, longest_side: int) -> DecodedImage:
    """The image with its longer side so many pixels at most, values likewise.

    A value is then the mean of a block of equal sides, and not-a-number where one of
    the block's is.
    """
    pixels = images.thumbnail(decoded.pixels, longest_side)
    values = decoded.values
    if values is not None and max(values.shape) > longest_side:
        values = _block_means(values, -(-max(values.shape) // longest_side))
    return replace(decoded, pixels=pixels, values=values)


def _block_means(values: Values, side: int) -> Values:
    height, width = (max(length // side, 1) for length in values.shape)
    rows, columns = min(side, values.shape[0]), min(side, values.shape[1])
    blocks = values[: height * rows, : width * columns]
    means = blocks.reshape(height, rows, width, columns).mean(axis=(1, 3))
    return np.asarray(means, np.float32)
