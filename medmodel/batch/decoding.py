"""Images of a batch decoded in processes of the pool, block by block, one block ahead.

A block's pixels lie in a file that is mapped into memory, and the next but one block
takes its place: memory and disk stay as small for 100,000 images as for 1,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medmodel.batch.images import BatchImage
from medmodel.core import samples
from medmodel.core.errors import ImageError, os_reason
from medmodel.core.job import Job
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.processes import pool
from medmodel.core.regular_files import open_for_writing
from medmodel.core.storage import set_irregular_aside
from medmodel.data.decoding.unfinished_array import write_at
from medmodel.evaluation.ood.traits import ImageTraits, image_traits
from medmodel.imaging import images
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.measurement.pixel_spacing import pixel_size_of
from medmodel.language import _

BLOCK = 256
"""Images that are decoded while the model is asked about as many."""
_SCANS = ("DICOM", "NIfTI")


@dataclass(frozen=True)
class ImageFacts:
    """What is known of one image of a batch before the model is asked.

    Args:
        path: Of its file.
        problem: Why it cannot be read; "" if it can.
        digest: As in the index of a data set, see `images.pixel_digest`.
        side: As in `ImageTraits`.
        colour: Likewise.
        frame: Which frame, page or slice was taken, from 0.
        frames: How many there are.
        height: Of the image as it is shown, in pixels.
        width: Likewise.
        pixel_size: Height and width of a pixel in mm and who says so, see
            `spacing.Source`; None where that was not asked or the file does not say.
    """

    path: str
    problem: str = ""
    digest: str = ""
    side: int = 0
    colour: float = 0.0
    frame: int = 0
    frames: int = 1
    height: int = 0
    width: int = 0
    pixel_size: tuple[float, float, str] | None = None

    @property
    def traits(self) -> ImageTraits:
        """What the comparison with training images wants to know."""
        return ImageTraits(self.side, self.colour)


@dataclass(frozen=True)
class Block:
    """Some images of a batch.

    Args:
        images: As they were asked for.
        facts: Of each.
        pixels: uint8 (images, height, width, channels), prepared for the model; of an
            image with a problem they mean nothing.
    """

    images: list[BatchImage]
    facts: list[ImageFacts]
    pixels: NDArray[np.uint8]


def decoded_blocks(
    batch: Sequence[BatchImage],
    folder: Path,
    preprocessing: Preprocessing,
    scratch: Path,
    job: Job,
    measured: bool = False,
) -> Iterator[Block]:
    """Decodes the images of a batch; the next block while the caller works on one.

    Args:
        batch: The images.
        folder: Where they lie.
        preprocessing: The model's.
        scratch: Folder for the two files of pixels, which are removed in the end.
        job: Asked whether to go on.
        measured: Whether the size of a pixel is wanted, too.

    Raises:
        Cancelled: By the job.
        OSError: The disk is full or fails.
    """
    blocks = [list(batch[at : at + BLOCK]) for at in range(0, len(batch), BLOCK)]
    places = [scratch / f"pixels-{n}.part" for n in range(2)]

    def decode(at: int) -> Block:
        place = places[at % 2]
        return _decode_block(blocks[at], folder, preprocessing, place, job, measured)

    with ThreadPoolExecutor(1) as ahead:
        try:
            following = ahead.submit(decode, 0) if blocks else None
            for at in range(len(blocks)):
                assert following is not None
                block = following.result()
                last = at + 1 == len(blocks)
                following = None if last else ahead.submit(decode, at + 1)
                yield block
        finally:
            ahead.shutdown(cancel_futures=True)
            for place in places:
                place.unlink(missing_ok=True)


def _decode_block(
    block: list[BatchImage],
    folder: Path,
    preprocessing: Preprocessing,
    place: Path,
    job: Job,
    measured: bool,
) -> Block:
    shape = (len(block), *preprocessing.shape)
    set_irregular_aside(place)
    with open_for_writing(place.parent, place.name) as file:
        file.truncate(int(np.prod(shape)))
    facts = {
        image.path: ImageFacts(image.path, image.problem)
        for image in block
        if image.problem
    }
    rows = [(at, im.path) for at, im in enumerate(block) if not im.problem]
    chunks = pool.map_chunks(
        decode_chunk,
        rows,
        str(folder),
        str(place),
        asdict(preprocessing),
        measured,
        cancelled=job.cancelled,
        few=0,
    )
    for chunk, answers in chunks:
        if answers is None:
            answers = [{"path": path, "problem": pool.NO_ANSWER} for _at, path in chunk]
        for answer in answers:
            facts[answer["path"]] = ImageFacts(**answer)
    # As a plain array: every slice of a memmap would be a memmap, made in Python.
    pixels = np.asarray(np.memmap(place, np.uint8, "r", shape=shape))
    return Block(block, [facts[image.path] for image in block], pixels)


def decode_chunk(
    rows: list[tuple[int, str]],
    folder: str,
    place: str,
    preprocessing: dict[str, Any],
    measured: bool = False,
) -> list[dict[str, Any]]:
    """Writes some images to their places in a block's file; runs in the pool.

    Args:
        rows: (position in the block, path) of each image.
        folder: Where they lie.
        place: The block's file.
        preprocessing: Fields of `Preprocessing`.
        measured: As for `decoded_blocks`.

    Returns:
        Fields of `ImageFacts` of each.
    """
    wanted = Preprocessing(**preprocessing)
    facts = []
    with Path(place).open("r+b", buffering=0) as file:
        for position, path in rows:
            try:
                fact, pixels = _read(Path(folder), path, wanted, measured)
            except ImageError as error:
                facts.append({"path": path, "problem": str(error)})
                continue
            except OSError as error:
                problem = _(
                    "{name} cannot be opened: {reason}.",
                    name=path,
                    reason=os_reason(error),
                )
                facts.append({"path": path, "problem": problem})
                continue
            # Written, not mapped: a full disk is then an error, not the end of all.
            write_at(file.fileno(), pixels, position * pixels.nbytes)
            facts.append(asdict(fact))
    return facts


def _read(
    folder: Path, path: str, wanted: Preprocessing, measured: bool
) -> tuple[ImageFacts, images.Pixels]:
    """One image as the model sees it, with the frame that Diagnose takes.

    Raises:
        ImageError: It cannot be read.
        OSError: The file cannot be opened.
    """
    file, _part = samples.split(path)
    content, name = images.read_data_file(folder, file), Path(file).name
    usual = images.decode(content, name)
    options = DecodeOptions(wanted.window, axis=wanted.axis)
    if usual.format != "NIfTI" and wanted.frame and usual.frames > 1:
        # Of files with fewer frames the last one.
        options = options._replace(frame=min(wanted.frame, usual.frames - 1))
    if usual.format not in _SCANS:  # which alone have windows and axes
        options = options._replace(window="auto", axis="axial")
    chosen = usual
    if options != DecodeOptions():
        chosen = images.decode(content, name, **options._asdict())
    traits = image_traits(chosen.pixels)
    # A scan's digest is that of how it opens by itself, as in an index.
    told = usual if usual.format in _SCANS else chosen
    shape = chosen.pixels.shape[0], chosen.pixels.shape[1]
    scan = usual.format in _SCANS  # which alone say how large a pixel is
    fact = ImageFacts(
        path=path,
        digest=images.pixel_digest(told.pixels),
        side=traits.side,
        colour=traits.colour,
        frame=_frame(chosen, options),
        frames=chosen.frames,
        height=shape[0],
        width=shape[1],
        pixel_size=pixel_size_of(content, name, shape, options)
        if measured and scan
        else None,
    )
    return fact, images.prepare_image(chosen.pixels, wanted)


def _frame(decoded: DecodedImage, options: DecodeOptions) -> int:
    if decoded.format == "NIfTI":
        return decoded.frames // 2
    # Of a DICOM file whose first frame is blank it is a later one.
    return max(options.frame, decoded.frame, 0)
