"""Steps that make images clearer, as a chain that training and Diagnose share.

Steps are text, see `steps`, so that a chain can be read in a run's settings and means
the same ever after. scikit-image does the work, in grey levels from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medmodel.core.environment import workspace_root
from medmodel.core.locks import Lock
from medmodel.core.settings.enhancement_steps import describe, parse
from medmodel.core.storage import read_as, write_json
from medmodel.language import _

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]
_DARK = 12
"""Grey level up to which a border counts as empty."""
_PLAIN = 6
"""Grey levels by which the pixels of a line of a border may differ."""


class Chain(NamedTuple):
    """What somebody saved on the Enhance page.

    Args:
        steps: See `steps.parse`.
        window: See `config.Preprocessing`; `"auto"` where it plays no part.
    """

    steps: tuple[str, ...]
    window: str = "auto"

    def words(self) -> str:
        """The chain in words."""
        if self.window == "auto":
            return describe(self.steps)
        window = _("Window {window}", window=self.window)
        return (
            _("{window}, then {steps}", window=window, steps=describe(self.steps))
            if self.steps
            else window
        )


def apply(pixels: Pixels, steps: Sequence[str]) -> Pixels:
    """The image after all steps, in order.

    Args:
        pixels: uint8 (height, width, 1 or 3).
        steps: See `parse`.

    Returns:
        uint8, as many channels; `crop` makes it smaller.

    Raises:
        ConfigError: A step does not exist.
    """
    values: Values = (pixels / np.float32(255)).astype(np.float32)
    for text in steps:
        name, strength = parse(text)
        values = np.asarray(_WORK[name](values, strength), np.float32)
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


@dataclass(frozen=True)
class _StoredChain:
    """A chain as enhancements.json holds it."""

    steps: list[str]
    window: str


def saved_chains() -> dict[str, Chain]:
    """Chains that people saved in this workspace, by name.

    Raises:
        FileError: enhancements.json is damaged.
    """
    # The first version kept the steps alone.
    kind: Any = dict[str, list[str] | _StoredChain]
    chains: dict[str, list[str] | _StoredChain] = read_as(_file(), kind) or {}
    return {
        name: Chain(tuple(chain))
        if isinstance(chain, list)
        else Chain(tuple(chain.steps), chain.window)
        for name, chain in chains.items()
    }


def save_chain(name: str, steps: Sequence[str], window: str = "auto") -> None:
    """Keeps a chain; one of the same name is replaced. No run is changed by that."""
    with Lock(_file().with_suffix(".lock")):  # somebody else may save another one
        chains = {**saved_chains(), name: Chain(tuple(steps), window)}
        write_json(_file(), {name: chain._asdict() for name, chain in chains.items()})


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
    denoised = denoise_nl_means(
        values if several else values[..., 0],
        patch_size=5,
        patch_distance=6,
        h=max(strength * sigma, 1e-4),
        sigma=sigma,
        channel_axis=2 if several else None,
    )
    return denoised.reshape(values.shape)


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

    edges = _per_channel(values, sobel)
    return edges / max(float(edges.max()), 1 / 255)


def _crop(values: Values, strength: float) -> Any:
    shown = values.max(axis=2) > _DARK / 255
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        return values
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _borders(values: Values, strength: float) -> Any:
    level = values.max(axis=2)
    for _frame in range(2):  # a frame within a frame
        rows = np.flatnonzero(np.ptp(level, axis=1) > _PLAIN / 255)
        columns = np.flatnonzero(np.ptp(level, axis=0) > _PLAIN / 255)
        if len(rows) < 2 or len(columns) < 2:
            return values
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        level, values = level[part], values[part]
    return values


def _scale(values: Values, strength: float) -> Any:
    from skimage.transform import resize

    scale = strength / max(values.shape[:2])
    height, width = (max(1, round(length * scale)) for length in values.shape[:2])
    smooth = scale < 1
    return resize(values, (height, width), order=3, anti_aliasing=smooth, clip=True)


_WORK: dict[str, Callable[[Values, float], Any]] = {
    "crop": _crop,
    "borders": _borders,
    "resize": _scale,
    "stretch": _stretch,
    "clahe": _clahe,
    "gamma": lambda values, strength: values**strength,
    "median": _median,
    "nlm": _non_local_means,
    "bilateral": _bilateral,
    "unsharp": _unsharp,
    "edges": _edges,
    "invert": lambda values, strength: 1 - values,
}
"""For each of `STEPS` what it does to values (height, width, channels) in [0, 1]."""
