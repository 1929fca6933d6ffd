"""What varies in a sweep: lists and ranges for a few settings."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import streamlit as st

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.environment import data_roots
from medmodel.core.errors import DataError
from medmodel.core.settings.network_names import MODEL_NAMES
from medmodel.core.settings.recipes import RECIPES
from medmodel.data.folders import recent_datasets, safe_folder, subfolders
from medmodel.data.layout import list_files
from medmodel.data.multi_label.settings import fitted_settings
from medmodel.language import _
from medmodel.quality import report_store
from medmodel.sweeps.search_space import (
    AUGMENTATIONS,
    COMPARED_RECIPES,
    MOST_TRIALS,
    PARAMETERS,
    VARIED,
    Dimension,
    SweepConfig,
    expected_seconds,
)
from pages._shared.common import widgets
from pages._shared.common.legible import legible
from pages._shared.common.words import duration, rounded
from pages._shared.training.dataset_facts import finds_several

_SIZES = (32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512)
_BATCHES = (4, 8, 16, 32, 64, 128, 256)
_FROM_SCRATCH = [
    name for name in COMPARED_RECIPES if RECIPES[name].settings.get("training")
]


def pick_folder() -> Path | None:
    """The data set to train on; ?dataset= comes first. None where there is none."""
    folders: dict[Path, None] = {}
    with contextlib.suppress(DataError):
        folders[safe_folder(st.query_params.get("dataset", ""))] = None
    folders |= dict.fromkeys(recent_datasets(widgets.store()))
    folders |= {f: None for root in data_roots() for f in subfolders(root)}
    usable = [folder for folder in folders if _classes(str(folder)) > 1]
    if not usable:
        return None
    names = widgets.folder_names(map(str, usable))
    chosen: Path = st.selectbox(
        _("Data set"),
        usable,
        format_func=lambda folder: names[str(folder)],
        key="sweep-folder",
    )
    return chosen


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def _classes(folder: str) -> int:
    try:
        return len({file.label for file in list_files(Path(folder))[0]})
    except DataError:
        return 0


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def _images(folder: str) -> int:
    return len(list_files(Path(folder))[0])


def show_expected_time(folder: Path, sweep: SweepConfig) -> None:
    """How long all trials take on this machine."""
    seconds = expected_seconds(sweep, _images(str(folder)), widgets.store().root)
    text = _(
        "About **{time}** for all trials, if none ends early.",
        time=duration(rounded(seconds)),
    )
    st.markdown(f":material/schedule: {text}")


@st.cache_data(max_entries=16, ttl=60, show_spinner=False)
def _pattern(folder: str) -> str:
    files = list_files(Path(folder))[0]
    return report_store.suggested_pattern(Path(folder), [f.path for f in files])


def base_config(folder: Path, recipe: str) -> TrainConfig:
    """What all trials share."""
    config = config_for(recipe, str(folder), patient_pattern=_pattern(str(folder)))
    # What makes no sense for several findings is said before anything is trained.
    return fitted_settings(config, finds_several(str(folder)))


def ask_sweep(folder: Path) -> SweepConfig:
    """The form; what it says may still be wrong, see `SweepConfig.check`."""
    recipe = st.selectbox(
        _("Recipe"),
        _FROM_SCRATCH,
        format_func=lambda name: _(RECIPES[name].title),
        key="sweep-recipe",
    )
    varied = st.pills(
        _("What varies"),
        VARIED,
        selection_mode="multi",
        default=["learning_rate"],
        format_func=legible(lambda name: _(PARAMETERS[name])),
        key="sweep-varied",
    )
    space = {name: _ask(name) for name in varied}
    left, right = st.columns(2)
    with left:
        trials = st.number_input(
            _("Trials at most"), 1, MOST_TRIALS, 10, key="sweep-trials"
        )
    with right:
        prune = st.toggle(
            _("End hopeless trials early"),
            True,
            key="sweep-prune",
            help=_(
                "A trial is stopped when its validation loss is worse than the median "
                "of the others at the same epoch."
            ),
        )
    epochs = st.number_input(_("Epochs at most"), 1, 1000, 10, key="sweep-epochs")
    base = base_config(folder, recipe)
    config = TrainConfig(**{**vars(base), "epochs": int(epochs)})
    return SweepConfig(config, space, int(trials), bool(prune))


def _ask(name: str) -> Dimension:
    title, key = _(PARAMETERS[name]), f"sweep-{name}"
    if name == "learning_rate":
        low, high = st.select_slider(
            title,
            [10.0**-e for e in range(6, 0, -1)],
            (1e-4, 1e-2),
            format_func=lambda value: f"{value:g}",
            key=key,
            help=_("Any value between the two, small ones as often as large ones."),
        )
        return Dimension((low,)) if low == high else Dimension((), low, high, True)
    options: dict[str, tuple[list[Any], list[Any]]] = {
        "model": (list(MODEL_NAMES), ["compact_resnet", "document_cnn"]),
        "size": (list(_SIZES), [64, 128]),
        "batch_size": (list(_BATCHES), [16, 32]),
        "augmentation": (list(AUGMENTATIONS), ["none", "medical"]),
        "mixup": ([0.0, 0.1, 0.2, 0.4, 1.0], [0.0, 0.2]),
        "ema": ([0.0, 0.9, 0.99, 0.999], [0.0, 0.99]),
    }
    values, first = options[name]
    titles = {"model": MODEL_NAMES} | {
        "augmentation": {key: entry[0] for key, entry in AUGMENTATIONS.items()}
    }
    chosen = st.multiselect(
        title,
        values,
        first,
        format_func=lambda value: (
            _(titles[name][value]) if name in titles else f"{value:g}"
        ),
        key=key,
    )
    return Dimension(tuple(chosen))
