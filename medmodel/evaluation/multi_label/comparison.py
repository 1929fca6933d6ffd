"""Paired comparison of models of several findings on the same test images.

Each finding by DeLong's paired test of its AUC, patients kept together. All of these
tests, of every finding and every pair of models, are corrected together by Holm; the
means over the findings are a question of their own and corrected by themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medmodel.core.errors import DataError
from medmodel.evaluation.comparison.model_comparison import (
    CommonImages,
    PairedDifference,
    difference,
    is_one_image,
    kind_of_difference,
)
from medmodel.evaluation.comparison.paired_tests import corrected, mean_area_difference
from medmodel.evaluation.cross_validation import (
    Models,
    digests_of_models,
    pooled_findings,
)
from medmodel.evaluation.intervals.estimate import Estimate, where_enough
from medmodel.evaluation.metrics.metric_table import METRICS, limiting_group
from medmodel.evaluation.metrics.ranking_metrics import class_area, mean_area
from medmodel.evaluation.multi_label.finding_results import (
    FINDING,
    finding_predictions,
    mean_area_of,
)
from medmodel.language import N_, _, ngettext
from medmodel.runs.copies import independent_findings
from medmodel.runs.tables.findings import finding_names, truth_and_score

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CommonFindings:
    """The test images that all models have in common, in the same order for each.

    Args:
        paths: The images' paths, sorted, length n.
        tables: Name of each model -> its rows of findings.csv, one for each path.
        left_out: Name of each model -> its test images that some other one lacks.
    """

    paths: list[str]
    tables: Mapping[str, pd.DataFrame]
    left_out: Mapping[str, int]

    @property
    def findings(self) -> list[str]:
        """What all of the models look for, in the order of the first one."""
        return finding_names(next(iter(self.tables.values())))

    def of_finding(self, name: str) -> CommonImages:
        """One finding of every model, as predictions of two classes."""
        models = {
            model: finding_predictions(rows, name, "test")
            for model, rows in self.tables.items()
        }
        return CommonImages(self.paths, models, self.left_out)

    def __str__(self) -> str:
        """How many there are, as a sentence."""
        return str(CommonImages(self.paths, {}, self.left_out))


def common_findings(
    tables: Mapping[str, pd.DataFrame],
    digests: Mapping[str, Mapping[str, str]] = {},
) -> CommonFindings:
    """The test images that every table has, brought into the same order.

    Args:
        tables: Name of each model -> its table as from `read_findings`.
        digests: Name of each model -> path -> digest of the image. Files of one name
            are no common image unless they are equal pixel by pixel.

    Raises:
        DataError: Fewer than two models, other findings, no image in common, or images
            of which other findings are said to be true.
    """
    if len(tables) < 2:
        raise DataError(_("A comparison needs two models at least."))
    tested = {
        name: table[table["split"] == "test"].set_index("path", drop=False)
        for name, table in tables.items()
    }
    first_name, first = next(iter(tested.items()))
    findings = finding_names(first)
    for name, table in tested.items():
        if set(finding_names(table)) != set(findings):
            raise DataError(
                _(
                    "{name} and {first_name} do not have the same findings.",
                    name=name,
                    first_name=first_name,
                )
            )
    shared = set.intersection(*(set(table.index) for table in tested.values()))
    paths = sorted(path for path in shared if is_one_image(path, digests))
    if not paths:
        raise DataError(_("These models have no test image in common."))
    left_out = {name: len(table) - len(paths) for name, table in tested.items()}
    chosen = {name: table.loc[paths] for name, table in tested.items()}
    for name, rows in chosen.items():
        _check_truth(name, rows, first_name, chosen[first_name])
    with_patients = [r for r in chosen.values() if not (r["patient"] == "").any()]
    if with_patients:
        known = with_patients[0]["patient"]
        chosen = {name: r.assign(patient=known) for name, r in chosen.items()}
    return CommonFindings(list(map(str, paths)), chosen, left_out)


def common_of_models(models: Models) -> CommonFindings:
    """The same of runs; of a whole cross-validation, images as told out of fold.

    Raises:
        DataError: They cannot be compared.
        RunError: One has no findings.csv.
    """
    tables = {
        name: independent_findings(runs[0]) if len(runs) == 1 else pooled_findings(runs)
        for name, runs in models.items()
    }
    return common_findings(tables, digests_of_models(models))


def _check_truth(
    name: str, rows: pd.DataFrame, first_name: str, first: pd.DataFrame
) -> None:
    """Refuses models of which other findings of the same images are called true."""
    wrong = sum(
        (truth_and_score(rows, each)[0] != truth_and_score(first, each)[0]).astype(int)
        for each in finding_names(first)
    )
    images = int((wrong > 0).sum())
    if images:
        raise DataError(
            ngettext(
                "{name} and {first_name} have other labels for {count:,} image.",
                "{name} and {first_name} have other labels for {count:,} images.",
                images,
                name=name,
                first_name=first_name,
            )
        )


def compare_findings(common: CommonFindings) -> dict[str, list[PairedDifference]]:
    """Every pair of models by the AUC of every finding, all corrected together.

    Args:
        common: As from `common_findings`.

    Returns:
        Finding -> pairs. Holm's correction is over all that can be measured.
    """
    pairs = {name: _differences(common.of_finding(name)) for name in common.findings}
    adjusted = iter(corrected([each for of in pairs.values() for each in of]))
    return {name: [next(adjusted) for _pair in of] for name, of in pairs.items()}


def _differences(common: CommonImages) -> list[PairedDifference]:
    return [
        difference(common, first, second, "auc")
        for first, second in itertools.combinations(common.models, 2)
    ]


def compare_means(common: CommonFindings) -> list[PairedDifference]:
    """Every pair of models by the mean AUC of the findings, corrected by Holm.

    Args:
        common: As from `common_findings`.
    """
    of_findings = [common.of_finding(name) for name in common.findings]
    pairs = [
        _mean_difference(of_findings, first, second)
        for first, second in itertools.combinations(common.tables, 2)
    ]
    return corrected(pairs)


def _mean_difference(
    of_findings: Sequence[CommonImages], first: str, second: str
) -> PairedDifference:
    ones, others = (
        [(common.models[name], FINDING) for common in of_findings]
        for name in (first, second)
    )
    estimate, p, needed = mean_area_difference(ones, others)
    measured = [data for data, k in ones if class_area(data, k) is not None]
    if measured:
        groups = [limiting_group("auc", data, FINDING) for data in measured]
        smallest = min(groups, key=lambda group: group.count)
        estimate = where_enough(estimate, kind_of_difference("auc"), smallest)
    means = [
        mean_area([class_area(*each) for each in chosen]) for chosen in (ones, others)
    ]
    values = tuple(area.area if area else float("nan") for area in means)
    return PairedDifference(
        "auc",
        first,
        second,
        (values[0], values[1]),
        estimate,
        p,
        N_("DeLong, paired"),
        needed,
    )


def areas(common: CommonFindings) -> dict[str, dict[str, Estimate]]:
    """Finding -> model -> AUC on the common images."""
    return {
        name: {
            model: METRICS["auc"].estimate(data, FINDING)
            for model, data in common.of_finding(name).models.items()
        }
        for name in common.findings
    }


def mean_areas(common: CommonFindings) -> dict[str, Estimate]:
    """Model -> mean AUC of the findings that can be measured, on the common images."""
    of_findings = [common.of_finding(name) for name in common.findings]
    return {
        model: mean_area_of([each.models[model] for each in of_findings])
        for model in common.tables
    }
