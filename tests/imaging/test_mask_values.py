"""Class values of segmentation masks, whatever the file."""

from __future__ import annotations

import io

import nibabel
import numpy as np
import pytest
from PIL import Image

from medmodel.core.errors import ImageError
from medmodel.core.preprocessing import Fit, Preprocessing
from medmodel.imaging.images import decode, prepare_image
from medmodel.imaging.mask_values import (
    class_map,
    class_values,
    decode_mask,
    fitted_mask,
    read,
)

CLASSES = np.zeros((12, 16), np.uint8)
CLASSES[2:5, 3:9] = 1
CLASSES[7:11, 8:15] = 2


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def values_of(data: bytes, name: str = "7.png", number: int = -1) -> np.ndarray:
    """Without the sandbox, whose process takes a second to start."""
    return read(data, name, "axial", number)["values"]


def palette() -> Image.Image:
    image = Image.fromarray(CLASSES).convert("P")
    image.putpalette([0, 0, 0, 200, 30, 30, 30, 200, 30])
    return image


@pytest.mark.parametrize(
    "data",
    [
        saved(Image.fromarray(CLASSES)),
        saved(Image.fromarray(CLASSES), "TIFF"),
        saved(Image.fromarray(CLASSES.astype(np.uint16))),
        saved(Image.fromarray(np.stack([CLASSES] * 3, -1))),
        saved(Image.fromarray(np.stack([CLASSES] * 3 + [CLASSES * 0], -1))),
        saved(palette()),
    ],
    ids=["grey", "tiff", "16 bits", "grey as RGB", "transparent", "palette"],
)
def test_values_are_those_that_are_stored(data: bytes) -> None:
    assert (values_of(data) == CLASSES).all()


def test_the_sandbox_gives_the_same() -> None:
    assert (decode_mask(saved(Image.fromarray(CLASSES)), "7.png") == CLASSES).all()


def test_a_bitmap_of_two_values_is_read() -> None:
    data = saved(Image.fromarray(CLASSES > 0))
    assert set(np.unique(values_of(data))) in ({0, 1}, {0, 255})
    assert ((values_of(data) > 0) == (CLASSES > 0)).all()


def test_black_and_white_with_soft_edges_is_cut_at_half() -> None:
    sharp = np.zeros((64, 64), np.uint8)
    sharp[20:44, 20:44] = 255
    soft = values_of(saved(Image.fromarray(sharp), "JPEG", quality=60))
    assert set(np.unique(soft)) == {0, 255}
    assert (soft != sharp).mean() < 0.01


@pytest.mark.parametrize("side", [24, 64])
@pytest.mark.parametrize("filter_", ["BOX", "BILINEAR", "LANCZOS"])
def test_a_png_with_smooth_edges_is_black_and_white(side: int, filter_: str) -> None:
    y, x = np.mgrid[:400, :400]
    disc = (np.hypot(y - 190, x - 210) < 120).astype(np.uint8) * 255
    smooth = Image.fromarray(disc).resize((side, side), Image.Resampling[filter_])
    values = values_of(saved(smooth))
    assert np.array_equal(values, np.where(np.asarray(smooth) >= 128, 255, 0))
    assert values.any()


def test_classes_between_black_and_white_stay_classes() -> None:
    stripes = np.zeros((24, 24), np.uint8)
    for number, value in enumerate((60, 120, 180, 255)):
        stripes[2:22, 3 + 5 * number : 7 + 5 * number] = value
    thin = np.zeros((24, 24), np.uint8)
    for row, value in ((3, 60), (8, 120), (13, 180), (18, 255)):
        thin[row, 2:20] = value
    ring = np.zeros((24, 24), np.uint8)
    ring[6:18, 6:18], ring[7:17, 7:17] = 128, 255
    for mask in (stripes, thin, ring):
        assert np.array_equal(values_of(saved(Image.fromarray(mask))), mask)


