"""Every encoding gives the same values.

Drawn scans of every kind: test_scan_variants.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from medmodel.core.errors import ImageError
from medmodel.imaging import codecs, images, scans
from medmodel.imaging.dicom import reading
from medmodel.imaging.windows import scale_to_uint8
from tests.dicom_files import dicom_bytes, dicom_dataset, encapsulated_file, ramp

RealData = Callable[[str], Path]


def values(data: bytes) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = reading.read(data, "x.dcm", values=True)["values"]
    return found


@pytest.mark.parametrize(
    ("syntax", "package"),
    [
        (RLELossless, "pylibjpeg-rle"),
        ("1.2.840.10008.1.2.4.50", "python-gdcm"),
        ("1.2.840.10008.1.2.4.81", "python-gdcm"),
        ("1.2.840.10008.1.2.4.90", "pylibjpeg-openjpeg"),
        ("1.2.840.10008.1.2.4.91", "pylibjpeg-openjpeg"),
        ("1.2.840.10008.1.2.4.201", "pylibjpeg-openjpeg"),
    ],
)
def test_the_package_that_decodes(syntax: str, package: str) -> None:
    assert codecs.package_for(UID(syntax)) == package


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_other_uncompressed_encodings(syntax: str) -> None:
    data = dicom_bytes(dicom_dataset(ramp()), syntax)
    assert values(data).ravel().tolist() == list(range(16))


def test_big_endian() -> None:
    data = dicom_bytes(dicom_dataset(ramp(">i2")), ExplicitVRBigEndian)
    assert values(data).ravel().tolist() == list(range(16))


def test_rle() -> None:
    dataset = dicom_dataset(ramp("<u2", 0, 300))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.compress(RLELossless)
    data = dicom_bytes(dataset, RLELossless)
    assert (values(data) == ramp("<u2", 0, 300)).all()


ORDERS: dict[str, str] = {
    ImplicitVRLittleEndian: "<",
    ExplicitVRLittleEndian: "<",
    DeflatedExplicitVRLittleEndian: "<",
    ExplicitVRBigEndian: ">",
}


@pytest.mark.parametrize("syntax", ORDERS)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("high", "write"),
    [
        (11, lambda cells: cells & 0xFFF),
        (11, lambda cells: cells & 0xFFF | 0xA000),  # an overlay in the upper bits
        (15, lambda cells: cells << 4),  # in the upper bits, as old files have them
        (13, lambda cells: cells << 2 & 0x3FFF),
        (15, lambda cells: cells << 4 | 5),  # an overlay in the lowest bits
        (15, lambda cells: cells & 0xFFF),  # said by mistake
        (7, lambda cells: cells & 0xFFF),  # impossible
        (20, lambda cells: cells & 0xFFF),
    ],
)
def test_twelve_bits_wherever_they_lie(
    syntax: str, signed: bool, high: int, write: Callable[[Any], Any]
) -> None:
    expected = ramp("<i2", -900 if signed else 30, 121)
    cells = (write(expected.astype(int)) & 0xFFFF).astype(f"{ORDERS[syntax]}u2")
    facts = {"BitsStored": 12, "HighBit": high, "PixelRepresentation": int(signed)}
    assert (
        values(dicom_bytes(dicom_dataset(cells, **facts), syntax)) == expected
    ).all()


@pytest.mark.parametrize("syntax", ORDERS)
def test_single_bits_of_frames_that_begin_within_a_byte(syntax: str) -> None:
    frames = np.random.default_rng(0).integers(0, 2, (3, 5, 5), np.uint8)
    facts = {"NumberOfFrames": 3, "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}
    dataset = dicom_dataset(frames, **facts)
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    for number, frame in enumerate(frames):
        answer = reading.read(dicom_bytes(dataset, syntax), "x.dcm", frame=number)
        assert (answer["pixels"][..., 0] == frame * 255).all()


@pytest.mark.parametrize("kind", ["u4", "i4"])
def test_values_of_32_bits(kind: str) -> None:
    stored = ramp(f"<{kind}", -700000 if kind == "i4" else 5, 100000)
    data = dicom_bytes(dicom_dataset(stored, RescaleSlope=2, RescaleIntercept=1))
    assert (values(data) == stored.astype(float) * 2 + 1).all()


@pytest.mark.parametrize(
    ("kind", "keyword", "bits"),
    [("f4", "Float", 32), ("f8", "DoubleFloat", 64)],
)
def test_values_with_decimals(kind: str, keyword: str, bits: int) -> None:
    """PS3.3 C.7.6.24 and C.7.6.25; what is not finite is no value."""
    stored = ramp(f"<{kind}") / 4
    stored[0] = np.nan, np.inf, -np.inf, -7
    dataset = dicom_dataset(ramp("u1"), BitsAllocated=bits)
    for absent in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, absent)
    setattr(dataset, f"{keyword}PixelData", stored.tobytes())
    setattr(dataset, f"{keyword}PixelPaddingValue", -7.0)
    answer = reading.read(dicom_bytes(dataset), "x.dcm", values=True)
    assert np.isnan(answer["values"][0]).all() and (answer["pixels"][0] == 0).all()
    assert (answer["values"][1:] == stored[1:]).all() and answer["pixels"].max() == 255


def test_8_bits_in_words_of_a_big_endian_file() -> None:
    dataset = dicom_dataset(ramp("u1"))
    dataset.PixelData = np.frombuffer(dataset.PixelData, "u2").byteswap().tobytes()
    dataset["PixelData"].VR = "OW"
    assert (values(dicom_bytes(dataset, ExplicitVRBigEndian)) == ramp("u1")).all()


JPEG_LS = {
    # Values that rise by 1 and by 2 from one pixel to the next, 8 x 8.
    6: "ffd8fff7000b060008000801011100ffda0008010100000000"
    "bfff004af4017f3bfb3fabfa3ff7f0ffd9",
    7: "ffd8fff7000b070008000801011100ffda0008010100000000"
    "9b7ef00008956400017e9efe73f9afec7f5bf8ffd9",
}


@pytest.mark.parametrize("bits", JPEG_LS)
def test_jpeg_ls_of_6_and_7_bits(bits: int) -> None:
    stored = (np.arange(64) * (bits - 5) % 2**bits).reshape(8, 8).astype(np.uint8)
    dataset = dicom_dataset(stored, BitsStored=bits, HighBit=bits - 1)
    coded = bytes.fromhex(JPEG_LS[bits])
    data = encapsulated_file(dataset, "1.2.840.10008.1.2.4.80", coded)
    assert (values(data) == stored).all()


def coded(codec: str, pixels: Any, **options: Any) -> bytes:
    import imagecodecs

    return bytes(getattr(imagecodecs, f"{codec}_encode")(pixels, **options))


LOSSLESS: list[tuple[str, str, dict[str, Any]]] = [
    ("80", "jpegls", {}),
    ("90", "jpeg2k", {"level": 0, "codecformat": "j2k"}),
    ("110", "jpegxl", {"lossless": True}),
    ("112", "jpegxl", {"lossless": True}),
    ("201", "htj2k", {}),
    ("202", "htj2k", {}),
    ("203", "htj2k", {}),
]


@pytest.mark.parametrize(("number", "codec", "options"), LOSSLESS)
@pytest.mark.parametrize(
    ("kind", "bits"), [("u1", 8), ("<u2", 12), ("<u2", 16), ("<i2", 12), ("<i2", 16)]
)
def test_compressed_without_loss(
    number: str, codec: str, options: dict[str, Any], kind: str, bits: int
) -> None:
    start = -900 if "i" in kind else 3
    rising = np.arange(1024).reshape(32, 32) * (1900 if bits > 8 else 200) // 1024
    stored = (start + rising).astype(kind)
    if kind == "<i2" and codec in ("jpegls", "jpegxl"):
        plain = (stored.astype(int) & (2**bits - 1)).astype("<u2")  # they know no signs
    else:
        plain = stored
    dataset = dicom_dataset(stored, BitsStored=bits, HighBit=bits - 1)
    frame = coded(codec, plain, **options)
    data = encapsulated_file(dataset, f"1.2.840.10008.1.2.4.{number}", frame)
    assert (values(data) == stored).all()


@pytest.mark.parametrize("number", ["110", "112"])
def test_frames_in_colour_as_jpeg_xl(number: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    frames = [coded("jpegxl", frame, lossless=True) for frame in pixels]
    for kind in ("RGB", "YBR_FULL"):  # the decoder gives RGB, whatever was stored
        facts = {"NumberOfFrames": 2, "PhotometricInterpretation": kind}
        dataset = dicom_dataset(pixels, **facts)
        data = encapsulated_file(dataset, f"1.2.840.10008.1.2.4.{number}", *frames)
        answer = reading.read(data, "x.dcm", frame=1)
        assert (answer["pixels"] == pixels[1]).all()


@pytest.mark.parametrize("stored_as", ["rgb", "ycbcr"])
@pytest.mark.parametrize("marked", [False, True])
def test_jpeg_of_12_bits_in_colour(stored_as: str, marked: bool) -> None:
    """What the JPEG says of its colours counts, else what the header says."""
    ramps = np.add.outer(np.arange(32) * 60, np.arange(32) * 60)
    pixels = np.stack([ramps, 4000 - ramps, ramps // 2], -1).astype("<u2")
    frame = coded("jpeg8", pixels, level=99, bitspersample=12, outcolorspace=stored_as)
    if not marked:
        frame = without_markers(frame)
    said = "RGB" if (stored_as == "rgb") != marked else "YBR_FULL"
    facts = {"PhotometricInterpretation": said, "BitsStored": 12, "HighBit": 11}
    data = encapsulated_file(
        dicom_dataset(pixels, **facts), "1.2.840.10008.1.2.4.51", frame
    )
    answer = reading.read(data, "x.dcm")
    expected = scale_to_uint8(pixels, "")
    assert np.abs(answer["pixels"].astype(int) - expected).max() <= 4
    assert answer["mode"] == "RGB, 12 bits"


@pytest.mark.parametrize("number", ["53", "55"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_in_several_scans(number: str, mode: str) -> None:
    """Retired, and in no decoder of pydicom: ITU T.81 G, progressive."""
    ramps = np.add.outer(np.arange(32) * 3, np.arange(32) * 4).astype(np.uint8)
    image = Image.fromarray(ramps).convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, progressive=True)
    dataset = dicom_dataset(np.asarray(image))
    syntax = f"1.2.840.10008.1.2.4.{number}"
    data = encapsulated_file(dataset, syntax, file.getvalue())
    pixels = reading.read(data, "x.dcm", window=(127.5, 255, "LINEAR_EXACT"))["pixels"]
    assert np.abs(pixels[..., 0].astype(int) - ramps).max() <= 5


def without_markers(frame: bytes) -> bytes:
    """A JPEG whose application segments, which tell its colours, are left out."""
    rest = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in codecs._segments(frame)
        if marker not in (0xE0, 0xEE)
    )
    scan = frame.index(b"\xff\xda")
    header = frame[scan + 4 : scan + 2 + int.from_bytes(frame[scan + 2 : scan + 4])]
    assert rest.endswith(header)
    return b"\xff\xd8" + rest + frame[scan + 4 + len(header) :]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("50", "JPEG Baseline (Process 1)"),
        ("51", "JPEG Extended (Process 2 and 4)"),
        ("80", "JPEG-LS Lossless Image Compression"),
        ("90", "JPEG 2000 Image Compression (Lossless Only)"),
        ("110", "JPEG XL Lossless"),
        ("203", "High-Throughput JPEG 2000 Image Compression"),
    ],
)
def test_damaged_frames_say_how_they_are_encoded(number: str, name: str) -> None:
    for content in (b"no image", b"\xff\xd8\xff\xd9", b"\xff\x0a" + bytes(60)):
        data = encapsulated_file(
            dicom_dataset(ramp("u1")), f"1.2.840.10008.1.2.4.{number}", content
        )
        with pytest.raises(ImageError) as caught:
            reading.read(data, "x.dcm")
        assert str(caught.value).startswith(
            f"x.dcm cannot be read: its pixel data ({name}) is damaged or incomplete."
        )


@pytest.mark.parametrize("number", ["80", "90", "110", "201"])
def test_frames_of_another_size_are_damaged(number: str) -> None:
    codec, options = next((c, o) for n, c, o in LOSSLESS if n == number)
    frame = coded(codec, np.arange(1024, dtype=np.uint8).reshape(32, 32), **options)
    dataset = dicom_dataset(ramp("u1"))
    sentence = "its frame 1 has 32 × 32 pixels" if number == "80" else "is damaged"
    with pytest.raises(ImageError, match=sentence):
        reading.read(
            encapsulated_file(dataset, f"1.2.840.10008.1.2.4.{number}", frame), "x.dcm"
        )


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_compressed_though_the_header_says_otherwise(syntax: str) -> None:
    """Longer than the image would be: its bytes must not be taken for values."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    dataset = dicom_dataset(noise)
    dataset.PixelData = encapsulate([coded("jpegls", noise) + bytes(400)])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    place = dicom_bytes(dicom_dataset(noise), syntax)
    buffer = DicomBytesIO(place[: place.index(b"\x08\x00\x16\x00")])
    buffer.seek(0, 2)
    buffer.is_little_endian = True
    buffer.is_implicit_VR = syntax == ImplicitVRLittleEndian
    write_dataset(buffer, dataset)
    with pytest.raises(ImageError, match="its pixel data is compressed, while"):
        reading.read(buffer.getvalue(), "x.dcm")


