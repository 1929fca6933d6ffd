"""What a model of several findings predicts, as a sentence."""

from __future__ import annotations

from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.reports.multi_label.finding_sentences import predicted_sentence


def test_probabilities_stay_behind_names_from_right_to_left() -> None:
    decisions = [Decision(name, 0.5, 1.0, 20) for name in ("קט", "edema", "גד")]
    said = predicted_sentence([0.75, 0.8, 0.25], decisions)
    assert said == "Predicted findings: edema (80 %), \u2068קט\u2069 (75 %)"