def test_a_palette_of_greys_whose_black_is_not_first_is_read_as_greys() -> None:
    image = Image.fromarray((CLASSES == 0).astype(np.uint8)).convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    assert np.array_equal(values_of(saved(image)), np.where(CLASSES, 255, 0))
    image.putpalette([0, 0, 0, 255, 255, 255])
    assert np.array_equal(values_of(saved(image)), CLASSES == 0)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_is_background(level: int, channels: int) -> None:
    alpha = np.where(CLASSES, 255, 0)
    colours = [np.full_like(CLASSES, level)] * channels
    stored = np.stack([*colours, alpha], -1).astype(np.uint8)
    assert np.array_equal(values_of(saved(Image.fromarray(stored))), alpha)


def test_colours_that_are_transparent_are_no_colours() -> None:
    stored = np.stack([CLASSES, CLASSES, CLASSES, (CLASSES > 0) * 255], -1)
    stored[CLASSES == 0, :3] = 200, 30, 30
    data = saved(Image.fromarray(stored.astype(np.uint8)))
    assert np.array_equal(values_of(data), CLASSES)


def test_black_and_white_of_16_bits_is_a_mask() -> None:
    data = saved(Image.fromarray(np.where(CLASSES, 65535, 0).astype(np.uint16)))
    assert np.array_equal(values_of(data), np.where(CLASSES, 255, 0))


def test_white_alone_of_16_bits_is_a_mask() -> None:
    data = saved(Image.fromarray(np.full((4, 4), 65535, np.uint16)))
    assert np.array_equal(values_of(data), np.full((4, 4), 255))


def test_four_inks_are_no_transparency() -> None:
    grey = Image.fromarray(np.where(CLASSES, 255, 0).astype(np.uint8))
    data = saved(grey.convert("CMYK"), "TIFF")
    assert np.array_equal(values_of(data), np.where(CLASSES, 255, 0))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_as_its_image_is(
    orientation: int, mode: str, kind: str
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stored = palette() if mode == "P" else Image.fromarray(CLASSES).convert(mode)
    values = values_of(saved(stored, kind, exif=exif))
    image = decode(saved(Image.fromarray(CLASSES * 100), kind, exif=exif), "7.png")
    assert np.array_equal(values, image.pixels[..., 0] // 100)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (np.arange(64 * 64).reshape(64, 64) % 200, "200 different values"),
        (np.full((4, 4), 300), "whole numbers from 0"),
        (np.full((4, 4), -1), "whole numbers from 0"),
        (np.full((4, 4), 0.5), "whole numbers from 0"),
        (np.full((4, 4), np.nan), "whole numbers from 0"),
    ],
)
def test_what_is_no_mask_is_refused(stored: np.ndarray, said: str) -> None:
    with pytest.raises(ImageError, match=f"7.png is no mask.*{said}"):
        class_values(stored, "7.png")


def test_32_values_are_classes_and_33_are_shades() -> None:
    shades = np.arange(33 * 40).reshape(33, 40) % 32 * 4 + 64
    assert len(np.unique(class_values(shades, "7.png"))) == 32
    with pytest.raises(ImageError, match="33 different values"):
        class_values(np.where(np.arange(33)[:, None] < 32, shades, 63), "7.png")


def test_colours_are_refused() -> None:
    colours = np.zeros((8, 8, 3), np.uint8)
    colours[2:4, 2:4] = 200, 30, 30
    with pytest.raises(ImageError, match="7.png is no mask.*colours"):
        values_of(saved(Image.fromarray(colours)))


@pytest.mark.parametrize("data", [b"id,class\n1,2\n", b"\x93NUMPY\x01\x00", b""])
def test_another_kind_of_file_is_not_called_damaged(data: bytes) -> None:
    with pytest.raises(ImageError, match="7.npy cannot be read as a mask: save it as"):
        values_of(data, "7.npy")


def test_webp_and_portable_greymaps_are_read() -> None:
    assert np.array_equal(values_of(saved(Image.fromarray(CLASSES), "PPM")), CLASSES)
    white = Image.fromarray(np.where(CLASSES, 255, 0).astype(np.uint8))
    lossless = values_of(saved(white, "WEBP", lossless=True))
    assert np.array_equal(lossless, np.where(CLASSES, 255, 0))


