"""ROC, precision–recall and the spread of one class's scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from medmodel.core.errors import value_or_problem
from medmodel.evaluation.decision.frozen_thresholds import frozen_thresholds
from medmodel.evaluation.groups.subgroups import Subgroup
from medmodel.evaluation.intervals.minima import too_few
from medmodel.evaluation.metrics import curves
from medmodel.language import _, translate
from medmodel.reports import figures, plots
from medmodel.runs.run import Run
from pages._shared.common import run_cache
from pages._shared.common.charts import show_figure
from pages._shared.common.downloads import csv_button
from pages._shared.common.glossary import meaning
from pages._shared.common.words import plain
from pages._shared.evaluation.gallery_view import ask_for, show_gallery

CLASS = "evaluated-class"
FEWEST = 5
"""Images of the class, and others, without which no curve is drawn."""
_BIN = "clicked-bar"


def pick_class(run: Run) -> int:
    """Lets the user choose a class; returns its position. The same on every view."""
    classes = run_cache.split(run).classes
    if st.session_state.get(CLASS) not in classes:
        # Of two classes the second one is usually the finding.
        st.session_state[CLASS] = classes[1 if len(classes) == 2 else 0]
    name = st.selectbox(_("Class"), classes, key=CLASS, persist_state="session")
    return classes.index(name)


def frozen_threshold(run: Run, position: int) -> float | None:
    """The threshold of a class that was frozen; None if there is none that is whole."""
    frozen, _problem = value_or_problem(frozen_thresholds, run)
    name = run_cache.split(run).classes[position]
    threshold = frozen[1].get(name) if frozen else None
    return None if threshold is None or threshold != threshold else threshold


def show_curves(run: Run, group: Subgroup) -> None:
    """The curves of a class, chosen on the page, and how its scores are spread."""
    position = pick_class(run)
    if problem := value_or_problem(frozen_thresholds, run)[1]:
        st.warning(plain(translate(problem)), icon=":material/help:")
    data = run_cache.part_of(run, group)
    positive = int((data.truth == position).sum())
    others = len(data.truth) - positive
    if min(positive, others) < FEWEST:
        st.info(
            _(
                "Too few for curves: test images of {name}: {positive:,}, of other "
                "classes: {others:,}; {least} of each are the least.",
                positive=positive,
                name=plain(data.classes[position]),
                others=others,
                least=FEWEST,
            ),
            icon=":material/info:",
        )
    else:
        _show_both(run, group, position, positive / len(data.truth))
        count = _(
            "n = {positive:,} images of the class, {others:,} others; dotted: "
            "guessing.",
            positive=positive,
            others=others,
        )
        bands = f"{count} {_band_sentence(run, group, position)}"
        if frozen_threshold(run, position) is not None:
            dot = _("The dot is the frozen threshold.")
            bands = f"{bands} {dot}"
        st.caption(plain(bands))
    _show_spread(run, group, position)


def _band_sentence(run: Run, group: Subgroup, position: int) -> str:
    """What the bands are, or why there are none."""
    few = run_cache.roc(run, position, group).too_few
    if few is None:
        return _("Bands are pointwise 95 % intervals.")
    return _("No bands: {few}.", few=too_few(few))


def _show_both(run: Run, group: Subgroup, position: int, share: float) -> None:
    """ROC and precision–recall; `share` of the images are of the class."""
    classes = run_cache.split(run).classes
    name = classes[position]
    colour = plots.class_colours(classes)[name]
    threshold = frozen_threshold(run, position)
    roc = run_cache.roc(run, position, group)
    precision = run_cache.precision_recall(run, position, group)
    metrics = run_cache.of_class(run, position, group)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(
            _("**ROC curve**: area {area}", area=plain(metrics["auc"])),
            help=meaning("ROC curve", "AUC", "interval"),
        )
        figure = figures.roc_figure(roc, colour, threshold)
        show_figure(figure, "roc", _("ROC curve of {name} with its band", name=name))
        csv_button(_points(roc, _("1-specificity"), _("sensitivity")), "roc", run)
    with right:
        average = plain(metrics["average_precision"])
        st.markdown(
            _(
                "**Precision–recall curve**: average precision {average}",
                average=average,
            ),
            help=meaning("precision–recall curve", "average precision", "interval"),
        )
        figure = figures.precision_recall_figure(precision, colour, share, threshold)
        show_figure(
            figure, "precision-recall", _("Precision–recall curve of {name}", name=name)
        )
        table = _points(precision, _("recall"), _("precision"))
        csv_button(table, "precision-recall", run)


def _show_spread(run: Run, group: Subgroup, position: int) -> None:
    data = run_cache.part_of(run, group)
    name = data.classes[position]
    st.markdown(_("**How its scores are spread**: click a bar to see its images."))
    spread = curves.score_histogram(data, position)
    colour = plots.class_colours(data.classes)[name]
    threshold = frozen_threshold(run, position)
    figure = figures.histogram_figure(spread, name, colour, threshold)
    show_figure(
        figure,
        "histogram",
        _("Scores for {name}, of its images and of others", name=name),
        on_click=lambda point: _open(run, data.classes, position, point),
    )
    table = {
        _("from"): spread.edges[:-1],
        _("to"): spread.edges[1:],
        _("of_the_class"): spread.inside,
        _("others"): spread.outside,
    }
    csv_button(pd.DataFrame(table), "scores", run)
    if st.session_state.get(_BIN) == (run.id, position):
        show_gallery(run, group)


def _open(
    run: Run, classes: Sequence[str], position: int, point: dict[str, Any]
) -> None:
    bin_ = point.get("customdata")
    if bin_:
        low, high, inside = list(bin_)[:3]
        name = classes[position]
        # Of two classes, not this one is the other one.
        other = classes[1 - position] if len(classes) == 2 else ""
        ask_for(
            label=name if inside else other,
            scores=(round(100 * low, 1), round(100 * high, 1)),
            of=name,
            but="" if inside or other else name,
        )
        st.session_state[_BIN] = run.id, position


def _points(curve: curves.ThresholdCurve, x: str, y: str) -> pd.DataFrame:
    return pd.DataFrame({x: curve.x, y: curve.y, _("threshold"): curve.thresholds})
