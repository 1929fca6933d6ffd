"""Cases of `odd_files`: NIfTI files.

One volume is written with every type, header and compression, so that its middle slice
is to show the very same grey levels or colours.
"""

from __future__ import annotations

import gzip
import itertools
import re
import tempfile
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from medmodel.benchmark.odd_files import Case
from medmodel.imaging import images

Array = npt.NDArray[Any]

FOUND = {
    # file -> height, width, channels, slices, volumes, darkest and brightest level
    "nifti_gzip_two_members.nii.gz": (32, 32, 1, 16, 1, 0, 255),
    "nifti_one_nan_voxel.nii.gz": (32, 32, 1, 16, 1, 0, 255),
    "nifti_rgb24.nii.gz": (32, 32, 3, 16, 1, 0, 254),
    "nifti_shape_32x32x16x1x1.nii.gz": (32, 32, 1, 16, 1, 0, 255),
    "nifti_shape_32x32x16x3x1.nii.gz": (32, 32, 1, 16, 3, 0, 255),
    "nifti_with_header_extension_4000.nii": (32, 32, 1, 16, 1, 0, 255),
    "nifti_with_header_extension_4000.nii.gz": (32, 32, 1, 16, 1, 0, 255),
}
_WINDOW = "60/120"
_SHAPE = (20, 24, 16)
_DIAGONAL = np.diag([-1.0, 2.0, 1.0, 1.0])


def cases(folder: Path) -> Iterator[Case]:
    """Files of `found`, and what is drawn here."""
    for name, expected in FOUND.items():
        yield Case(name, partial(_summary, folder / name), expected)
    yield from drawn_cases()


def drawn_cases() -> Iterator[Case]:
    """Variants of one volume that are to show the same, and what is to be refused."""
    values = np.random.default_rng(0).integers(0, 121, _SHAPE)
    kinds = (_type_cases, _header_cases, _shape_cases, _hole_cases, _pair_cases)
    for kind in (*kinds, _refused_cases):
        yield from kind(values)


def _file(values: Array, kind: int = 1, order: str = "<", **fields: Any) -> bytes:
    """A volume as a file, with other fields in its header, which nothing checks."""
    image_class = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}[kind]
    header = image_class.header_class(endianness=order)
    header.set_data_dtype(values.dtype.newbyteorder("="))
    data = bytes(image_class(values, _DIAGONAL, header).to_bytes())
    changed = image_class.header_class(data[: header.sizeof_hdr], order, check=False)
    for name, value in fields.items():
        changed[name] = value
    return bytes(changed.binaryblock) + data[header.sizeof_hdr :]


def _same(name: str, data: bytes, expected: Array) -> Case:
    return Case(name, partial(_compared, data, expected), "the same")


def _compared(data: bytes, expected: Array) -> str:
    pixels = images.decode(data, "drawn", window=_WINDOW).pixels
    same = pixels.shape == expected.shape and (pixels == expected).all()
    return "the same" if same else f"{pixels.shape}, other pixels"


def _expected(values: Array) -> Array:
    """The middle slice, whose voxels are twice as long from front to back as wide."""
    data = _file(values.astype(np.float32))
    return images.decode(data, "plain", window=_WINDOW).pixels


def _summary(path: Path) -> tuple[int, ...]:
    decoded = images.decode(path)
    extremes = int(decoded.pixels.min()), int(decoded.pixels.max())
    return *decoded.pixels.shape, decoded.frames, decoded.series, *extremes


def _type_cases(values: Array) -> Iterator[Case]:
    expected = _expected(values)
    for kind in (1, 2):
        for order in "<>":
            for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
                data = _file(values.astype(dtype), kind, order)
                for packed in (False, True):
                    name = f"{order}{dtype}, NIfTI-{kind}{', packed' * packed}"
                    content = gzip.compress(data, 1) if packed else data
                    yield _same(name, content, expected)


def _header_cases(values: Array) -> Iterator[Case]:
    stored, expected = values.astype("<i2"), _expected(values)
    for size in (8, 600, 700, 4000, 100_000):
        image = nibabel.Nifti1Image(stored, _DIAGONAL)
        for _ in range(2):
            extension = nibabel.nifti1.Nifti1Extension(6, b"x" * size)
            image.header.extensions.append(extension)
        data = bytes(image.to_bytes())
        yield _same(f"extensions of {size} bytes", data, expected)
        yield _same(f"extensions of {size}, packed", gzip.compress(data), expected)
    plain = _file(stored)
    members = [plain[:9], plain[9:351], plain[351:4000], plain[4000:]]
    packed = b"".join(gzip.compress(member) for member in members)
    yield _same("gzip of several members", packed, expected)
    yield _same("bytes behind the voxels", plain + b"more", expected)
    yield _same("bytes behind gzip", gzip.compress(plain) + b"more", expected)
    scaled = partial(_file, ((values - 30) * 4).astype("<i2"))
    yield _same("slope", scaled(scl_slope=0.25, scl_inter=30), expected)
    negative = _file((-values).astype("<i2"), scl_slope=-1, scl_inter=0)
    yield _same("negative slope", negative, expected)
    for slope in (0, np.nan, np.inf):
        data = _file(stored, scl_slope=slope, scl_inter=5)
        yield _same(f"slope {slope}", data, expected)
    for offset in (0, 348, np.nan):
        yield _same(f"offset {offset}", _file(stored, vox_offset=offset), expected)
    nothing = [0.0, 0.0, 0.0, 0.0]
    orientations: dict[str, dict[str, Any]] = {
        "neither sform nor qform": {"sform_code": 0, "qform_code": 0},
        "sform of zeros": {"srow_x": nothing, "qform_code": 0},
        "sform of not-a-number": {"srow_y": [np.nan] * 4, "qform_code": 0},
        "impossible qform": {"sform_code": 0, "qform_code": 1, "quatern_b": 9.0},
    }
    for name, fields in orientations.items():
        yield _same(name, _file(stored, **fields), expected)


