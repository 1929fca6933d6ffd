"""Metrics by group of a finished run's test images, and as tables to take away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medmodel.data.attributes.image_attributes import (
    ATTRIBUTE_TITLES,
    image_attributes,
)
from medmodel.data.folders import safe_folder
from medmodel.evaluation.decision.positive_class import positive_class
from medmodel.evaluation.groups.group_comparison import (
    NOT_STATED,
    GroupComparison,
    compare_groups,
)
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.evaluation.predictions import split_predictions
from medmodel.language import _
from medmodel.runs.copies import independent_predictions
from medmodel.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunGroups:
    """What is known of the groups of a run's test images.

    Args:
        comparison: Metrics by group, and tests.
        left_out: Title of a column or header element -> why it makes no groups.
    """

    comparison: GroupComparison
    left_out: Mapping[str, str]


def groups_of_run(run: Run) -> RunGroups:
    """The groups of a run's test images, copies aside.

    Raises:
        DataError: The data set is not there any more, or there is no test image.
        RunError: The run has no predictions.
        FileError: A file of the run is damaged.
    """
    table = independent_predictions(run)
    data = split_predictions(table, "test")
    tested = table[table["split"] == "test"]
    attributes = image_attributes(
        safe_folder(run.config.dataset),
        tested["path"].tolist(),
        tested["patient"].tolist() if data.patients is not None else (),
        data.classes,
    )
    groups = {attribute_title(n): g for n, g in attributes.groups.items()}
    positive = positive_class(run, data.classes)
    position = positive.position if positive else None
    left_out = {attribute_title(n): w for n, w in attributes.left_out.items()}
    return RunGroups(compare_groups(data, groups, position), left_out)


def attribute_title(name: str) -> str:
    """What an attribute is called: a column as its table has it."""
    return _(ATTRIBUTE_TITLES[name]) if name in ATTRIBUTE_TITLES else name


def group_table(comparison: GroupComparison) -> pd.DataFrame:
    """Columns `attribute, group, images, patients, metric, value, low, high, n_images`.

    Where too few images bear an interval, `low` and `high` say so.
    """
    import pandas as pd

    rows: list[list[Any]] = [
        [title, result.name or _(NOT_STATED), result.images, result.patients or ""]
        + [_(METRICS[key].title), estimate.value, *estimate.ends, estimate.n]
        for title, results in comparison.results.items()
        for result in results
        for key, estimate in result.metrics.items()
    ]
    columns = [_("attribute"), _("group"), _("images"), _("patients"), _("metric")]
    columns += [_("value"), _("low"), _("high"), _("n_images")]
    return pd.DataFrame(rows, columns=columns)
