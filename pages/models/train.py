"""Choose a data set and a recipe, press Train."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import streamlit as st

from medmodel.core.config import TrainConfig, config_for
from medmodel.core.environment import data_roots, workspace_root
from medmodel.core.errors import DataError, RunError
from medmodel.core.settings.recipes import RECIPES
from medmodel.data.folders import recent_datasets, safe_folder, subfolders
from medmodel.data.multi_label.settings import fitted_settings
from medmodel.data.synthetic import (
    SAMPLE_NAME,
    SEGMENTATION_NAME,
    ensure_segmentation_sample,
)
from medmodel.evaluation.cross_validation import fold_configs
from medmodel.language import _
from medmodel.runs import queue
from medmodel.sweeps.candidates import SEVERAL_FINDINGS
from pages._shared.common import widgets
from pages._shared.common.glossary import meaning
from pages._shared.common.keyboard import primary_button
from pages._shared.common.trash_view import show_missing_dataset, show_trashed_dataset
from pages._shared.common.widgets import errors_shown, page_header
from pages._shared.common.words import plain
from pages._shared.training.augmentation_preview import show_augmentation
from pages._shared.training.best_form import BEST, SUMMARY, TITLE, show_best
from pages._shared.training.dataset_facts import (
    finds_several,
    show_expected_time,
    show_facts,
)
from pages._shared.training.encoder_choice import pick_encoder
from pages._shared.training.known_files import (
    files_of,
    guessed_pattern,
    has_classes,
    has_masks,
    holds_scans,
    is_dataset,
)
from pages._shared.training.patients_preview import preview_patients
from pages._shared.training.rate_finder import show_rate_finder
from pages._shared.training.split_sizes import show_small_splits
from pages._shared.training.train_form import (
    Previews,
    attention,
    settings_form,
)

RECOMMENDED = "instant"


def known_datasets() -> list[Path]:
    """Folders to choose from: the one asked for, the sample, recent and other ones."""
    datasets: dict[Path, None] = {}
    requested = st.query_params.get("dataset", "")
    if requested:
        with contextlib.suppress(DataError):  # see `show_missing_request`
            datasets[safe_folder(requested)] = None
    for folder in recent_datasets(widgets.store()):
        datasets[folder] = None
    # Before there is a run, Start says that the sample is ready: it comes first.
    sample = workspace_root() / "datasets" / SAMPLE_NAME
    if sample.is_dir():
        datasets.setdefault(sample)
    others = [folder for root in data_roots() for folder in subfolders(root)]
    # What was asked for stays, and is told why it cannot be trained on.
    return [*datasets, *(f for f in others if f not in datasets and is_dataset(f))]


def show_missing_request() -> bool:
    """Says that the data set of the link is not there; whether that is so."""
    requested = st.query_params.get("dataset", "")
    return bool(requested) and show_missing_dataset(requested)


def like_run() -> TrainConfig | None:
    """The settings of the run in ?like=, from which the form may start."""
    try:
        return widgets.store().get(st.query_params.get("like", "")).config
    except RunError:
        return None


@st.fragment(run_every=1)
def await_sample() -> None:
    """Reruns the page when the first data set is there."""
    if any(is_dataset(f) for root in data_roots() for f in subfolders(root)):
        st.rerun()
    st.info(_("Drawing the sample data set."), icon=":material/draw:")


def pick_dataset(datasets: list[Path], preselect: bool) -> Path | None:
    """The folder to train on.

    Args:
        datasets: Those to choose from.
        preselect: Whether the first one is chosen until another is.
    """
    names = widgets.folder_names(map(str, datasets))
    sample = workspace_root() / "datasets" / SAMPLE_NAME

    def title(folder: Path) -> str:
        name = names[str(folder)]
        return (
            _("{name} (drawn, to try things out)", name=name)
            if folder == sample
            else name
        )

    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            # The key keeps the choice when another folder appears in the list.
            _("Data set"),
            datasets,
            index=0 if preselect else None,
            format_func=title,
            placeholder=_("Choose a data set"),
            key="train-folder",
        )
        if chosen and st.button(_("Look at it"), icon=":material/folder_open:"):
            params = {"dataset": str(chosen)}
            st.switch_page(widgets.DATASETS, query_params=params)
    return chosen


def pick_recipe(folder: Path, start: TrainConfig | None) -> str:
    """Key of the recipe to train with; where there are masks alone, that for them."""
    names = [*RECIPES, BEST]
    masks_alone = has_masks(str(folder)) and not has_classes(folder)
    first = "segmentation" if masks_alone else RECOMMENDED
    wanted = start.recipe if start and start.recipe in names else first
    return st.radio(
        _("Recipe"),
        names,
        index=names.index(wanted),
        format_func=lambda name: recipe_title(name, recommended=not masks_alone),
        captions=[_(RECIPES[name].summary) for name in RECIPES] + [_(SUMMARY)],
        help=meaning("recipe"),
    )


def recipe_title(name: str, recommended: bool = True) -> str:
    """The recipe's title, and why it is recommended where it is.

    Args:
        name: Of the recipe.
        recommended: Whether any is: of a folder of masks there is but one that fits.
    """
    if name == BEST:
        return _(TITLE)
    title = _(RECIPES[name].title)
    if name != RECOMMENDED or not recommended:
        return title
    return _(
        "{recipe} (recommended: a baseline in minutes, before longer trainings)",
        recipe=title,
    )


def starting_point(folder: Path, recipe: str, like: TrainConfig | None) -> TrainConfig:
    """The values that the form begins with."""
    if like is not None and like.recipe == recipe:
        return replace(like, dataset=str(folder), name="", fold=1)
    return config_for(recipe, str(folder), patient_pattern=guessed_pattern(str(folder)))


def unsuitable(folder: Path, config: TrainConfig) -> str:
    """Why a folder cannot be trained on, in one sentence; empty if it can."""
    if config.segments:
        if has_masks(str(folder)):
            return ""
        return _(
            "This folder has no segmentation masks: choose a data set with the folders "
            "images and masks, or another recipe."
        )
    if has_classes(folder):
        return ""
    if has_masks(str(folder)):
        return _(
            "This folder has segmentation masks and no classes: choose the recipe "
            "Segmentation."
        )
    return _no_classes()


def _no_classes() -> str:
    return _("This folder has no two class folders with images: choose another one.")


def offer_segmentation_sample() -> None:
    """A button that draws the sample data set with masks and chooses it."""
    st.button(
        SEGMENTATION_NAME, icon=":material/science:", on_click=_draw_and_choose_sample
    )


def _draw_and_choose_sample() -> None:
    with st.spinner(_("Making the sample images")):
        sample = ensure_segmentation_sample()
    st.query_params["dataset"] = str(sample)
    st.session_state["train-folder"] = sample


def show_beside(folder: Path, config: TrainConfig, may_train: bool) -> None:
    """What stands below the button: the expected time, and facts of the data set."""
    files, counts = files_of(str(folder))
    if may_train:
        show_expected_time(config, len(files))
    show_facts(folder, counts, config.class_weights)
    if may_train:
        show_small_splits(folder, config)
    if may_train and not config.segments:  # the others learn classes
        st.page_link(
            widgets.SWEEP,
            label=_("Compare all recipes on this data"),
            icon=":material/science:",
            query_params={"dataset": str(folder)},
        )


def main() -> None:
    page_header(
        _("Train"), _("Choose a data set and a recipe, and watch the curves move.")
    )
    datasets, missing = known_datasets(), show_missing_request()
    if not datasets:
        sample = str(workspace_root() / "datasets" / SAMPLE_NAME)
        if missing or show_trashed_dataset(sample):
            st.page_link(widgets.DATASETS, label=_("Choose a data set"))
        else:
            await_sample()
        return
    # In place of one that is missing nobody is led to train on another.
    folder, like = pick_dataset(datasets, preselect=not missing), like_run()
    if folder is None:
        return
    # Columns of fixed widths: button and facts stand beside the recipes at once.
    left, right = st.columns(2, gap="large")
    with left:
        recipe = pick_recipe(folder, like)
    if recipe == BEST:
        with right:
            offer_best(folder)
        return
    with left:
        start = starting_point(folder, recipe, like)
        if recipe == RECOMMENDED:
            start = pick_encoder(start)
    with right:
        press, facts = st.container(), st.container()
    key = f"{recipe}-{folder}-{st.query_params.get('like', '')}-{start.model}"
    more = st.expander(_("More settings"), icon=":material/tune:")
    with more:
        previews = Previews(
            patients=lambda pattern: preview_patients(folder, pattern),
            augmentation=lambda config: show_augmentation(folder, config),
        )
        form = settings_form(start, key, previews, holds_scans(folder))
    config = fitted_settings(form.config(), finds_several(str(folder)))
    unfit = unsuitable(folder, config)
    problem = unfit or attention(config)
    if not problem:
        with more:
            show_rate_finder(config, key)
    with press:
        pressed = primary_button(
            _train_label(config),
            "Ctrl+Enter",
            icon=":material/play_arrow:",
            disabled=bool(problem),
        )
        if problem:
            st.markdown(f":red[:material/error: {plain(problem)}]")
        if unfit and config.segments:
            offer_segmentation_sample()
    with facts:
        show_beside(folder, config, may_train=not problem)
    if pressed:
        with errors_shown():
            submit(config)


def _train_label(config: TrainConfig) -> str:
    if config.folds <= 1:
        return _("Train")
    return _("Train {folds} folds", folds=config.folds)


def offer_best(folder: Path) -> None:
    """Asks for a time in place of settings, beside what is known of the data set."""
    unfit = "" if has_classes(folder) else _no_classes()
    if finds_several(str(folder)):
        unfit = _(SEVERAL_FINDINGS)
    show_best(folder, guessed_pattern(str(folder)), unfit)
    show_facts(folder, files_of(str(folder))[1], True)


def submit(config: TrainConfig) -> None:
    """Puts the run, or one for each fold, into the queue, and opens it."""
    folds = fold_configs(config, config.folds)
    runs = [queue.submit(each, widgets.store()) for each in folds]
    only = {"run": runs[0].id} if len(runs) == 1 else {}
    st.switch_page(widgets.RUNS, query_params=only)


main()
