"""NIfTI volumes in two files, x.hdr and x.img, as one: each may be compressed.

The image is x.img; x.hdr is read with it. Two members of a gzip file are one, so that
nothing is decompressed here.

https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields (magic, vox_offset)
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from medmodel.core.errors import ImageError
from medmodel.language import _

VOXELS = (".img", ".img.gz")
HEADERS = (".hdr", ".hdr.gz")


class _Form(NamedTuple):
    """Where a header keeps what makes it one of a pair.

    Args:
        magic: Position of its first letters, "ni1" or "ni2", of a pair.
        offset: Position of where voxels begin.
        kind: How that number is written, for `struct`.
    """

    magic: int
    offset: int
    kind: str


_FORMS = {348: _Form(344, 108, "f"), 540: _Form(4, 168, "q")}
"""Length of a header, as its first four bytes say it -> its form (NIfTI-1, NIfTI-2)."""


def is_voxels(name: str) -> bool:
    """Whether a file holds the voxels of a pair, by its name."""
    return name.casefold().endswith(VOXELS)


def header_beside(name: str, names: Collection[str]) -> str:
    """Which of the files beside "x.img" is "x.hdr"; "" if none is."""
    if not is_voxels(name):
        return ""
    base = _base(name)
    headers = [n for n in names if n.casefold().endswith(HEADERS) and _base(n) == base]
    return min(headers, default="")


def header_path(folder: Path, path: str) -> str:
    """Path in a data set of the header of "x.img" beside it; "" if there is none."""
    above, _, name = path.rpartition("/")
    if not is_voxels(name):
        return ""
    base = name[: -len(".img.gz")] if name.endswith(".gz") else name[: -len(".img")]
    for usual in HEADERS:
        if (folder / above / (base + usual)).is_file():
            return f"{above}/{base}{usual}" if above else base + usual
    try:
        names = [entry.name for entry in (folder / above).iterdir()]
    except OSError:
        return ""
    header = header_beside(name, names)
    return f"{above}/{header}" if above and header else header


def joined(header: bytes, voxels: bytes) -> bytes:
    """One file of a header and its voxels; the voxels where it is no pair's header.

    Raises:
        ImageError: The header is damaged.
    """
    start = _first_bytes(header, max(_FORMS))
    for order in "<>":
        form = _FORMS.get(struct.unpack(f"{order}i", start[:4].ljust(4, b"\0"))[0])
        if form is None:
            continue
        length = 348 if form.kind == "f" else 540
        if start[form.magic : form.magic + 2] != b"ni" or len(start) < length:
            return voxels
        whole = bytearray(start[:length] + bytes(4))
        whole[form.magic + 1 : form.magic + 2] = b"+"
        kind = f"{order}{form.kind}"
        (offset,) = struct.unpack_from(kind, whole, form.offset)
        struct.pack_into(kind, whole, form.offset, max(offset, 0) + len(whole))
        compressed = voxels[:2] == b"\x1f\x8b"
        return (gzip.compress(whole, 0) if compressed else bytes(whole)) + voxels
    return voxels


def _first_bytes(header: bytes, size: int) -> bytes:
    from medmodel.imaging.scans import gunzip  # not where only names are wanted

    if header[:2] != b"\x1f\x8b":
        return header
    try:
        return gunzip(header, size)
    except zlib.error as error:
        raise ImageError(_("The header of the NIfTI pair is damaged.")) from error


def without_header(name: str) -> ImageError:
    """What to say of voxels without a header."""
    header = f"{name[: -len('.img.gz')] if name.endswith('.gz') else name[:-4]}.hdr"
    return ImageError(
        _(
            "{name} holds the voxels of a volume without its header: put "
            "{header} beside it, or save the volume as one .nii file.",
            name=name,
            header=header,
        )
    )


def _base(name: str) -> str:
    plain = name.casefold().removesuffix(".gz")
    return plain[: -len(".img")]
