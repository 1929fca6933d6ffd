"""How any image becomes the pixels of a model: size, fit, colour, window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from medmodel.core.errors import ConfigError
from medmodel.core.samples import Axis
from medmodel.language import N_, _

Fit = Literal["pad", "crop", "stretch"]
Colour = Literal["grey", "rgb"]
WINDOWS: dict[str, tuple[float, float]] = {
    # Centre and width in Hounsfield units; https://radiopaedia.org/articles/windowing-ct
    N_("lung"): (-600, 1500),
    N_("mediastinum"): (50, 350),
    N_("soft tissue"): (50, 400),
    N_("liver"): (30, 150),
    N_("bone"): (400, 1800),
    N_("brain"): (40, 80),
}
TISSUES = {
    "lung": N_("Lung"),
    "mediastinum": N_("Mediastinum"),
    "soft tissue": N_("Soft tissue"),
    "liver": N_("Liver"),
    "bone": N_("Bone"),
    "brain": N_("Brain"),
}
"""What the named windows are for."""


def window_values(setting: str) -> tuple[float, float] | None:
    """Centre and width that a window setting names; None for `auto` and `file`.

    Raises:
        ConfigError: It is neither of these, nor in `WINDOWS`, nor centre/width.
    """
    if setting in ("auto", "file"):
        return None
    if setting in WINDOWS:
        return WINDOWS[setting]
    number = r"-?\d{1,6}(?:\.\d{1,6})?"
    match = re.fullmatch(rf"({number})/({number})", setting)
    if not match or float(match[2]) < 1:
        raise ConfigError(
            "window",
            _(
                "A window is auto, file, a name, or centre/width such as 40/400 "
                "with a width of at least 1; {setting!r} was given.",
                setting=setting,
            ),
        )
    return float(match[1]), float(match[2])


@dataclass(frozen=True)
class Preprocessing:
    """How any image becomes the pixels of a model.

    Args:
        size: Height and width of the model's input in pixels, 28 to 512.
        fit: `"pad"` keeps all and adds black borders, `"crop"` keeps the centre,
            `"stretch"` distorts the aspect ratio.
        colour: `"grey"` gives 1 channel, `"rgb"` gives 3.
        window: How values of DICOM and NIfTI become grey. `"auto"`: CT always as soft
            tissue, so that all files are seen alike, others as the file asks or by
            percentiles. `"file"`: always as the file asks. A key of `WINDOWS`, or
            centre/width such as `"40/400"`: that window.
        steps: Enhancements before scaling, see `enhance`.
        axis: How volumes are cut; of samples in a data set their names say so.
        frame: Of files with several frames the first one to look at, from 0.
    """

    size: int = 128
    fit: Fit = "pad"
    colour: Colour = "rgb"
    window: str = "auto"
    steps: tuple[str, ...] = ()
    axis: Axis = "axial"
    frame: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))  # JSON gives a list

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return 1 if self.colour == "grey" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the model's input."""
        return self.size, self.size, self.channels
