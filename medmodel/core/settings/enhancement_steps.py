"""Enhancement steps as text: names and strengths that mean the same ever after.

A step is its name, and after a colon its strength, such as `gamma:0.8`. What it does to
an image is told in `enhance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from medmodel.core.errors import ConfigError
from medmodel.language import N_, _

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
    "crop": Step(N_("Crop to content"), 0, 0, 0, N_("Takes off empty dark borders.")),
    "borders": Step(
        N_("Remove borders"),
        0,
        0,
        0,
        N_("Takes off plain borders of any colour."),
    ),
    "resize": Step(
        N_("Resize"),
        32,
        1024,
        256,
        N_(
            "Scales the longer side to so many pixels, so that what follows "
            "means the same for all images."
        ),
        whole=True,
    ),
    "stretch": Step(
        N_("Window by percentiles"),
        0,
        20,
        1,
        N_("Makes the darkest and brightest per cent of pixels black and white."),
    ),
    "clahe": Step(
        N_("Local contrast (CLAHE)"),
        0.001,
        0.1,
        0.01,
        N_("Evens out contrast place by place; the strength is the clip limit."),
    ),
    "gamma": Step(
        N_("Gamma"), 0.2, 5, 0.8, N_("Below 1 brightens dark parts, above 1 darkens.")
    ),
    "median": Step(
        N_("Denoise: median"),
        1,
        5,
        1,
        N_("Removes specks; radius in pixels."),
        whole=True,
    ),
    "nlm": Step(
        N_("Denoise: non-local means"),
        0.2,
        2,
        0.8,
        N_("Smooths where the image repeats itself; in units of its own noise. Slow."),
    ),
    "bilateral": Step(
        N_("Denoise: bilateral"),
        0.01,
        0.5,
        0.05,
        N_("Smooths between edges; the strength is how different neighbours may be."),
    ),
    "unsharp": Step(
        N_("Sharpen (unsharp mask)"), 0.1, 5, 1, N_("Makes edges stronger.")
    ),
    "edges": Step(N_("Edges"), 0, 0, 0, N_("Leaves edges only (Sobel).")),
    "invert": Step(N_("Invert"), 0, 0, 0, N_("Swaps black and white.")),
}


def parse(text: str) -> tuple[str, float]:
    """Name and strength of a step.

    Raises:
        ConfigError: It does not exist, or its strength is out of range.
    """
    name, _colon, number = text.partition(":")
    try:
        step = STEPS[name]
        strength = float(number) if number else step.usual
    except (KeyError, ValueError) as error:
        raise ConfigError(
            "steps", _("There is no enhancement {step!r}.", step=text)
        ) from error
    if not step.low <= strength <= step.high:
        raise ConfigError(
            "steps",
            _(
                "{title}: the strength must lie between {low:g} and {high:g}; "
                "{strength:g} was given.",
                title=_(step.title),
                low=step.low,
                high=step.high,
                strength=strength,
            ),
        )
    return name, strength


def step_problem(steps: Sequence[str]) -> dict[str, str]:
    """What is wrong with a chain, as field -> sentence; empty when all is well."""
    if len(steps) > MOST_STEPS:
        return {
            "steps": _(
                "At most {most} steps; {count} were given.",
                most=MOST_STEPS,
                count=len(steps),
            )
        }
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
        words.append(_(step.title) + options)
    return _(", then ").join(words) or _("None")