def test_whatever_a_decoder_raises_is_the_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = dicom_bytes(dicom_dataset(ramp()))
    for error in (
        ImportError("Tilda"),
        AssertionError(),
        RecursionError(),
        BufferError(),
    ):

        def fail(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(codecs, "_plain_values", fail)
        with pytest.raises(
            ImageError, match=r"x.dcm cannot be read: its pixel data"
        ) as e:
            reading.read(data, "x.dcm")
        assert "Tilda" not in str(e.value)


def test_file_without_preamble_and_meta() -> None:
    whole = dicom_bytes(dicom_dataset(ramp()), ImplicitVRLittleEndian)
    bare = whole[whole.index(b"\x08\x00\x16\x00") :]
    assert scans.is_dicom(bare)
    assert (values(bare) == ramp()).all()


def test_the_same_picture_in_every_encoding(real_data: RealData) -> None:
    folder = real_data("dicom") / "ok" / "MR"
    first, *others = [
        images.decode(p, window="file").pixels for p in folder.glob("MR_small*")
    ]
    assert len(others) == 6
    assert all((first == other).all() for other in others)


def test_jpeg_of_12_bits_like_its_lossless_twin(real_data: RealData) -> None:
    folder = real_data("dicom") / "ok" / "NM"
    coded = images.decode(folder / "JPGExtended.dcm", window="file", values=True).values
    exact = images.decode(folder / "JPEG-LL.dcm", window="file", values=True).values
    assert coded is not None and exact is not None
    assert np.abs(coded - exact).max() < 60  # lossy: the largest counts are 278
    assert np.corrcoef(coded.ravel(), exact.ravel())[0, 1] > 0.98


def jpeg(components: int = 1, scan: bytes = b"\x00\x3f\x00") -> bytes:
    """Segments of a sequential JPEG of 12 bits up to its scan: ITU T.81 B.2."""
    frame = struct.pack(">BHHB", 12, 4, 4, components) + bytes(3 * components)
    start = bytes([components]) + bytes(2 * components) + scan
    segments = ((0xC1, frame), (0xDA, start))
    return b"\xff\xd8" + b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
    )


def test_jpeg_of_12_bits_must_be_one_full_scan() -> None:
    codecs._check_scan(jpeg())
    codecs._check_scan(jpeg(components=3))
    for scan in (b"\x01\x3f\x00", b"\x00\x3e\x00"):
        with pytest.raises(ValueError, match="incomplete scan"):
            codecs._check_scan(jpeg(scan=scan))
    with pytest.raises(ValueError, match="no scan"):
        codecs._check_scan(jpeg()[:12])
