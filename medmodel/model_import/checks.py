"""Whether what a person says of a foreign model can be, field by field."""

from __future__ import annotations

from medmodel.core.errors import ConfigError, DataError
from medmodel.core.preprocessing import window_values
from medmodel.language import _, ngettext
from medmodel.model_import.description import (
    LARGEST_SIDE,
    MOST_CLASSES,
    SCALES,
    SMALLEST_SIDE,
    ImportSettings,
    ModelDescription,
)


def check_settings(settings: ImportSettings, description: ModelDescription) -> None:
    """Refuses settings that do not fit the model.

    Raises:
        ConfigError: One is wrong.
    """
    _check_classes(settings.classes, description)
    if not SMALLEST_SIDE <= settings.size <= LARGEST_SIDE or (
        description.size and settings.size != description.size
    ):
        raise ConfigError(
            "size",
            _(
                "The input size must be {size} pixels, as the model says.",
                size=description.size,
            )
            if description.size
            else _(
                "The input size must lie between {smallest} and {largest} pixels.",
                smallest=SMALLEST_SIDE,
                largest=LARGEST_SIDE,
            ),
        )
    channels = 1 if settings.colour == "grey" else 3
    if description.channels and channels != description.channels:
        raise ConfigError(
            "colour",
            ngettext(
                "The model takes {count:,} channel.",
                "The model takes {count:,} channels.",
                description.channels,
            ),
        )
    if settings.scale not in SCALES:
        raise ConfigError("scale", _("There is no such scale of pixels."))
    if settings.scale in ("imagenet", "caffe") and channels == 1:
        raise ConfigError("scale", _("This scale is for three channels."))
    if not settings.name.strip():
        raise ConfigError("name", _("Give the model a name."))
    window_values(settings.window)


def check_square(height: int | None, width: int | None) -> None:
    """Refuses a model whose images are no squares; 0 or None: any length.

    Raises:
        DataError: They are none.
    """
    if height != width:
        raise DataError(
            _(
                "The model takes images of {height} × {width} pixels: only squares are "
                "given here.",
                height=height or "?",
                width=width or "?",
            )
        )


def _check_classes(classes: list[str], description: ModelDescription) -> None:
    count = description.class_count
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise ConfigError(
            "classes",
            _(
                "Name between 2 and {most:,} classes, one a line; {count:,} were "
                "given.",
                most=MOST_CLASSES,
                count=len(classes),
            ),
        )
    if count and len(classes) != count:
        raise ConfigError(
            "classes",
            _(
                "The model has {outputs:,} classes, and {count:,} were named: one a "
                "line, in the model's order.",
                outputs=count,
                count=len(classes),
            ),
        )
    if len(set(classes)) < len(classes) or not all(n.strip() for n in classes):
        raise ConfigError(
            "classes", _("Each class needs a name of its own: one occurs twice.")
        )
