"""A small, plainly synthetic data set: chest-CT-like phantoms with known nodules.

For a first try on a fresh machine, and for tests that need ground truth. Everything is
drawn: no image comes from a person, and nothing learnt from them is of medical use.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from medmodel.core.environment import workspace_root
from medmodel.runs import trash

SIZE = 224
CLASSES = ("Ground glass", "No nodule", "One nodule", "Several nodules")
TRUTH = "truth.csv"
SAMPLE_NAME = "Sample CT phantoms"
SEGMENTATION_NAME = "Sample CT nodules with masks"
FINDINGS_NAME = "Sample CT with two findings"
FINDINGS = ("Nodule", "Ground glass")

_FINE = 2  # drawn at so many times the size, for smooth edges
_AIR, _FAT, _MUSCLE, _LUNG, _BONE, _HEART, _VESSEL = 8, 92, 138, 34, 226, 152, 142
_CENTRE = SIZE / 2

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Lesion:
    """A nodule, or a patch of ground glass.

    Args:
        x: Centre from the left, in pixels of the finished image.
        y: Centre from the top, in pixels.
        diameter: In pixels.
    """

    x: float
    y: float
    diameter: float


@dataclass(frozen=True)
class _Body:
    """One patient's anatomy; lengths in pixels."""

    half_width: float
    half_height: float
    lung_scale: float
    heart: float
    fat: float
    tilt: float
    mm_per_px: float


def write_phantoms(
    folder: Path, patients_per_class: int = 30, slices: int = 4, seed: int = 0
) -> None:
    """Draws class folders of 224 x 224 grey PNG and truth.csv.

    truth.csv has one row per lesion: `path`, `patient`, `x_px`, `y_px` (centre, from
    the top left corner), `diameter_mm`, `mm_per_px`.

    Args:
        folder: To be filled; made when needed.
        patients_per_class: Every patient belongs to one class.
        slices: Images per patient.
        seed: The same seed draws the same images.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(len(CLASSES) * patients_per_class) + 1
    rows: list[list[object]] = []
    for position, number in enumerate(numbers.tolist()):
        label = CLASSES[position % len(CLASSES)]
        (folder / label).mkdir(parents=True, exist_ok=True)
        patient = f"patient{number:03}"
        body = _draw_body(rng)
        lesions = _place_lesions(label, body, rng)
        for part in range(1, slices + 1):
            path = f"{label}/{patient}_slice{part}.png"
            shown = [_another_slice(lesion, rng) for lesion in lesions]
            image = draw_phantom(body, shown, label == "Ground glass", rng)
            Image.fromarray(image).save(folder / path, compress_level=1)
            for lesion in shown:
                diameter_mm = lesion.diameter * body.mm_per_px
                place = [f"{v:.2f}" for v in (lesion.x, lesion.y, diameter_mm)]
                rows.append([path, patient, *place, f"{body.mm_per_px:.4f}"])
    with (folder / TRUTH).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        columns = ["path", "patient", "x_px", "y_px", "diameter_mm", "mm_per_px"]
        writer.writerows([columns, *sorted(rows, key=str)])


def write_masked_phantoms(
    folder: Path, patients: int = 90, slices: int = 2, seed: int = 0
) -> None:
    """Draws images and masks of nodules, 224 x 224 grey PNG of the same names.

    A third of the patients has no nodule, a third one, a third several. In a mask 255
    is a nodule and 0 is not.

    Args:
        folder: Gets the folders images and masks.
        patients: How many there are.
        slices: Images per patient.
        seed: The same seed draws the same images.
    """
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, position in enumerate(rng.permutation(patients).tolist(), start=1):
        label = CLASSES[1 + position % 3]
        body = _draw_body(rng)
        lesions = _place_lesions(label, body, rng)
        for part in range(1, slices + 1):
            name = f"patient{number:03}_slice{part}.png"
            shown = [_another_slice(lesion, rng) for lesion in lesions]
            image, mask = draw_phantom_and_mask(body, shown, False, rng)
            Image.fromarray(image).save(folder / "images" / name, compress_level=1)
            values = mask.astype(np.uint8) * 255
            Image.fromarray(values).save(folder / "masks" / name)


def write_findings_phantoms(
    folder: Path, patients: int = 120, slices: int = 2, seed: int = 0
) -> None:
    """Draws images of which each shows a nodule, ground glass, both or neither.

    findings.csv names them: `file`, `patient`, and a column of 0 and 1 for each of
    `FINDINGS`. Every combination is drawn for a quarter of the patients.

    Args:
        folder: Gets the folder images of 224 x 224 grey PNG, and the table.
        patients: How many there are.
        slices: Images per patient.
        seed: The same seed draws the same images.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows: list[list[object]] = [["file", "patient", *FINDINGS]]
    for number, position in enumerate(rng.permutation(patients).tolist(), start=1):
        nodule, ground_glass = position % 2, position // 2 % 2
        body = _draw_body(rng)
        nodules = _place_lesions("One nodule" if nodule else "No nodule", body, rng)
        hazy = "Ground glass" if ground_glass else "No nodule"
        patches = _place_lesions(hazy, body, rng)
        for part in range(1, slices + 1):
            name = f"images/patient{number:03}_slice{part}.png"
            shown = [_another_slice(lesion, rng) for lesion in nodules]
            hazes = [_another_slice(lesion, rng) for lesion in patches]
            image, _mask = draw_phantom_and_mask(body, shown, False, rng, hazes)
            Image.fromarray(image).save(folder / name, compress_level=1)
            rows.append([name, f"patient{number:03}", nodule, ground_glass])
    with (folder / "findings.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def ensure_sample_dataset() -> Path:
    """The sample data set in the workspace, drawn on the first call.

    It appears whole or not at all; of several processes that draw it at once, the
    first one wins.
    """
    return _drawn_once(SAMPLE_NAME, write_phantoms)


def ensure_segmentation_sample() -> Path:
    """The sample data set with masks in the workspace, drawn on the first call."""
    return _drawn_once(SEGMENTATION_NAME, write_masked_phantoms)


def ensure_findings_sample() -> Path:
    """The sample data set with several findings, drawn on the first call."""
    return _drawn_once(FINDINGS_NAME, write_findings_phantoms)


def _drawn_once(name: str, draw: Callable[[Path], None]) -> Path:
    """A drawn data set of the workspace, see `ensure_sample_dataset`."""
    folder = workspace_root() / "datasets" / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=".drawing-", dir=folder.parent))
    try:
        draw(hidden)
        hidden.chmod(0o755)
        hidden.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return folder


