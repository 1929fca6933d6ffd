"""What a model of several findings predicts, as a sentence."""

from __future__ import annotations

import numpy as np

from medmodel.evaluation.multi_label.finding_results import Decision
from medmodel.evaluation.multi_label.finding_sets import FindingSets
from medmodel.reports.multi_label.finding_sentences import (
    predicted_sentence,
    sets_sentence,
)


def test_probabilities_stay_behind_names_from_right_to_left() -> None:
    decisions = [Decision(name, 0.5, 1.0, 20) for name in ("קט", "edema", "גד")]
    said = predicted_sentence([0.75, 0.8, 0.25], decisions)
    assert said == "Predicted findings: edema (80 %), \u2068קט\u2069 (75 %)"


def test_what_cannot_be_ruled_out_in_words() -> None:
    sets = [
        FindingSets("mass", 0.9, 0.4, 0.6, 50, 50),
        FindingSets("nodule", 0.9, 0.4, 0.6, 50, 50),
        FindingSets("effusion", 0.9, 0.4, 0.6, 50, 50),
        FindingSets("hernia", 0.9, 0.0, 1.0, 2, 90),
    ]
    sentence = sets_sentence(np.array([0.9, 0.5, 0.1, 0.9]), sets, 0.9)
    assert sentence == (
        "With 90 % coverage: present: mass; absent: effusion; present or absent: "
        "nodule. Too few validation images with it, or without it, for a prediction "
        "set: hernia."
    )
    assert sets_sentence(np.array([0.9]), sets[3:], 0.9).startswith("Too few")
