"""`medmodel compare` of models that give an image several findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medmodel.cli.answers.numbers import difference_values, estimate_values
from medmodel.cli.output import say, say_table
from medmodel.language import _

if TYPE_CHECKING:
    from medmodel.evaluation.cross_validation import Models
    from medmodel.evaluation.multi_label.comparison import CommonFindings


def comparison_values(models: Models, common: CommonFindings) -> dict[str, Any]:
    """The comparison as JSON has it; a finding of null is the mean of all."""
    from medmodel.evaluation.multi_label.comparison import (
        areas,
        compare_findings,
        compare_means,
    )

    of_findings = areas(common)
    return {
        "images": len(common.paths),
        "models": [
            {
                "name": name,
                "runs": [run.id for run in runs],
                "images_left_out": common.left_out[name],
                "findings": {
                    finding: {"auc": estimate_values(of_models[name])}
                    for finding, of_models in of_findings.items()
                },
            }
            for name, runs in models.items()
        ],
        "differences": [
            *(
                {"finding": None, **difference_values(pair)}
                for pair in compare_means(common)
            ),
            *(
                {"finding": finding, **difference_values(pair)}
                for finding, pairs in compare_findings(common).items()
                for pair in pairs
            ),
        ],
    }


def say_comparison(common: CommonFindings) -> None:
    """The comparison as text."""
    from medmodel.evaluation.comparison.paired_tests import correction
    from medmodel.evaluation.multi_label.comparison import (
        areas,
        compare_findings,
        compare_means,
    )

    of_findings = areas(common)
    rows = [
        [finding, *map(str, of_models.values())]
        for finding, of_models in of_findings.items()
    ]
    say_table([_("Image finding"), *common.tables], rows)
    say()
    say(str(common))
    say(_("Compared by {metric}:", metric=_("Mean AUC")))
    means = compare_means(common)
    for pair in means:
        say(f"- {pair}")
    if said := correction(means):
        say(said)
    tested = 0
    for finding, pairs in compare_findings(common).items():
        say(_("{finding}, compared by AUC:", finding=finding))
        for pair in pairs:
            say(f"- {pair}")
        tested += sum(pair.estimate.has_interval for pair in pairs)
    if tested > 1:
        say(
            _(
                "p values of the findings are corrected for all {count} tests (Holm).",
                count=tested,
            )
        )
