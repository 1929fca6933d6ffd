"""The images on which the compared models disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medmodel.evaluation.comparison.model_comparison import CommonImages, disagreements
from medmodel.evaluation.decision.predicted_class import highest_classes
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _
from medmodel.reports import plots
from medmodel.reports.case.predicted_class import with_tie
from medmodel.runs.run import Run
from pages._shared.common.downloads import csv_button
from pages._shared.common.thumbnails import SIDE, small_images
from pages._shared.common.trash_view import show_missing_dataset
from pages._shared.common.widgets import errors_shown
from pages._shared.common.words import plain
from pages._shared.comparison import comparison_cache
from pages._shared.prediction.cases import data_folder, dataset_case
from pages._shared.prediction.prediction_cache import ask
from pages._shared.prediction.prediction_view import say_uncalibrated
from pages._shared.prediction.several_models_view import show_bars, show_heatmaps

_TILE = SIDE + 20
"""Two of them stand side by side on a phone."""


_AT_ONCE = 8


_SHOWN = "disagreements-shown"


@st.fragment
def show_disagreements(
    models: comparison_cache.Models, chosen: comparison_cache.Chosen
) -> None:
    common = comparison_cache.common(chosen)
    at = np.flatnonzero(disagreements(common))
    n = len(common.paths)
    st.markdown(
        _(
            "**Where they disagree**: {count:,} of {images:,} images",
            count=len(at),
            images=n,
        )
    )
    if not len(at):
        st.caption(_("All predicted classes are the same."))
        return
    count = st.session_state.setdefault(_SHOWN, _AT_ONCE)
    positions = at[:count]
    run = next(iter(models.values()))[0]
    show_missing_dataset(run.config.dataset)
    images = small_images(run, [common.paths[i] for i in positions])
    with st.container(horizontal=True, gap="small"):
        tiles = zip(map(int, positions), images, strict=True)
        for number, (i, thumbnail) in enumerate(tiles, 1):
            with st.container(width=_TILE, gap="xxsmall"):
                _tile(common, i, thumbnail)
                title = _("Details {number}", number=number)
                if st.button(title, key=f"compare-{i}", width="stretch"):
                    _look_closer(models, common, i)
    if len(at) > count and st.button(_("Show more"), icon=":material/add:"):
        st.session_state[_SHOWN] = count + _AT_ONCE
        st.rerun(scope="fragment")
    csv_button(_disagreement_table(common, at), "disagreements", run)


def _tile(common: CommonImages, i: int, thumbnail: bytes | str) -> None:
    first = next(iter(common.models.values()))
    label = first.classes[first.truth[i]]
    if isinstance(thumbnail, str):
        st.caption(plain(thumbnail))
    else:
        st.image(
            thumbnail, width=SIDE, alt=_("Image with true class {label}", label=label)
        )
    lines = [_("True class {label}", label=plain(label))]
    for name, model in common.models.items():
        choice = int(model.predicted[i])
        share = plots.per_cent(float(model.scores[i, choice]))
        right = ":material/check:" if choice == model.truth[i] else ":material/close:"
        words = f"**{plain(model.classes[choice])}** {plain(share)}"
        lines.append(f"{right} {plain(name)}: {with_tie(words, _tied(model, i))}")
    st.caption("  \n".join(lines))


def _tied(model: Predictions, i: int) -> bool:
    if model.choices is not None:
        return False
    return len(highest_classes(model.classes, model.scores[i])) > 1


def _look_closer(models: comparison_cache.Models, common: CommonImages, i: int) -> None:
    path = common.paths[i]
    first = next(iter(common.models.values()))
    runs = {
        name: comparison_cache.asked(run_or_folds, path)
        for name, run_or_folds in models.items()
    }
    # A decorator would say the title once for all languages.
    show = st.dialog(_("One image, several models"), width="large")(_show_closely)
    show(runs, path, first.classes[first.truth[i]])


def _show_closely(runs: dict[str, Run], path: str, label: str) -> None:
    """The image through every model: bars and heat maps."""
    with errors_shown():
        st.text(path)
        st.markdown(_("True class in the data set: **{label}**", label=plain(label)))
        answers = []
        with st.spinner(_("Asking the models …")):
            for name, run in runs.items():
                preprocessing = run.model_facts.preprocessing
                folder = data_folder(run)
                case = dataset_case(folder, path, label, preprocessing)
                answers += ask(run, [case], calibrated=False, name=name)
        show_bars(answers)
        say_uncalibrated(list(runs.values()))
        show_heatmaps(answers)


def _disagreement_table(common: CommonImages, at: Any) -> pd.DataFrame:
    first = next(iter(common.models.values()))
    table = pd.DataFrame(
        {
            _("path"): [common.paths[i] for i in at],
            _("true_class"): [first.classes[first.truth[i]] for i in at],
        }
    )
    for name, model in common.models.items():
        table[_("{model}: predicted class", model=name)] = [
            with_tie(model.classes[model.predicted[i]], _tied(model, i)) for i in at
        ]
        # Where a threshold decides, that of the predicted class may be the lower one.
        table[_("{model}: score", model=name)] = model.scores[at, model.predicted[at]]
    return table
