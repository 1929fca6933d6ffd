"""Frozen thresholds of a run: chosen before test images are looked at, and kept."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medmodel.core.errors import MALFORMED, DataError
from medmodel.core.storage import damaged, newer, read_json, write_json
from medmodel.evaluation.decision.thresholds import Outcome, Rule, Rules, outcome
from medmodel.evaluation.predictions import Predictions
from medmodel.language import _
from medmodel.runs.run import Run
from medmodel.runs.status import LATEST_TIME


@dataclass(frozen=True)
class ThresholdChoice:
    """Thresholds that were chosen again, after the test images had been seen.

    Args:
        rule: How.
        thresholds: Class -> threshold; not-a-number where it has none.
        when: Seconds since 1970.
    """

    rule: Rule | Rules
    thresholds: Mapping[str, float]
    when: float


def freeze_thresholds(
    run: Run, rule: Rule | Rules, thresholds: Mapping[str, float]
) -> None:
    """Writes the run's thresholds.json: chosen before test images are looked at.

    What is there already stays: a later choice is kept beside it, with its time.
    """
    chosen = {**_rule_json(rule), "when": time.time()}
    chosen["thresholds"] = {
        n: None if math.isnan(t) else t for n, t in thresholds.items()
    }
    with run.notes_lock:
        frozen = _kept(run)
        if frozen is not None:
            chosen = {**frozen, "later": [*frozen.get("later", []), chosen]}
        write_json(run.folder / "thresholds.json", chosen)


def frozen_thresholds(run: Run) -> tuple[Rule | Rules, dict[str, float]] | None:
    """What was chosen first; None if nothing was chosen for these scores.

    Raises:
        FileError: thresholds.json is damaged.
    """
    values = _kept(run)
    return None if values is None else (_rule(values), _thresholds(values))


def later_choices(run: Run) -> list[ThresholdChoice]:
    """What was chosen again when the test images had been seen, oldest first."""
    rows = (_kept(run) or {}).get("later", [])
    return [ThresholdChoice(_rule(v), _thresholds(v), float(v["when"])) for v in rows]


def _kept(run: Run) -> dict[str, Any] | None:
    path = run.folder / "thresholds.json"
    if not path.exists():
        return None
    # A run that was resumed has other scores than those that were looked at.
    if any(newer(f, path) for f in (run.predictions_path, run.model_path)):
        return None
    values = read_json(path)
    try:
        for choice in (values, *values.get("later", [])):
            _check_choice(choice)
    except (*MALFORMED, DataError) as error:
        raise damaged(path) from error
    return dict(values)


def _check_choice(values: Mapping[str, Any]) -> None:
    """Refuses what `freeze_thresholds` does not write.

    Raises:
        ValueError: A threshold or the time is none.
        DataError: There is no such rule.
    """
    _rule(values)
    thresholds = _thresholds(values).values()
    if not all(math.isnan(each) or -1 <= each <= 2 for each in thresholds):
        raise ValueError(_("a threshold is none"))
    if not 0 <= float(values.get("when", 0)) <= LATEST_TIME:
        raise ValueError(_("the time is none"))


def _rule_json(rule: Rule | Rules) -> dict[str, Any]:
    if isinstance(rule, Rule):
        return {"rule": rule.kind, "value": rule.value}
    return {"rules": {name: [each.kind, each.value] for name, each in rule.rules}}


def _rule(values: Mapping[str, Any]) -> Rule | Rules:
    if "rules" in values:
        return Rules(tuple((n, Rule(*each)) for n, each in values["rules"].items()))
    return Rule(values["rule"], values["value"])


def _thresholds(values: Mapping[str, Any]) -> dict[str, float]:
    by_class = values["thresholds"].items()
    return {name: math.nan if t is None else t for name, t in by_class}


def frozen_outcomes(run: Run, data: Predictions) -> list[Outcome]:
    """What the run's frozen thresholds do to a split, of the classes that have one."""
    frozen = frozen_thresholds(run)
    cuts = {} if frozen is None else frozen[1]
    return [
        outcome(data, at, cuts[name])
        for at, name in enumerate(data.classes)
        if not math.isnan(cuts.get(name, math.nan))
    ]
