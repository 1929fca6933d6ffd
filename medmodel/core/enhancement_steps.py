"""Enhancement steps as text: names and strengths that mean the same ever after.

A step is its name, and after a colon its strength, such as `gamma:0.8`. What it does to
an image is told in `enhance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from medmodel.core.errors import ConfigError

MOST_STEPS = 8


class Step(NamedTuple):
    """One kind of step.

    Args:
        title: What a page calls it.
        low: Smallest strength.
        high: Largest strength; equal to `low` where there is none to choose.
        usual: Strength to begin with.
        help: What it is good for, and what the strength is.
        whole: Whether strengths are whole numbers.
    """

    title: str
    low: float
    high: float
    usual: float
    help: str
    whole: bool = False


STEPS: dict[str, Step] = {
    "crop": Step("Crop to content", 0, 0, 0, "Takes off empty dark borders."),
    "borders": Step(
        "Remove borders",
        0,
        0,
        0,
        "Takes off plain borders of any colour.",
    ),
    "resize": Step(
        "Resize",
        32,
        1024,
        256,
        "Scales the longer side to so many pixels, so that what follows means the same "
        "for all images.",
        whole=True,
    ),
    "stretch": Step(
        "Window by percentiles",
        0,
        20,
        1,
        "Makes the darkest and brightest per cent of pixels black and white.",
    ),
    "clahe": Step(
        "Local contrast (CLAHE)",
        0.001,
        0.1,
        0.01,
        "Evens out contrast place by place; the strength is the clip limit.",
    ),
    "gamma": Step(
        "Gamma", 0.2, 5, 0.8, "Below 1 brightens dark parts, above 1 darkens."
    ),
    "median": Step(
        "Denoise: median", 1, 5, 1, "Removes specks; radius in pixels.", whole=True
    ),
    "nlm": Step(
        "Denoise: non-local means",
        0.2,
        2,
        0.8,
        "Smooths where the image repeats itself; in units of its own noise. Slow.",
    ),
    "bilateral": Step(
        "Denoise: bilateral",
        0.01,
        0.5,
        0.05,
        "Smooths between edges; the strength is how different neighbours may be.",
    ),
    "unsharp": Step("Sharpen (unsharp mask)", 0.1, 5, 1, "Makes edges stronger."),
    "edges": Step("Edges", 0, 0, 0, "Leaves edges only (Sobel)."),
    "invert": Step("Invert", 0, 0, 0, "Swaps black and white."),
}


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


def step_problem(steps: Sequence[str]) -> dict[str, str]:
    """What is wrong with a chain, as field -> sentence; empty when all is well."""
    if len(steps) > MOST_STEPS:
        return {"steps": f"At most {MOST_STEPS} steps; {len(steps)} were given."}
    try:
        for text in steps:
            parse(text)
    except ConfigError as error:
        return {error.field: str(error)}
    return {}


def describe(steps: Sequence[str]) -> str:
    """A chain in words."""
    words = []
    for text in steps:
        name, strength = parse(text)
        step = STEPS[name]
        options = f" {strength:g}" if step.high > step.low else ""
        words.append(step.title + options)
    return ", then ".join(words) or "None"
