"""Images opened in the sandbox come back as a page needs them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medmodel.core.errors import DataError, ImageError
from medmodel.core.preprocessing import Preprocessing
from medmodel.evaluation.ood.traits import image_traits
from medmodel.imaging import images, untrusted
from medmodel.imaging.decoded_image import DecodedImage, DecodeOptions
from medmodel.imaging.untrusted import DataFile, open_for_model, open_image
from tests.dicom_files import dicom_file

LARGE = np.arange(900 * 300 * 3, dtype=np.uint32).astype(np.uint8).reshape(300, 900, 3)


def test_all_pixels_count_though_few_come_back() -> None:
    data = images.png_bytes(LARGE)
    preprocessing = Preprocessing(64, "crop", "grey")
    opened = open_image(
        data, "a.png", None, 90, preprocessing=preprocessing, measure=image_traits
    )
    assert opened.decoded.pixels.shape == (30, 90, 3)
    assert (opened.width, opened.height) == (900, 300)
    assert opened.digest == images.pixel_digest(LARGE)
    assert opened.file_digest == hashlib.blake2b(data, digest_size=16).hexdigest()
    expected = images.prepare_image(LARGE, preprocessing)
    assert opened.prepared is not None and (opened.prepared == expected).all()
    assert opened.measured == vars(image_traits(LARGE))


def test_small_images_come_back_as_they_are() -> None:
    opened = open_image(images.png_bytes(LARGE), longest_side=900)
    assert (opened.decoded.pixels == LARGE).all()
    assert opened.prepared is None and opened.measured == {}


def test_options_arrive() -> None:
    frames = np.stack([np.eye(16, dtype="<i2") * n for n in (1, 2, 3)])
    data = dicom_file(frames, NumberOfFrames=3)
    options = DecodeOptions("40/400", frame=2, values=True)
    opened = open_image(data, "a.dcm", options).decoded
    expected = images.decode(data, "a.dcm", "40/400", 2, values=True)
    assert opened.window == expected.window and opened.frames == 3
    assert opened.values is not None and expected.values is not None
    assert (opened.values == expected.values).all()


def test_values_are_means_of_blocks() -> None:
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    values[3, 5] = np.nan
    decoded = DecodedImage(np.zeros((4, 6, 1), np.uint8), "DICOM", "", 1, values=values)
    few = untrusted.reduced(decoded, 3).values
    assert few is not None and few.dtype == np.float32
    assert few[0].tolist() == [3.5, 5.5, 7.5] and few[1, :2].tolist() == [15.5, 17.5]
    assert np.isnan(few[1, 2])
    same = untrusted.reduced(decoded, 6).values
    assert same is values
    strip = DecodedImage(
        np.zeros((1, 6, 1), np.uint8), "DICOM", "", 1, values=values[:1]
    )
    few = untrusted.reduced(strip, 2).values
    assert few is not None and few.tolist() == [[1, 4]]


def test_a_file_of_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    place = tmp_path / "a" / "1.png"
    place.write_bytes(images.png_bytes(LARGE))
    opened = open_image(DataFile(tmp_path, "a/1.png"))
    assert opened.digest == images.pixel_digest(LARGE)
    with pytest.raises(DataError, match=r"^The image 2\.png is not in the data set"):
        open_image(DataFile(tmp_path, "a/2.png"))
    place.write_bytes(b"none")
    with pytest.raises(ImageError, match=r"^1\.png is not an image"):
        open_image(DataFile(tmp_path, "a/1.png"))


def test_nothing_outside_a_data_set_is_read(tmp_path: Path) -> None:
    inside, secret = tmp_path / "inside", tmp_path / "secret.png"
    inside.mkdir()
    secret.write_bytes(images.png_bytes(LARGE))
    (inside / "link.png").symlink_to(secret)
    for sample in ("../secret.png", "link.png", str(secret)):
        with pytest.raises(DataError, match="cannot be opened"):
            open_image(DataFile(inside, sample))


def test_a_frame_of_a_data_set_is_named_by_its_sample(tmp_path: Path) -> None:
    frames = np.stack([np.eye(16, dtype="<i2") * n for n in (1, 2, 3)])
    data = dicom_file(frames, NumberOfFrames=3)
    (tmp_path / "a.dcm").write_bytes(data)
    opened = open_image(DataFile(tmp_path, "a.dcm#frame=3"), options=DecodeOptions())
    assert opened.digest == images.pixel_digest(images.decode(data, frame=2).pixels)


def test_nothing_is_no_image() -> None:
    with pytest.raises(ImageError, match=r"^a\.png is empty"):
        open_image(b"", "a.png")
    with pytest.raises(ImageError, match=r"^The image is empty"):
        open_image(b"")


def test_frames_that_are_asked_for(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((40, 40), n, np.uint8)) for n in (0, 99, 255)]
    file = tmp_path / "pages.tif"
    pages[0].save(file, save_all=True, append_images=pages[1:])
    content = file.read_bytes()

    def level(frame: int, options: DecodeOptions | None = None) -> tuple[int, int]:
        wanted = Preprocessing(size=32, frame=frame)
        opened, asked = open_for_model(content, "pages.tif", wanted, options)
        assert opened.prepared is not None
        return int(opened.prepared.max()), asked

    assert level(0) == (0, -1)
    assert level(1) == (99, 1)
    assert level(9) == (255, 2)
    assert level(9, DecodeOptions(frame=1)) == (99, 1)
