"""Metrics by group on the command line: `medmodel evaluate RUN --by-group`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from medmodel.cli.answers.numbers import estimate_values
from medmodel.cli.output import say, say_table
from medmodel.evaluation.groups.group_comparison import NOT_STATED
from medmodel.evaluation.groups.run_groups import groups_of_run
from medmodel.evaluation.metrics.metric_table import METRICS
from medmodel.language import _
from medmodel.runs.run import Run


def say_groups(run: Run) -> None:
    """Prints a table for each attribute, the tests below it."""
    groups = groups_of_run(run)
    comparison = groups.comparison
    say()
    say(comparison.verdict)
    for title, results in comparison.results.items():
        say()
        keys = list(results[0].metrics)
        header = [title, "n", *(_(METRICS[key].title) for key in keys)]
        rows = [
            [r.name or _(NOT_STATED), f"{r.images:,}", *map(str, r.metrics.values())]
            for r in results
        ]
        say_table(header, rows, numbers=[1])
        for gap in comparison.gaps:
            if gap.attribute == title:
                say(f"- {gap}")
    for title, reason in groups.left_out.items():
        say(_("{column}: {reason}.", column=title, reason=reason))


def group_values(run: Run) -> dict[str, Any]:
    """The same as JSON has it."""
    groups = groups_of_run(run)
    comparison = groups.comparison
    return {
        "groups": {
            title: [
                {
                    "group": result.name or None,
                    "images": result.images,
                    "patients": result.patients,
                    "metrics": {
                        key: estimate_values(e) for key, e in result.metrics.items()
                    },
                }
                for result in results
            ]
            for title, results in comparison.results.items()
        },
        "gaps": [asdict(gap) for gap in comparison.gaps],
        "left_out": dict(groups.left_out),
    }