def draw_sample_unless_deleted() -> None:
    """For the start of a server: what somebody moved to the trash stays there."""
    place = f"datasets/{SAMPLE_NAME}"
    if all(item.place != place for item in trash.discarded(workspace_root())):
        ensure_sample_dataset()


def draw_phantom(
    body: _Body, lesions: list[Lesion], ground_glass: bool, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """One axial slice, uint8 (224, 224), as through a wide CT window."""
    return draw_phantom_and_mask(body, lesions, ground_glass, rng)[0]


def draw_phantom_and_mask(
    body: _Body,
    lesions: list[Lesion],
    ground_glass: bool,
    rng: np.random.Generator,
    patches: Sequence[Lesion] = (),
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The same, and which of its pixels belong to a lesion.

    Args:
        body: A patient's.
        lesions: What lies in its lungs.
        ground_glass: Whether these are patches of ground glass, no nodules.
        rng: Of noise and form.
        patches: Patches of ground glass besides.
    """
    canvas, lungs = _draw_anatomy(body, rng)
    values = _finish(canvas, body, blur=0.7)
    inside = _finish(lungs, body, blur=0) / 255
    texture = _smooth_noise(rng, 14) * 3 + _smooth_noise(rng, 56) * 4
    values += texture * (0.4 + inside)
    mask = np.zeros((SIZE, SIZE), bool)
    for patch in patches:
        mask |= _ground_glass(values, inside, patch, rng) > 0.5
    for lesion in lesions:
        add = _ground_glass if ground_glass else _nodule
        mask |= add(values, inside, lesion, rng) > 0.5
    # Less noise in air: there the window cuts it off.
    grain = rng.normal(0, 9, (SIZE, SIZE)) * np.minimum(1, values / 32 + 0.15)
    noisy = (values + grain).clip(0, 255).astype(np.uint8)
    # The scanner's reconstruction kernel blurs a little, noise included.
    image = Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(0.6))
    return np.asarray(image), mask


def _draw_body(rng: np.random.Generator) -> _Body:
    half_width = rng.uniform(99, 107)
    return _Body(
        half_width=half_width,
        half_height=half_width * rng.uniform(0.72, 0.82),
        lung_scale=rng.uniform(0.94, 1.03),
        heart=rng.uniform(22, 29),
        fat=rng.uniform(4, 10),
        tilt=rng.normal(0, 2.5),
        mm_per_px=rng.uniform(1.5, 1.8),
    )


def _place_lesions(label: str, body: _Body, rng: np.random.Generator) -> list[Lesion]:
    count, low, high = {
        "Ground glass": (1, 62.0, 95.0),
        "No nodule": (0, 0.0, 0.0),
        "One nodule": (1, 24.0, 30.0),
        "Several nodules": (int(rng.integers(4, 7)), 17.0, 28.0),
    }[label]
    lesions: list[Lesion] = []
    while len(lesions) < count:
        side = rng.choice([-1, 1])
        angle, distance = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 0.55))
        centre, radii = _lung(body, side)
        lesion = Lesion(
            centre[0] + side * 3 + distance * radii[0] * np.cos(angle),
            centre[1] + distance * radii[1] * np.sin(angle),
            rng.uniform(low, high) / body.mm_per_px,
        )
        apart = all(
            np.hypot(lesion.x - other.x, lesion.y - other.y)
            > 0.55 * (lesion.diameter + other.diameter) + 2
            for other in lesions
        )
        from_heart = np.hypot(lesion.x - _CENTRE - 9, lesion.y - _CENTRE + 10)
        if apart and from_heart > body.heart + min(lesion.diameter / 2, 9) + 4:
            lesions.append(lesion)
    return lesions


def _another_slice(lesion: Lesion, rng: np.random.Generator) -> Lesion:
    x, y = rng.normal(0, 1.2, 2)
    return Lesion(
        lesion.x + x, lesion.y + y, lesion.diameter * float(rng.uniform(0.88, 1))
    )


def _lung(body: _Body, side: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Centre and half axes of one lung; side -1 is left in the image."""
    centre = (_CENTRE + side * body.half_width * 0.455, _CENTRE - 1)
    return centre, (
        body.half_width * 0.365 * body.lung_scale,
        body.half_height * 0.75 * body.lung_scale,
    )


def _draw_anatomy(
    body: _Body, rng: np.random.Generator
) -> tuple[Image.Image, Image.Image]:
    """The slice without lesions and noise, and where the lungs are; both drawn fine."""
    canvas = Image.new("L", (SIZE * _FINE, SIZE * _FINE), _AIR)
    lungs = Image.new("L", canvas.size, 0)
    draw, mask = ImageDraw.Draw(canvas), ImageDraw.Draw(lungs)
    width, height = body.half_width, body.half_height
    _outline(draw, _CENTRE, _CENTRE, width, height, _FAT)
    _outline(draw, _CENTRE, _CENTRE, width - body.fat, height - body.fat, _MUSCLE)
    for side in (-1, 1):
        for pen, value in ((draw, _LUNG), (mask, 255)):
            _lung_shape(pen, *_lung(body, side), side, value)
    _vessels(canvas, lungs, body, rng)
    mediastinum = [
        (_CENTRE, _CENTRE + 8, 15, height * 0.62, _MUSCLE),
        (_CENTRE + 9, _CENTRE - 10, body.heart * 1.1, body.heart * 0.9, _HEART),
        (_CENTRE + 15, _CENTRE - 9, body.heart * 0.6, body.heart * 0.5, _HEART + 22),
        (_CENTRE - 8, _CENTRE - 24, 10, 10, _HEART + 26),
        (_CENTRE + 11, _CENTRE + 29, 8, 8, _HEART + 26),
        (_CENTRE - 1, _CENTRE + 14, 5, 4, _AIR + 8),
    ]
    for x, y, rx, ry, value in mediastinum:
        jitter = rng.normal(0, 1, 2)
        _ellipse(draw, x + jitter[0], y + jitter[1], rx, ry, value)
        _ellipse(mask, x + jitter[0], y + jitter[1], rx, ry, 0)
    _bones(draw, body, rng)
    return canvas, lungs


def _bones(draw: ImageDraw.ImageDraw, body: _Body, rng: np.random.Generator) -> None:
    width, height = body.half_width - body.fat - 6, body.half_height - body.fat - 5
    shift = rng.uniform(-0.08, 0.08)
    for angle in np.arange(0.36, np.pi - 0.3, 0.44) + shift:
        for side in (-1, 1):
            middle = angle * side - np.pi / 2
            _rib(draw, (width, height), middle, rng.uniform(0.15, 0.25))
    spine = _CENTRE + height * 0.70
    _ellipse(draw, _CENTRE, spine, 14, 11.5, _BONE - 14)
    _ellipse(draw, _CENTRE, spine, 11, 8.5, _BONE - 50)
    for side in (-1, 1):
        _line(draw, (_CENTRE, spine + 12), (_CENTRE + side * 19, spine + 10), 6, _BONE)
    _line(draw, (_CENTRE, spine + 10), (_CENTRE, spine + 22), 6, _BONE - 10)
    _ellipse(draw, _CENTRE, spine + 13, 5.5, 4.5, _MUSCLE)
    _ellipse(draw, _CENTRE, _CENTRE - height - 1, 11, 4.5, _BONE - 20)


def _vessels(
    canvas: Image.Image, lungs: Image.Image, body: _Body, rng: np.random.Generator
) -> None:
    """Branches from the root of each lung outwards, and vessels cut across."""
    layer = canvas.copy()
    draw = ImageDraw.Draw(layer)
    for side in (-1, 1):
        (x, y), (rx, ry) = _lung(body, side)
        for _ in range(11):
            where = np.array([_CENTRE + side * 13.0, _CENTRE + 1.0])
            goal = np.array([x, y]) + rng.uniform(-1, 1, 2) * [rx, ry]
            heading = np.arctan2(*(goal - where)[::-1])
            thick = rng.uniform(1.8, 3.2)
            while thick > 0.7:
                step = rng.uniform(5, 9) * np.array([np.cos(heading), np.sin(heading)])
                _line(draw, tuple(where), tuple(where + step), thick, _VESSEL - 20)
                where, heading = where + step, heading + rng.normal(0, 0.28)
                thick *= 0.84
        for _ in range(9):
            across, along = rng.uniform(-1, 1, 2) * [rx, ry]
            radius = rng.uniform(0.7, 1.7)
            _ellipse(draw, x + across, y + along, radius, radius, _VESSEL)
    canvas.paste(layer, mask=lungs)


def _nodule(
    values: Floats, inside: Floats, lesion: Lesion, rng: np.random.Generator
) -> Floats:
    """A solid round lesion, a little lobed; how much each pixel belongs to it."""
    amount = _lobed(lesion, (0.06, 0.05), 2.2, rng)
    values += amount * (rng.uniform(158, 188) - values)
    return amount


def _ground_glass(
    values: Floats, inside: Floats, lesion: Lesion, rng: np.random.Generator
) -> Floats:
    """A hazy patch through which the vessels still show; its share of each pixel."""
    amount = _lobed(lesion, (0.18, 0.1), 0.45, rng)
    haze = rng.uniform(46, 62) + 10 * _smooth_noise(rng, 45)
    values += amount * inside * haze
    return amount * inside


def _lobed(
    lesion: Lesion, lobes: tuple[float, float], edge: float, rng: np.random.Generator
) -> Floats:
    """1 inside the lesion and 0 outside; `edge` is the steepness per pixel."""
    distance, angle = _polar(lesion)
    phases = rng.uniform(0, 2 * np.pi, 2)
    radius = lesion.diameter / 2
    radius = radius * (
        1
        + lobes[0] * np.sin(2 * angle + phases[0])
        + lobes[1] * np.sin(3 * angle + phases[1])
    )
    return 1 / (1 + np.exp((distance - radius) * edge))


def _polar(lesion: Lesion) -> tuple[Floats, Floats]:
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return np.hypot(x - lesion.x, y - lesion.y), np.arctan2(y - lesion.y, x - lesion.x)


def _smooth_noise(rng: np.random.Generator, cells: int) -> Floats:
    """Noise of unit spread whose grain is SIZE / cells pixels wide."""
    coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def _finish(drawn: Image.Image, body: _Body, blur: float) -> Floats:
    """A fine drawing at its final size, soft and a little turned."""
    image = drawn.resize((SIZE, SIZE), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(blur))
    corner = int(image.getpixel((0, 0)))  # type: ignore[arg-type]
    turned = image.rotate(body.tilt, Image.Resampling.BILINEAR, fillcolor=corner)
    return np.asarray(turned, np.float32)


def _ellipse(
    draw: ImageDraw.ImageDraw, x: float, y: float, rx: float, ry: float, value: int
) -> None:
    box = (x - rx, y - ry, x + rx, y + ry)
    draw.ellipse([v * _FINE for v in box], fill=value)


def _line(
    draw: ImageDraw.ImageDraw,
    start: tuple[float, ...],
    end: tuple[float, ...],
    width: float,
    value: int,
) -> None:
    points = [v * _FINE for v in (*start, *end)]
    draw.line(points, fill=value, width=max(1, round(width * _FINE)))


def _outline(
    draw: ImageDraw.ImageDraw, x: float, y: float, rx: float, ry: float, value: int
) -> None:
    """A trunk's cross-section: an ellipse with fuller corners and a flatter back."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    across = np.sign(cos) * np.abs(cos) ** 0.82
    along = np.sign(sin) * np.abs(sin) ** 0.86 * np.where(sin > 0, 0.96, 1.0)
    _polygon(draw, x + rx * across, y + ry * along, value)


def _lung_shape(
    draw: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    radii: tuple[float, float],
    side: int,
    value: int,
) -> None:
    """A lung: round outside, flat towards the middle, narrower in front."""
    angle = np.linspace(0, 2 * np.pi, 140, endpoint=False)
    across, along = np.cos(angle), np.sin(angle)
    inner = across * side < 0
    across = np.sign(across) * np.abs(across) ** 0.8 * np.where(inner, 0.86, 1.06)
    across = across * (1 - 0.12 * np.clip(-along, 0, 1)) + side * 0.1 * along
    along = np.sign(along) * np.abs(along) ** 0.9
    _polygon(draw, centre[0] + radii[0] * across, centre[1] + radii[1] * along, value)


def _rib(
    draw: ImageDraw.ImageDraw, radii: tuple[float, float], middle: float, length: float
) -> None:
    """A piece of rib along the chest wall; angles in radians, 0 to the right."""
    angle = np.linspace(middle - length / 2, middle + length / 2, 12)
    cos, sin = np.cos(angle), np.sin(angle)
    x = _CENTRE + radii[0] * np.sign(cos) * np.abs(cos) ** 0.84
    y = _CENTRE + radii[1] * np.sign(sin) * np.abs(sin) ** 0.88
    for thick, value in ((5.6, _BONE), (2.2, _BONE - 55)):
        points = (np.stack([x, y], 1) * _FINE).ravel().tolist()
        draw.line(points, fill=value, width=round(thick * _FINE))


def _polygon(draw: ImageDraw.ImageDraw, x: Floats, y: Floats, value: int) -> None:
    draw.polygon((np.stack([x, y], 1) * _FINE).ravel().tolist(), fill=value)
