"""ROC, precision–recall and the spread of one class's scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from medmodel import curves, figures, plots
from medmodel.errors import DataError
from medmodel.runs import Run
from medmodel.thresholds import frozen_thresholds
from pages._shared import results
from pages._shared.charts import show_figure
from pages._shared.downloads import csv_button
from pages._shared.gallery_view import ask_for, show_gallery
from pages._shared.words import plain

CLASS = "evaluated-class"
_BIN = "clicked-bar"


def pick_class(run: Run) -> int:
    """Lets the user choose a class; returns its position. The same on every view."""
    classes = results.split(run).classes
    if st.session_state.get(CLASS) not in classes:
        # Of two classes the second one is usually the finding.
        st.session_state[CLASS] = classes[1 if len(classes) == 2 else 0]
    name = st.selectbox("Class", classes, key=CLASS, persist_state="session")
    return classes.index(name)


def frozen_threshold(run: Run, position: int) -> float | None:
    """The threshold of a class that was frozen; None if there is none."""
    found = frozen_thresholds(run)
    name = results.split(run).classes[position]
    threshold = found[1].get(name) if found else None
    return None if threshold is None or threshold != threshold else threshold


def show_curves(run: Run) -> None:
    """The curves of a class, chosen on the page."""
    position = pick_class(run)
    data = results.split(run)
    name = data.classes[position]
    colour = plots.class_colours(data.classes)[name]
    threshold = frozen_threshold(run, position)
    positive = int((data.truth == position).sum())
    if not 0 < positive < len(data.truth):
        raise DataError(f"No curves of {name}: one of the two groups has no image.")
    n = f"n = {positive:,} of the class, {len(data.truth) - positive:,} others"
    roc = results.roc(run, position)
    precision = results.precision_recall(run, position)
    metrics = results.of_class(run, position)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**ROC curve**: area {plain(metrics['auc'])}")
        figure = figures.roc_figure(roc, colour, threshold)
        show_figure(figure, "roc", f"ROC curve of {name} with its band")
        csv_button(_points(roc, "1-specificity", "sensitivity"), "roc", run)
    with right:
        average = plain(metrics["average_precision"])
        st.markdown(f"**Precision–recall curve**: average precision {average}")
        share = positive / len(data.truth)
        figure = figures.precision_recall_figure(precision, colour, share, threshold)
        show_figure(figure, "precision-recall", f"Precision–recall curve of {name}")
        csv_button(_points(precision, "recall", "precision"), "precision-recall", run)
    st.caption(
        plain(f"{n}. Bands are pointwise 95 % intervals; dotted: guessing.")
        + (" The dot is the frozen threshold." if threshold is not None else "")
    )
    st.markdown("**How its scores are spread**: click a bar to see its images.")
    spread = curves.score_histogram(data, position)
    figure = figures.histogram_figure(spread, name, colour, threshold)
    show_figure(
        figure,
        "histogram",
        f"Scores for {name}, of its images and of others",
        on_click=lambda point: _open(run, data.classes, position, point),
    )
    table = {
        "from": spread.edges[:-1],
        "to": spread.edges[1:],
        "of_the_class": spread.inside,
        "others": spread.outside,
    }
    csv_button(pd.DataFrame(table), "scores", run)
    if st.session_state.get(_BIN) == (run.id, position):
        show_gallery(run)


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


def _points(curve: curves.Curve, x: str, y: str) -> pd.DataFrame:
    return pd.DataFrame({x: curve.x, y: curve.y, "threshold": curve.thresholds})
