"""What has to be asked of a foreign model, with a preview of what it will see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from medmodel.core.errors import ConfigError
from medmodel.core.preprocessing import Colour, Fit, Preprocessing
from medmodel.export.archive import drawn_sample
from medmodel.imaging.decoded_image import DecodeOptions
from medmodel.imaging.images import png_bytes
from medmodel.imaging.untrusted import open_image
from medmodel.language import _, translate
from medmodel.model_import.checks import check_settings
from medmodel.model_import.description import (
    DEFAULT_SIZE,
    FORMAT_TITLES,
    LARGEST_SIDE,
    SCALES,
    SMALLEST_SIDE,
    ImportSettings,
    ModelDescription,
    scale_factors,
    suggested_classes,
)
from medmodel.runs.setting_words import setting_text
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain

_SHOWN = 224


def ask_settings(
    description: ModelDescription, import_id: str
) -> ImportSettings | None:
    """The form and the preview; the settings once Import is pressed.

    Args:
        description: What the file says of itself.
        import_id: Of the import.
    """
    _say_what_it_is(description)
    form, preview = st.columns([1.4, 1], gap="large")
    with form:
        settings = _form(description)
    with preview:
        _preview(settings)
    try:
        check_settings(settings, description)
    except ConfigError as error:
        st.info(plain(translate(str(error))), icon=":material/edit:")
        return None
    st.caption(
        _(
            "The training images are not in the file: no image can be said to be "
            "unlike them, or a copy of one of them. Test the model on images with "
            "known classes before you believe it."
        )
    )
    pressed = st.button(_("Import"), type="primary", icon=":material/upload:")
    return settings if pressed else None


def _say_what_it_is(description: ModelDescription) -> None:
    facts = [FORMAT_TITLES[description.format]]
    if description.tool:
        facts.append(description.tool)
    if description.size:
        facts.append(_("{size} × {size} pixels", size=description.size))
    if description.class_count:
        facts.append(_("{count:,} classes", count=description.class_count))
    st.markdown(plain(" · ".join(facts)))


def _form(description: ModelDescription) -> ImportSettings:
    name = st.text_input(_("Name of the model"), _("Imported model"), max_chars=80)
    classes = st.text_area(
        _("Classes, one a line, in the model's order"),
        "\n".join(suggested_classes(description)),
        help=_(
            "Of a model with one output first the class that it speaks against, then "
            "the one it speaks for."
        ),
    )
    size = description.size
    if not size:
        size = st.number_input(
            _("Input size"), SMALLEST_SIDE, LARGEST_SIDE, DEFAULT_SIZE
        )
    colour: Colour = "grey" if description.channels == 1 else "rgb"
    if not description.channels:
        colour = _choice(_("Colour"), _words("colour", Colour), colour)
    scales = {
        key: title
        for key, title in SCALES.items()
        if colour == "rgb" or key not in ("imagenet", "caffe")
    }
    scale = _choice(
        _("Values that the model takes"),
        scales,
        description.scale if description.scale in scales else "unit",
        help=_(
            "As in the program that trained it. What is chosen here at first is a "
            "guess; with a wrong scale the answers are wrong without any error."
        ),
    )
    fit = _choice(_("Images that are not square"), _words("fit", Fit), description.fit)
    window = st.text_input(
        _("Window of scans"),
        description.window,
        help=_("auto, file, a name, or centre/width."),
        max_chars=40,
    )
    return ImportSettings(
        name=name,
        classes=[line.strip() for line in classes.splitlines() if line.strip()],
        size=int(size),
        fit=fit,
        colour=colour,
        window=window.strip() or "auto",
        scale=scale,
    )


def _words(setting: str, kind: Any) -> dict[Any, str]:
    return {key: setting_text(setting, key) for key in get_args(kind)}


def _choice(
    label: str, titles: Mapping[Any, str], first: str, help: str | None = None
) -> Any:
    keys = list(titles)
    return st.selectbox(
        label,
        keys,
        index=keys.index(first),
        format_func=lambda key: _(titles[key]),
        help=help,
    )


def _preview(settings: ImportSettings) -> None:
    """An image as the model will see it, and the values that it will get."""
    st.markdown(_("**What the model sees**"))
    file = st.file_uploader(_("An image to try"), key="import-preview")
    with errors_shown():
        preprocessing = Preprocessing(
            settings.size, settings.fit, settings.colour, settings.window
        )
        pixels = _pixels(file.getvalue() if file else b"", preprocessing)
        shown = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
        st.image(
            png_bytes(shown),
            width=max(_SHOWN, min(settings.size, 2 * _SHOWN)),
            output_format="PNG",
            alt=_("The image as the model sees it"),
        )
        low, high = _range(pixels, settings)
        size = settings.size
        sentence = (
            _(
                "{size} × {size} pixels, values from {low:.2f} to {high:.2f}.",
                size=size,
                low=low,
                high=high,
            )
            if file
            else _(
                "A drawn image of {size} × {size} pixels, values from {low:.2f} to "
                "{high:.2f}.",
                size=size,
                low=low,
                high=high,
            )
        )
        st.caption(sentence)


@st.cache_data(max_entries=8, ttl=600, show_spinner=False)
def _pixels(content: bytes, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    if not content:
        return drawn_sample(preprocessing.shape)
    opened = open_image(
        content,
        options=DecodeOptions(preprocessing.window),
        preprocessing=preprocessing,
    )
    assert opened.prepared is not None  # it was asked for
    return opened.prepared


def _range(pixels: NDArray[np.uint8], settings: ImportSettings) -> tuple[float, float]:
    factors, offsets = scale_factors(settings.scale, pixels.shape[2])
    ordered = pixels[..., ::-1] if settings.scale == "caffe" else pixels
    values = ordered * np.array(factors) + np.array(offsets)
    return float(values.min()), float(values.max())