def _shape_cases(values: Array) -> Iterator[Case]:
    stored, expected = values.astype("<i2"), _expected(values)
    for more in ((1,), (1, 1), (1, 1, 1, 1), (3,), (3, 1), (3, 1, 1)):
        series = np.stack([stored, stored // 2, stored // 3], axis=-1)
        series = series[..., : more[0]].reshape(*_SHAPE, *more)
        yield _same(f"shape {series.shape}", _file(series), expected)
    flat = _file(stored[..., 8])
    yield _same("2-D", flat, expected)


def _pair_cases(values: Array) -> Iterator[Case]:
    """Header and voxels in two files: both kinds and orders, packed, in odd letters."""
    expected = _expected(values)
    names = (("x.hdr", "x.img"), ("X.HDR", "X.IMG"), ("x.hdr", "x.img.gz"))
    for kind, order in itertools.product((1, 2), "<>"):
        image_class = {1: nibabel.Nifti1Pair, 2: nibabel.Nifti2Pair}[kind]
        header = image_class.header_class(endianness=order)
        header.set_data_dtype(np.int16)
        pair = image_class(values.astype(np.int16), _DIAGONAL, header)
        maps = nibabel.Nifti1Pair.make_file_map()
        for part in maps.values():
            part.fileobj = BytesIO()
        pair.to_file_map(maps)
        contents = [maps[part].fileobj.getvalue() for part in ("header", "image")]
        for of_header, of_voxels in (
            *names,
            ("x.hdr.gz", "x.img.gz"),
            ("X.hdr", "x.img"),
        ):
            files = dict(zip((of_header, of_voxels), contents, strict=True))
            name = f"{order}, pair of NIfTI-{kind}, {of_header} and {of_voxels}"
            result = partial(_compared_pair, files, of_voxels, expected)
            yield Case(name, result, "the same")
    alone = partial(_compared_pair, {"x.img": contents[1]}, "x.img", expected)
    yield Case("voxels alone", alone, re.compile("without its header: put x.hdr"))


def _compared_pair(files: dict[str, bytes], voxels: str, expected: Array) -> str:
    """Written into a data set's folder, those called so compressed."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        for name, data in files.items():
            packed = gzip.compress(data) if name.endswith(".gz") else data
            (folder / name).write_bytes(packed)
        pixels = images.decode_data_file(folder, voxels, window=_WINDOW).pixels
    return "the same" if np.array_equal(pixels, expected) else f"{pixels.shape}, other"


def _hole_cases(values: Array) -> Iterator[Case]:
    for hole in (np.nan, np.inf, -np.inf):
        holed = values.astype(np.float32)
        holed[::3, ::2, 8] = hole
        expected = _expected(np.where(np.isfinite(holed), holed, np.nan))
        yield _same(f"voxels of {hole}", _file(holed), expected)
    for channels in ("RGB", "RGBA"):
        voxels = np.zeros(_SHAPE, [(channel, "u1") for channel in channels])
        voxels["R"] = voxels["G"] = values * 2
        if channels == "RGBA":
            voxels["A"] = 255
        square = _file(voxels, srow_y=[0, 1, 0, 0])
        colours = np.stack([voxels[channel] for channel in "RGB"], axis=-1)
        middle = colours[:, ::-1, 8].swapaxes(0, 1)
        yield _same(channels, square, middle)


def _refused_cases(values: Array) -> Iterator[Case]:
    stored = values.astype("<i2")
    for name, data, sentence in (
        ("complex", _file(values.astype(np.complex64)), "voxels hold complex numbers"),
        ("128 bits", _file(stored, datatype=1536), "voxels hold numbers of 128 bits"),
        ("bits", _file(stored, datatype=1), "voxels hold single bits"),
        (
            "vectors",
            _file(stored[..., None, None] + [1, 2]),
            "each voxel holds 2 values",
        ),
        ("pair", _file(stored, magic=b"ni1"), "only the header of a NIfTI pair"),
        ("Analyze", _file(stored, magic=b""), "only the header of an Analyze pair"),
        ("cut", _file(stored)[:-9], "damaged or incomplete"),
        ("no value", _file(np.full(_SHAPE, np.nan, "<f4")), "no voxel has a value"),
        ("constant", _file(np.full(_SHAPE, 7, "<i2")), "all voxels have the value 7"),
    ):
        result = partial(images.decode, data, "drawn")
        yield Case(name, result, re.compile(sentence))
