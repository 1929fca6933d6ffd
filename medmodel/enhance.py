"""Steps that make pictures clearer, as a chain that training and Diagnose share.

A step is text: its name, and after a colon its strength, such as `gamma:0.8`. So a
chain can be read in a run's settings, and means the same ever after. scikit-image does
the work, in grey levels from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medmodel.config import workspace_root
from medmodel.errors import ConfigError
from medmodel.storage import read_json, write_json

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]
MOST_STEPS = 8
_DARK = 12
"""Grey level up to which a border counts as empty."""


class Step(NamedTuple):
    """One kind of step.

    Args:
        title: What a page calls it.
        work: Takes values (height, width, channels) in [0, 1] and the strength.
        low: Smallest strength.
        high: Largest strength; equal to `low` where there is none to choose.
        usual: Strength to begin with.
        help: What it is good for, and what the strength is.
    """

    title: str
    work: Callable[[Values, float], Any]
    low: float
    high: float
    usual: float
    help: str


def apply(pixels: Pixels, steps: Sequence[str]) -> Pixels:
    """The picture after all steps, in order.

    Args:
        pixels: uint8 (height, width, 1 or 3).
        steps: See `parse`.

    Returns:
        uint8, as many channels; `crop` makes it smaller.

    Raises:
        ConfigError: A step does not exist.
    """
    if not steps:
        return pixels
    values: Values = (pixels / np.float32(255)).astype(np.float32)
    for text in steps:
        name, strength = parse(text)
        values = STEPS[name].work(values, strength).astype(np.float32)
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


def parse(text: str) -> tuple[str, float]:
    """Name and strength of a step.

    Raises:
        ConfigError: It does not exist, or its strength is out of range.
    """
    name, _, number = text.partition(":")
    try:
        step = STEPS[name]
        strength = float(number) if number else step.usual
    except (KeyError, ValueError) as error:
        raise ConfigError("steps", f"There is no enhancement {text!r}.") from error
    if not step.low <= strength <= step.high:
        raise ConfigError(
            "steps",
            f"{step.title}: the strength must lie between {step.low:g} and "
            f"{step.high:g}; {strength:g} was given.",
        )
    return name, strength


def describe(steps: Sequence[str]) -> str:
    """A chain in words."""
    words = []
    for text in steps:
        name, strength = parse(text)
        step = STEPS[name]
        chosen = f" {strength:g}" if step.high > step.low else ""
        words.append(step.title + chosen)
    return ", then ".join(words) or "None"


def saved_chains() -> dict[str, list[str]]:
    """Chains that people saved in this workspace, by name."""
    kept: dict[str, list[str]] = read_json(_file()) or {}
    return kept


def save_chain(name: str, steps: Sequence[str]) -> None:
    """Keeps a chain; one of the same name is replaced. No run is changed by that."""
    write_json(_file(), {**saved_chains(), name: list(steps)})


def _file() -> Path:
    return workspace_root() / "enhancements.json"


def _per_channel(values: Values, work: Callable[[Values], Any]) -> Values:
    parts = [work(values[..., c]) for c in range(values.shape[2])]
    return np.stack(parts, axis=2).astype(np.float32)


def _clahe(values: Values, strength: float) -> Any:
    from skimage.exposure import equalize_adapthist

    return _per_channel(values, lambda v: equalize_adapthist(v, clip_limit=strength))


def _stretch(values: Values, strength: float) -> Any:
    low, high = np.percentile(values, [strength, 100 - strength])
    return (values - low) / max(float(high - low), 1 / 255)


def _median(values: Values, strength: float) -> Any:
    from scipy.ndimage import median_filter

    side = 2 * int(strength) + 1
    return median_filter(values, size=(side, side, 1))


def _non_local_means(values: Values, strength: float) -> Any:
    from skimage.restoration import denoise_nl_means

    sigma = _noise(values)
    several = values.shape[2] > 1
    found = denoise_nl_means(
        values if several else values[..., 0],
        patch_size=5,
        patch_distance=6,
        h=max(strength * sigma, 1e-4),
        sigma=sigma,
        channel_axis=2 if several else None,
    )
    return found.reshape(values.shape)


def _noise(values: Values) -> float:
    """Standard deviation of the noise: Donoho 1995, from the finest Haar details."""
    even = values[: values.shape[0] // 2 * 2, : values.shape[1] // 2 * 2]
    rows = even[::2] - even[1::2]
    details = (rows[:, ::2] - rows[:, 1::2]) / 2
    return float(np.median(np.abs(details)) / 0.6745) if details.size else 0.0


def _bilateral(values: Values, strength: float) -> Any:
    from skimage.restoration import denoise_bilateral

    return _per_channel(
        values, lambda v: denoise_bilateral(v, sigma_color=strength, sigma_spatial=2)
    )


def _unsharp(values: Values, strength: float) -> Any:
    from skimage.filters import unsharp_mask

    return unsharp_mask(values, radius=2, amount=strength, channel_axis=2)


def _edges(values: Values, strength: float) -> Any:
    from skimage.filters import sobel

    found = _per_channel(values, sobel)
    return found / max(float(found.max()), 1 / 255)


def _crop(values: Values, strength: float) -> Any:
    shown = values.max(axis=2) > _DARK / 255
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        return values
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


STEPS: dict[str, Step] = {
    "crop": Step("Crop to content", _crop, 0, 0, 0, "Takes off empty dark borders."),
    "stretch": Step(
        "Window by percentiles",
        _stretch,
        0,
        20,
        1,
        "Makes the darkest and brightest per cent of pixels black and white.",
    ),
    "clahe": Step(
        "Local contrast (CLAHE)",
        _clahe,
        0.001,
        0.1,
        0.01,
        "Evens out contrast place by place; the strength is the clip limit.",
    ),
    "gamma": Step(
        "Gamma",
        lambda values, strength: values**strength,
        0.2,
        5,
        0.8,
        "Below 1 brightens dark parts, above 1 darkens.",
    ),
    "median": Step(
        "Denoise: median", _median, 1, 5, 1, "Removes specks; radius in pixels."
    ),
    "nlm": Step(
        "Denoise: non-local means",
        _non_local_means,
        0.2,
        2,
        0.8,
        "Smooths where the picture repeats itself; in units of its own noise. Slow.",
    ),
    "bilateral": Step(
        "Denoise: bilateral",
        _bilateral,
        0.01,
        0.5,
        0.05,
        "Smooths between edges; the strength is how different neighbours may be.",
    ),
    "unsharp": Step(
        "Sharpen (unsharp mask)", _unsharp, 0.1, 5, 1, "Makes edges stronger."
    ),
    "edges": Step("Edges", _edges, 0, 0, 0, "Leaves edges only (Sobel)."),
    "invert": Step(
        "Invert", lambda values, strength: 1 - values, 0, 0, 0, "Swaps black and white."
    ),
}
