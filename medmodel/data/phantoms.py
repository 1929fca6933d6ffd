"""Phantoms: drawn slices of a chest CT with nodules or ground glass, and masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SIZE = 224
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
class Body:
    """One patient's anatomy; lengths in pixels."""

    half_width: float
    half_height: float
    lung_scale: float
    heart: float
    fat: float
    tilt: float
    mm_per_px: float


def draw_phantom(
    body: Body, lesions: list[Lesion], ground_glass: bool, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """One axial slice, uint8 (224, 224), as through a wide CT window."""
    return draw_phantom_and_mask(body, lesions, ground_glass, rng)[0]


def draw_phantom_and_mask(
    body: Body,
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


def draw_body(rng: np.random.Generator) -> Body:
    """A patient's anatomy, by chance."""
    half_width = rng.uniform(99, 107)
    return Body(
        half_width=half_width,
        half_height=half_width * rng.uniform(0.72, 0.82),
        lung_scale=rng.uniform(0.94, 1.03),
        heart=rng.uniform(22, 29),
        fat=rng.uniform(4, 10),
        tilt=rng.normal(0, 2.5),
        mm_per_px=rng.uniform(1.5, 1.8),
    )


def place_lesions(label: str, body: Body, rng: np.random.Generator) -> list[Lesion]:
    """As many lesions in its lungs as the class says, of the size it says."""
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


def another_slice(lesion: Lesion, rng: np.random.Generator) -> Lesion:
    """The same lesion a little farther up or down."""
    x, y = rng.normal(0, 1.2, 2)
    return Lesion(
        lesion.x + x, lesion.y + y, lesion.diameter * float(rng.uniform(0.88, 1))
    )


def _lung(body: Body, side: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Centre and half axes of one lung; side -1 is left in the image."""
    centre = (_CENTRE + side * body.half_width * 0.455, _CENTRE - 1)
    return centre, (
        body.half_width * 0.365 * body.lung_scale,
        body.half_height * 0.75 * body.lung_scale,
    )


def _draw_anatomy(
    body: Body, rng: np.random.Generator
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


def _bones(draw: ImageDraw.ImageDraw, body: Body, rng: np.random.Generator) -> None:
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
    canvas: Image.Image, lungs: Image.Image, body: Body, rng: np.random.Generator
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


def _finish(drawn: Image.Image, body: Body, blur: float) -> Floats:
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