def test_a_damaged_file_and_a_page_too_many_are_said() -> None:
    data = saved(Image.fromarray(CLASSES), "TIFF")
    with pytest.raises(ImageError, match="7.tif cannot be read"):
        values_of(data[:40], "7.tif")
    with pytest.raises(ImageError, match="no page 2: it has 1"):
        values_of(data, "7.tif", 1)


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_a_nifti_mask_lies_as_its_image(axis: str) -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random((12, 14, 10)) > 0.6).astype(np.uint8)
    image = (labels * 200.0 + rng.random(labels.shape)).astype(np.float32)
    affine = np.diag([-1.0, 1.0, 2.0, 1])
    files = [nibabel.Nifti1Image(v, affine).to_bytes() for v in (image, labels)]
    seen = decode(files[0], "a.nii", axis=axis, frame=4, square_pixels=False)  # type: ignore[arg-type]
    mask = read(files[1], "a.nii", axis, 4)["values"]  # type: ignore[arg-type]
    rows = 1 if axis == "axial" else 2
    assert mask.shape == (seen.pixels.shape[0] * rows, seen.pixels.shape[1])
    assert (mask[::rows] == (seen.pixels[..., 0] > 128)).all()


def test_a_volume_called_labels_is_read_as_a_mask() -> None:
    labels = np.zeros((10, 10, 10), np.int16)
    labels[3:6, 3:6] = 7
    volume = nibabel.Nifti1Image(labels, np.eye(4))
    volume.header["intent_code"] = 1002
    assert set(np.unique(values_of(volume.to_bytes(), "a.nii"))) == {0, 7}


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("size", [(100, 60), (60, 101), (20, 30), (48, 48)])
def test_a_mask_is_fitted_as_its_image(fit: Fit, size: tuple[int, int]) -> None:
    height, width = size
    mask = np.zeros(size, np.uint8)
    mask[height // 4 : height // 2 + 3, width // 3 : width // 2 + 5] = 1
    seen = prepare_image(mask[..., None] * 255, Preprocessing(48, fit, "grey"))
    fitted = fitted_mask(mask, 48, fit)
    # Half a pixel of the edge may fall on either side.
    wrong = (seen[..., 0] >= 128) != fitted
    assert fitted.any()
    assert wrong.sum() <= 0.5 * np.count_nonzero(np.diff(fitted, axis=0)) + 0.5 * (
        np.count_nonzero(np.diff(fitted, axis=1))
    )


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("size", [(100, 60), (60, 101), (20, 30), (48, 48)])
def test_the_class_map_undoes_the_fit(fit: Fit, size: tuple[int, int]) -> None:
    height, width = size
    mask = np.zeros(size, np.uint8)
    mask[height // 3 : height // 2, width // 3 : width // 2] = 1
    scores = np.eye(3, dtype=np.float32)[fitted_mask(mask, 48, fit)]
    classes = class_map(scores, size, fit)
    assert classes.shape == size
    both = 2 * ((classes == 1) & (mask == 1)).sum()
    assert both / ((classes == 1).sum() + mask.sum()) > 0.85


def test_beyond_the_square_of_a_crop_is_background() -> None:
    scores = np.zeros((10, 10, 2), np.float32)
    scores[..., 1] = 1
    classes = class_map(scores, (20, 40), "crop")
    assert (classes[:, 10:30] == 1).all()
    assert not classes[:, :10].any()
    assert not classes[:, 30:].any()


def test_between_the_models_pixels_scores_are_interpolated() -> None:
    scores = np.zeros((2, 2, 2), np.float32)
    scores[:, 0, 0] = scores[:, 1, 1] = 1
    scores[:, 0, 1], scores[:, 1, 0] = 0.0, 0.2
    # 1 - t + 0.2 t = t where t = 1 / 1.8; pixels of 0.05, t = 1 at 1.5 of 2.
    classes = class_map(scores, (40, 40), "stretch")
    assert classes[0].tolist() == [0] * 21 + [1] * 19


def test_strips_of_a_tall_image_fit_together() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((8, 8, 2)).astype(np.float32)
    tall = class_map(scores, (600, 600), "stretch")
    assert (
        tall.reshape(2, 300, 600)[0] == class_map(scores, (600, 600), "stretch")[:300]
    ).all()
    assert (
        tall[::-1] == class_map(scores[::-1].copy(), (600, 600), "stretch")
    ).mean() > 0.99
