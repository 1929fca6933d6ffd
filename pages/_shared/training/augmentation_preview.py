"""What augmentation does to a few images of the data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import streamlit as st

from medmodel.core.config import TrainConfig
from medmodel.core.config_problems import config_problems
from medmodel.core.errors import DataError
from medmodel.core.preprocessing import Preprocessing
from medmodel.core.settings.augmentation import KEPT_SHARP
from medmodel.language import _
from pages._shared.common.widgets import errors_shown

IMAGES = 4
SEEDS = (7, 10, 12)
"""Of the twelve images that these change `KEPT_SHARP` stay sharp: one in each row."""
TRIED_PER_CLASS = 3


@st.cache_data(max_entries=8, ttl=600, show_spinner=False)
def _images(folder: str, preprocessing: Preprocessing) -> list[np.ndarray]:
    """Up to `IMAGES` images, prepared as for training, uint8 (h, w, c)."""
    from medmodel.imaging.untrusted import DataFile, DecodeOptions, open_image

    images: list[np.ndarray] = []
    for path in _candidates(Path(folder)):
        try:
            source = DataFile(Path(folder), path)
            options = DecodeOptions(preprocessing.window)
            opened = open_image(source, options=options, preprocessing=preprocessing)
        except DataError:
            continue
        if opened.prepared is not None:
            images.append(opened.prepared)
        if len(images) == IMAGES:
            break
    return images


def _candidates(folder: Path) -> Iterator[str]:
    """A few files of every class, one of each class first."""
    from medmodel.data.layout import list_files

    classes: dict[str, list[str]] = {}
    for file in list_files(folder)[0]:
        classes.setdefault(file.label, []).append(file.path)
    for place in range(TRIED_PER_CLASS):
        yield from (files[place] for files in classes.values() if len(files) > place)


def show_augmentation(folder: Path, config: TrainConfig) -> None:
    """Each image as it is, and three times as the network may see it in training."""
    if not config.augmentation.active or "augmentation" in config_problems(config):
        return
    if not st.toggle(_("Show what it does to images"), key="show_augmentation"):
        return
    preprocessing = config.preprocessing(config.size or 128)
    with errors_shown():
        images = _images(str(folder), preprocessing)
        if not images:
            st.caption(_("This folder has no image that can be read."))
            return
        _show_rows(np.stack(images), config)


def _show_rows(images: np.ndarray, config: TrainConfig) -> None:
    from medmodel.predictor import shared

    with st.spinner(_("Augmenting…"), show_time=True):
        rows = [
            images,
            *(
                shared().augment(images, config.augmentation, seed, KEPT_SHARP)
                for seed in SEEDS
            ),
        ]
    if config.augmentation.interpolates:
        st.caption(
            _(
                "As in training, each image has a chance of {share:.0f} % to be "
                "neither shifted nor rotated nor zoomed, and then stays sharp.",
                share=100 * KEPT_SHARP,
            )
        )
    for number, row in enumerate(rows):
        st.caption(
            _("As they are")
            if number == 0
            else _("Changed, try {number}", number=number)
        )
        columns = st.columns(IMAGES)
        for column, image in zip(columns, row, strict=False):
            pixels = image[..., 0] if image.shape[-1] == 1 else image
            column.image(pixels, output_format="PNG", width=160)
